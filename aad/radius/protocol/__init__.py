"""The RADIUS packet: octets, attributes, signatures, passwords; for the front, the clients and the tools."""
