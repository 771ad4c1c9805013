"""Stores: waiting logins, counters and enrolments, in a SQLite file or on a Valkey server."""
