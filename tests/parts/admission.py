"""Whom a test lets a repository check a password for (ports.Admit)."""

from __future__ import annotations

from aad.core.identity import User


async def everybody(_: User) -> bool:
    return True


async def nobody(_: User) -> bool:
    return False
