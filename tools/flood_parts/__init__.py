"""What `tools/flood` is made of."""
