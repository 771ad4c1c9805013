"""The RADIUS packet alone: octets, attributes, signatures, passwords; for the front, the clients and the tools."""
