"""Files and folders that others may change meanwhile: opened, judged and owned without being led elsewhere."""
