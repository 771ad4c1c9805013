"""Senders: what carries a message to a user."""
