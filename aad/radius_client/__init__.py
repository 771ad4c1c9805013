"""Asks other RADIUS servers: whether a password is right (failover.py), or as a NAS does (nas.py)."""
