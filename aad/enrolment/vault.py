"""Keeps what users are enrolled with, in the store, sealed by the installation's key for one user and method."""

from __future__ import annotations

import json
from collections.abc import Callable

from aad.core import sealed_box
from aad.core.identity import User
from aad.core.secret import Secret
from aad.ports import ForeignSealError, Held, Store


class Vault:
    """The port Vault, for one method. What was sealed for one user can't be opened for another."""

    def __init__(self, store: Store, key: Secret, method: str, randomness: Callable[[int], bytes]) -> None:
        """Hold in `store`, sealed with `key`; `randomness(n)` returns n random octets."""
        self._store = store
        self._key = key
        self._method = method
        self._kind = f"method {method}"
        self._randomness = randomness

    async def find(self, user: User) -> Held | None:
        """Return what is held for `user`, opened; None: nothing. ForeignSealError: it can't be opened. Unavailable."""
        kept = await self._store.get(self._kind, _name(user))
        if kept is None:
            return None
        try:
            return Held(sealed_box.opened(self._key, self._bound(user), kept), kept)
        except ValueError:
            raise ForeignSealError(user.name) from None

    async def swap(self, user: User, old: Held | None, new: Secret | None) -> bool:
        """Hold `new` in the place of `old`; False: `old` isn't held any more. Unavailable."""
        nonce = self._randomness(sealed_box.NONCE_OCTETS)
        after = None if new is None else sealed_box.seal(self._key, self._bound(user), new, nonce)
        return await self._store.compare_and_set(self._kind, _name(user), old.sealed if old else None, after)

    async def remove(self, repository: str, key: str) -> bool:
        """Remove what is held for the user of this key, whether it can be opened or not; say whether there was any."""
        name = f"{repository}\0{key}"
        kept = await self._store.get(self._kind, name)
        return kept is not None and await self._store.compare_and_set(self._kind, name, kept, None)

    async def users(self) -> list[tuple[str, str]]:
        """Return the users who are enrolled, as (repository, key)."""
        names = await self._store.names(self._kind)
        return [(repository, key) for repository, _, key in (name.partition("\0") for name in names)]

    def _bound(self, user: User) -> bytes:
        # As JSON, no name can be read as the end of one and the beginning of another.
        return json.dumps([self._method, user.repository, user.key]).encode()


def _name(user: User) -> str:
    return f"{user.repository}\0{user.key}"
