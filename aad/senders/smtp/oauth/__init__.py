"""Access tokens for a mail server that wants OAuth 2."""
