"""Methods: each one way to prove it is you. They know the core and the ports, never each other."""
