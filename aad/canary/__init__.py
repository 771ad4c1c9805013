"""The canary: one whole login of a test user, over the wire and through the mail, to see that it can be done."""
