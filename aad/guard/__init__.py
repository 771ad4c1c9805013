"""Plugins of other packages, held to their contract; our own don't pass through it."""

from aad.guard.guarded import built

__all__ = ["built"]
