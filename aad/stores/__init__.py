"""Stores: what outlives a restart."""
