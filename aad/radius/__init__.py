"""The RADIUS front: datagrams in, the engine asked, datagrams out."""
