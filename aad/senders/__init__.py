"""Senders: how a message travels."""
