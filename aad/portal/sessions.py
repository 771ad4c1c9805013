"""Who is signed in: in the store, under the hash of a random token that only the browser has.

A session ends by itself, idle or not; when its user signs out; and when what he is enrolled with changes hands. It is
never made of a token that a browser brings, and signing in always makes a new one.

It carries what its user was enrolled with when it began: only that can prove something in it (`aad.portal.proofs`).
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from aad.core.identity import User, name_key
from aad.ports import Store

COOKIE = "__Host-aad-session"
KIND, ENDINGS = "portal session", "portal sessions' end"
TOKEN_OCTETS = 32
RACES = 5
_NOTED = 30.0  # seconds after which it is written again that a session is in use


@dataclass(frozen=True)
class Session:
    """One. `began`, `seen`: when its user signed in, and was last here (the store's clock). `since`: see `end_all`.

    `second`: the sign-in had a second proof. Of each method, by `Enrolment.identity`: `before`, what the user was
    enrolled with at the sign-in; `own`, what they were enrolled with since, in this session.
    """

    user: str
    repository: str
    began: float
    seen: float
    since: str
    second: bool = False
    before: Mapping[str, str] = field(default_factory=dict)
    own: Mapping[str, str] = field(default_factory=dict)
    token: str = field(default="", repr=False)

    @property
    def key(self) -> str:
        """Whose it is, as limits and histories count."""
        return name_key(self.user)


class Sessions:
    """Opens, finds and ends sessions. Unavailable: the store is out of order."""

    def __init__(self, store: Store, randomness: Callable[[int], bytes], *, idle: float, lifetime: float) -> None:
        """End a session after `idle` seconds without a request, and after `lifetime` seconds at all events."""
        self._store = store
        self._randomness = randomness
        self._idle = idle
        self._lifetime = lifetime

    async def open(self, user: User, *, second: bool = False, before: Mapping[str, str] | None = None) -> Session:
        """Open a session of a user who has just signed in. `second`, `before`: as in Session."""
        now = self._store.now()
        session = Session(user.name, user.repository, now, now, "", second, dict(before or {}))
        return await self._opened(session, user.key)

    async def anew(self, session: Session, **own: str) -> Session:
        """End all sessions of a user, and go on with this one under another token; `own`: see `enrolled`.

        What could prove something in it is the same as before.
        """
        await self.end_all(session.repository, session.key)
        return await self._opened(replace(session, seen=self._store.now(), own={**session.own, **own}), session.key)

    async def enrolled(self, session: Session, **own: str) -> None:
        """Note what its user was enrolled with in this session: method -> identity."""
        for _ in range(RACES):
            kept = await self._store.recall(KIND, _hash(session.token))
            if kept is None:
                return
            found = _read(kept, session.token)
            found = replace(found, own={**found.own, **own})
            if await self._store.exchange(KIND, _hash(found.token), kept, _written(found), self._until(found)):
                return

    async def _opened(self, session: Session, key: str) -> Session:
        token = base64.urlsafe_b64encode(self._randomness(TOKEN_OCTETS)).decode()
        session = replace(session, since=await self._since(session.repository, key), token=token)
        await self._store.exchange(KIND, _hash(token), None, _written(session), self._until(session))
        return session

    async def find(self, token: str) -> Session | None:
        """Return the session of a token that a browser brought, and note that it is in use."""
        if not token or (kept := await self._store.recall(KIND, _hash(token))) is None:
            return None
        session, now = _read(kept, token), self._store.now()
        # A time ahead of us: the machine was started anew, and with it the store's clock.
        if session.seen > now or self._until(session) <= now:
            return None
        if session.since != await self._since(session.repository, session.key):
            return None
        if now - session.seen >= min(_NOTED, self._idle / 4):
            session = replace(session, seen=now)
            await self._store.exchange(KIND, _hash(token), kept, _written(session), self._until(session))
        return session

    async def end(self, token: str) -> None:
        """End the session of a token, if there is one."""
        if token:
            for _ in range(RACES):
                kept = await self._store.recall(KIND, _hash(token))
                if kept is None or await self._store.exchange(KIND, _hash(token), kept, None, 0.0):
                    return

    async def end_all(self, repository: str, key: str) -> None:
        """End every session of a user: they are of a time that is over."""
        name, until = f"{repository}\0{key}", self._store.now() + self._lifetime
        for _ in range(RACES):
            before = await self._store.recall(ENDINGS, name)
            if await self._store.exchange(ENDINGS, name, before, self._randomness(8), until):
                return

    def age(self, session: Session) -> float:
        """Return how many seconds ago its user signed in."""
        return self._store.now() - session.began

    async def _since(self, repository: str, key: str) -> str:
        return (await self._store.recall(ENDINGS, f"{repository}\0{key}") or b"").hex()

    def _until(self, session: Session) -> float:
        return min(session.began + self._lifetime, session.seen + self._idle)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _read(kept: bytes, token: str) -> Session:
    return replace(Session(*json.loads(kept)), token=token)


def _written(session: Session) -> bytes:
    s = session
    return json.dumps([s.user, s.repository, s.began, s.seen, s.since, s.second, dict(s.before), dict(s.own)]).encode()
