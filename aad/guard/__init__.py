"""Holds plugins of other packages to their contract: when they are loaded, and in each call. Ours aren't guarded."""

from aad.guard.guarded import built

__all__ = ["built"]
