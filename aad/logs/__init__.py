"""The log: records written to the journal, a file or stderr, read back, and shown login by login."""
