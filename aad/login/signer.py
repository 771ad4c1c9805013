"""Signs what is kept in the store, and verifies it when read: what the installation's key did not sign isn't there."""

from __future__ import annotations

from collections.abc import Callable

from aad.core import authenticated
from aad.core.secret import Secret

AHEAD = 60.0  # seconds: no clock of two nodes is further ahead; beyond that it was signed before the clock was reset
OTHER_KEY = "signed with another installation's key: is [store] key the same at every node?"
UNSIGNED = "not signed: kept by an aad before signatures, or written by something else"


class Signer:
    """Signs with one installation's key; a purpose ("waiting login") and a name (its ticket) are signed too."""

    def __init__(self, key: Secret, now: Callable[[], float], foreign: Callable[[str, str], None]) -> None:
        """Sign by the store's clock, `now`. `foreign(purpose, reason)` is called for what this key didn't sign."""
        self._key = key
        self._now = now
        self._foreign = foreign
        self._keys: dict[str, Secret] = {}

    def sign(self, purpose: str, name: bytes | str, content: bytes, until: float) -> bytes:
        """Return what to keep under `name`, good until then."""
        return authenticated.sign(self._derived(purpose), _octets(name), content, since=self._now(), until=until)

    def verified(self, purpose: str, name: bytes | str, kept: bytes, *, grace: float = 0.0) -> bytes | None:
        """Return the content of what was kept under `name`. None: not ours, or ended more than `grace` seconds ago."""
        found = authenticated.verified(self._derived(purpose), _octets(name), kept)
        if found is None:
            self._foreign(purpose, OTHER_KEY if authenticated.signed(kept) else UNSIGNED)
            return None
        now = self._now()
        return found.content if found.since <= now + AHEAD and now < found.until + grace else None

    def _derived(self, purpose: str) -> Secret:
        if purpose not in self._keys:
            self._keys[purpose] = authenticated.derived(self._key, purpose)
        return self._keys[purpose]


def _octets(name: bytes | str) -> bytes:
    return name if isinstance(name, bytes) else name.encode("utf-8", "surrogateescape")
