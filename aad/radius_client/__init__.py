"""Upstream: asks other RADIUS servers, for whoever wants to know what these think of a password."""
