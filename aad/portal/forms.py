"""What a form brings back: proof that it is ours, and what its page knew, sealed for the one browser that got it.

So a page needs nothing in the store, no ticket stands in a URL, and a form of another browser, or an old one, is none.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from typing import Any

from aad.core import sealed_box as sealed
from aad.core.secret import Secret
from aad.ports import Store

KIND = "portal form"


class Forms:
    """Seals and opens. `bound` is what only the browser and we know: the session's token, or a visitor's."""

    def __init__(self, store: Store, key: Secret, randomness: Callable[[int], bytes]) -> None:
        """Use the installation's `key`; `randomness(n)` gives n random octets."""
        self._store = store
        self._key = key
        self._randomness = randomness

    def token(self, bound: str) -> str:
        """Return what each of its forms must bring back (CSRF)."""
        octets = hmac.digest(self._key.reveal(), b"aad portal form\0" + bound.encode(), hashlib.sha256)
        return base64.urlsafe_b64encode(octets).decode()

    def ours(self, bound: str, form: Mapping[str, str]) -> bool:
        """Say whether a form is from a page that this browser got from us."""
        return bool(bound) and hmac.compare_digest(self.token(bound).encode(), form.get("csrf", "").encode())

    def sealed(self, kind: str, bound: str, seconds: float, **known: object) -> str:
        """Seal what the page knows, for so many seconds. `kind`: the form's, so that it is good for no other."""
        data = known | {"until": self._store.now() + seconds, "once": self.once()}
        value, nonce = Secret(json.dumps(data)), self._randomness(sealed.NONCE_OCTETS)
        return base64.urlsafe_b64encode(sealed.seal(self._key, _bound(kind, bound), value, nonce)).decode()

    def once(self) -> str:
        """Return what `first` knows a form by."""
        return self._randomness(16).hex()

    def opened(self, kind: str, bound: str, text: str) -> dict[str, Any] | None:
        """Open what was sealed. None: for another form or browser, too long ago, or never."""
        try:
            octets = base64.b64decode(text.encode(), b"-_", validate=True)
            data: dict[str, Any] = json.loads(sealed.opened(self._key, _bound(kind, bound), octets).reveal())
        except ValueError:
            return None
        return data if data["until"] > self._store.now() else None

    async def first(self, data: Mapping[str, Any]) -> bool:
        """Say whether this form comes for the first time; from now on it doesn't. Unavailable."""
        return await self._store.compare_and_set_expiring(KIND, data["once"], None, b"", data["until"])


def _bound(kind: str, bound: str) -> bytes:
    return json.dumps(["portal", kind, bound]).encode()
