"""Parts of `tools/flood`."""
