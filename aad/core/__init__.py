"""The rules, pure: no await, no clock, no randomness, no files, no log."""
