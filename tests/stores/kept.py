"""What the tests of stores keep and count."""

from __future__ import annotations

from typing import Any

from aad.ports import Kept, Store, Tally

OWNER = "vpn\0gateway\0corp\0alice"


def tally(store: Store, name: str = "alice", *, scope: str = "vpn", lasts: float = 300.0) -> Tally:
    return Tally(kind="lockout", scope=scope, name=name, count=0, until=store.now() + lasts)


async def keep(store: Store, ticket: bytes, holder: str, login: bytes, expires: float, **more: Any) -> bool:
    """Keep a login as somebody who may have as many as there are."""
    most = more.pop("most", 10**6)
    return await store.put_login(Kept(ticket=ticket, holder=holder, login=login, expires=expires, **more), most)


async def taken(store: Store, ticket: bytes) -> bytes | None:
    """Take a login that no row refuses."""
    found = await store.take_login(ticket)
    assert found is None or not found.refused
    return found.login if found else None
