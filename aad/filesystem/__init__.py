"""Files and folders that other users may change meanwhile: opened and judged without being led elsewhere."""
