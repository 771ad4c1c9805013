"""Who may ask: API keys. We hold their SHA-256 only.

A key is 256 random bits, so nobody finds it from its hash by trying; a slow hash (scrypt) is for what people choose,
and would be a way to keep us busy here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from aad.core.user_address import Networks, Unknown, UserAddress
from aad.https import problems
from aad.https.messages import Request
from aad.https.problems import ProblemError

_CHALLENGE = (("WWW-Authenticate", 'Bearer realm="aad"'),)


@dataclass(frozen=True, kw_only=True)
class Key:
    """One website. `hashes`: of its key, and of the one before; `networks`: who may use it; None: everybody.

    `deadline`: seconds it waits; `events`: those that it may name, the first one if it names none.
    """

    name: str
    hashes: tuple[str, ...]
    events: tuple[str, ...]
    deadline: float = 10.0
    networks: Networks | None = None
    tell_groups: bool = False


class Keys:
    """All keys, by hash."""

    def __init__(self, keys: Iterable[Key]) -> None:
        """Take them."""
        # How long a look-up takes tells of hashes, and a hash can't be chosen to be near to another one.
        self._keys = {each: key for key in keys for each in key.hashes}

    def of(self, request: Request) -> Key:
        """Return whose request it is. ProblemError: nobody's; wrong key and wrong address look alike."""
        scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
        key = self._keys.get(hashlib.sha256(credentials.strip().encode()).hexdigest())
        if scheme.lower() != "bearer" or key is None:
            raise ProblemError(problems.NO_KEY, headers=_CHALLENGE)
        if key.networks is not None and request.caller not in key.networks:
            raise WrongNetworkError(key.name, request.caller)
        return key


class WrongNetworkError(ProblemError):
    """A good key, from an address that it isn't for; `name`: whose. It isn't said to the sender that the key is good.

    `why`: in words for the log, of which there are few.
    """

    def __init__(self, name: str, caller: UserAddress) -> None:
        """Look like no key at all."""
        super().__init__(problems.NO_KEY, headers=_CHALLENGE)
        self.name = name
        unknown = f" is unknown ({caller.why})" if isinstance(caller, Unknown) else " isn't in its networks"
        self.why = f"its key, from an address that{unknown}"
