"""Repositories: where users live."""
