"""Parts of `tools/failover`."""
