"""The records read back, from the journal or from a file, and told: a login as a short story."""
