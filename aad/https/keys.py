"""API keys: which website a request comes from, by the SHA-256 of its key.

A key is 256 random bits, so it can't be found from its hash by trying. A slow hash (scrypt) is for passwords that
people choose; here it would only let strangers keep us busy.
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
    """One website. `hashes`: of its key, and of the one before; `networks`: from where it may be used; None: anywhere.

    `deadline`: seconds that the website waits; `events`: those it may name, the first one if it names none.
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
        """Index `keys` by hash."""
        # How long a look-up takes tells of hashes, and a hash can't be chosen to be near to another one.
        self._keys = {each: key for key in keys for each in key.hashes}

    def of(self, request: Request) -> Key:
        """Return the key of a request. ProblemError: no known key, or a wrong address; the two look alike."""
        scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
        key = self._keys.get(hashlib.sha256(credentials.strip().encode()).hexdigest())
        if scheme.lower() != "bearer" or key is None:
            raise ProblemError(problems.NO_KEY, headers=_CHALLENGE)
        if key.networks is not None and request.caller not in key.networks:
            raise WrongNetworkError(key.name, request.caller)
        return key


class WrongNetworkError(ProblemError):
    """A known key, from an address outside its networks; `name`: whose. The sender doesn't learn that it is known.

    `why`: for the log, one of a few phrases.
    """

    def __init__(self, name: str, caller: UserAddress) -> None:
        """Answer as if there were no such key."""
        super().__init__(problems.NO_KEY, headers=_CHALLENGE)
        self.name = name
        unknown = f" is unknown ({caller.why})" if isinstance(caller, Unknown) else " isn't in its networks"
        self.why = f"its key, from an address that{unknown}"
