"""The RADIUS front: UDP datagrams in, replies out. `protocol/` is the packet alone."""
