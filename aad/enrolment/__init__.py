"""What users are enrolled with: apps, recovery codes, and where that is kept."""
