"""Methods: one way each for users to prove who they are. They know the core and the ports, never each other."""
