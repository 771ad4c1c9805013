"""Advanced Authentication Daemon."""

__version__ = "0.1.0"
