"""Hidden fields of forms: the CSRF token, and the page's state, sealed for the one browser that got it.

So a page needs nothing in the store, no ticket is in a URL, and a form of another browser, or an old one, isn't taken.
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
    """Seals and opens. `bound`: a token that only this browser and we know, the session's or a visitor's."""

    def __init__(self, store: Store, key: Secret, randomness: Callable[[int], bytes]) -> None:
        """Use the installation's `key`; `randomness(n)` gives n random octets."""
        self._store = store
        self._key = key
        self._randomness = randomness

    def token(self, bound: str) -> str:
        """Return the CSRF token that each form of this browser must send back."""
        octets = hmac.digest(self._key.reveal(), b"aad portal form\0" + bound.encode(), hashlib.sha256)
        return base64.urlsafe_b64encode(octets).decode()

    def ours(self, bound: str, form: Mapping[str, str]) -> bool:
        """Return whether a form is from a page that this browser got from us: its CSRF token is right."""
        return bool(bound) and hmac.compare_digest(self.token(bound).encode(), form.get("csrf", "").encode())

    def sealed(self, kind: str, bound: str, seconds: float, **known: object) -> str:
        """Seal a page's state, for so many seconds. `kind`: the only kind of form that it can be opened for."""
        data = known | {"until": self._store.now() + seconds, "once": self.new_id()}
        value, nonce = Secret(json.dumps(data)), self._randomness(sealed.NONCE_OCTETS)
        return base64.urlsafe_b64encode(sealed.seal(self._key, _bound(kind, bound), value, nonce)).decode()

    def new_id(self) -> str:
        """Return a random id, by which `first` recognizes a form."""
        return self._randomness(16).hex()

    def opened(self, kind: str, bound: str, text: str) -> dict[str, Any] | None:
        """Open a sealed state. None: it is for another form or browser, too old, or none of ours."""
        try:
            octets = base64.b64decode(text.encode(), b"-_", validate=True)
            data: dict[str, Any] = json.loads(sealed.opened(self._key, _bound(kind, bound), octets).reveal())
        except ValueError:
            return None
        return data if data["until"] > self._store.now() else None

    async def first(self, data: Mapping[str, Any]) -> bool:
        """Return whether a form with this state comes for the first time, and remember it. Unavailable."""
        return await self._store.compare_and_set_expiring(KIND, data["once"], None, b"", data["until"])


def _bound(kind: str, bound: str) -> bytes:
    return json.dumps(["portal", kind, bound]).encode()
