"""What a monitoring system sees: records, counted as they pass (`counts`), as text (`page`), over HTTP (`front`)."""
