"""Parts of `tools/fuzz`."""
