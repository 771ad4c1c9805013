"""Repositories: where users are looked up and their passwords checked."""
