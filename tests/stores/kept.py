"""What the tests of stores keep and count."""

from __future__ import annotations

from aad.ports import Store, Tally

OWNER = "vpn\0gateway\0corp\0alice"


def tally(store: Store, name: str = "alice", *, scope: str = "vpn", lasts: float = 300.0) -> Tally:
    return Tally(kind="lockout", scope=scope, name=name, count=0, until=store.now() + lasts)
