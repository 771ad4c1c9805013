"""Metrics for a monitoring system: records counted as they pass, gauges, their text, and a small HTTP server."""
