"""Enrolment of users: apps, key fobs and recovery codes, and the vault they are kept in."""
