"""Parts of `tools/deb`."""
