"""What `tools/failover` is made of."""
