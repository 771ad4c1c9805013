"""The RADIUS front: datagrams in, replies out; nothing else of the house knows the protocol."""
