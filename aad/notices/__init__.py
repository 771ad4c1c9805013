"""Notices: mails to users about changes of their enrolment, kept in the store until a daemon has sent them."""
