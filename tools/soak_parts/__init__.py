"""Parts of `tools/soak`."""
