"""Notices: what users are told by mail of their enrolment, kept in the store until a daemon has mailed it."""
