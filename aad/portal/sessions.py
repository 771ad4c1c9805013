"""Sessions of the portal, in the store under the hash of a random token that only the browser has.

A session ends when it is idle, and after its lifetime; when its user signs out; and when what they are enrolled with is
changed. Its token is never one that a browser brought: signing in always makes a new one.

Write access to the store isn't enough to make one: a session is signed for its token, and so is the mark that all
sessions of a user share until they are all ended. A session without its mark isn't valid, so removing the mark brings
none back.

It holds what its user was enrolled with when it began: only that can prove something in it (`aad.portal.proofs`).
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from aad.core.identity import User, name_key
from aad.login.signer import Signer
from aad.ports import Store, Unavailable

COOKIE = "__Host-aad-session"
KIND, MARKS = "portal session", "portal sessions' mark"
TOKEN_OCTETS = 32
RACES = 5
_SEEN_EVERY = 30.0  # seconds after which the time of the last request is written again


@dataclass(frozen=True)
class Session:
    """One session. `began`, `seen`: its user's sign-in and last request (the store's clock). `mark`: see `end_all`.

    `second`: the sign-in had a second proof. Of each method, by `Enrolment.identity`: `before`, what the user was
    enrolled with at the sign-in; `own`, what they were enrolled with since, in this session.
    """

    user: str
    repository: str
    began: float
    seen: float
    mark: str
    second: bool = False
    before: Mapping[str, str] = field(default_factory=dict)
    own: Mapping[str, str] = field(default_factory=dict)
    token: str = field(default="", repr=False)

    @property
    def key(self) -> str:
        """The user's key, by which limits and histories count."""
        return name_key(self.user)


class Sessions:
    """Opens, finds and ends sessions. Unavailable: the store is down, from every method."""

    def __init__(
        self, store: Store, signer: Signer, randomness: Callable[[int], bytes], *, idle: float, lifetime: float
    ) -> None:
        """End a session after `idle` seconds without a request, and after `lifetime` seconds at all events."""
        self._store = store
        self._signer = signer
        self._randomness = randomness
        self._idle = idle
        self._lifetime = lifetime

    async def open(self, user: User, *, second: bool = False, before: Mapping[str, str] | None = None) -> Session:
        """Open a session for a user who has just signed in. `second`, `before`: as in Session."""
        now = self._store.now()
        session = Session(user.name, user.repository, now, now, "", second, dict(before or {}))
        return await self._opened(session, user.key)

    async def replace_all(self, session: Session, **own: str) -> Session:
        """End all sessions of a user, and go on with this one under another token; `own`: see `enrolled`.

        What can prove something in it stays the same.
        """
        await self.end_all(session.repository, session.key)
        return await self._opened(replace(session, seen=self._store.now(), own={**session.own, **own}), session.key)

    async def enrolled(self, session: Session, **own: str) -> None:
        """Add what its user was enrolled with in this session: method -> identity."""
        for _ in range(RACES):
            kept = await self._store.get_expiring(KIND, _hash(session.token))
            if kept is None:
                return
            content = self._signer.verified(KIND, _hash(session.token), kept)
            if content is None:
                return
            found = _read(content, session.token)
            found = replace(found, own={**found.own, **own})
            if await self._store.compare_and_set_expiring(
                KIND, _hash(found.token), kept, self._written(found), self._until(found)
            ):
                return

    async def _opened(self, session: Session, key: str) -> Session:
        token = base64.urlsafe_b64encode(self._randomness(TOKEN_OCTETS)).decode()
        session = replace(session, mark=await self._marked(session.repository, key), token=token)
        await self._store.compare_and_set_expiring(
            KIND, _hash(token), None, self._written(session), self._until(session)
        )
        return session

    async def find(self, token: str) -> Session | None:
        """Return the session of a token that a browser sent, and mark it as used; None: it isn't valid."""
        if not token or (kept := await self._store.get_expiring(KIND, _hash(token))) is None:
            return None
        content, now = self._signer.verified(KIND, _hash(token), kept), self._store.now()
        if content is None:
            return None
        session = _read(content, token)
        # A time ahead of us: the machine was restarted, and with it the store's clock.
        if session.seen > now or self._until(session) <= now:
            return None
        _, mark = await self._mark(session.repository, session.key)
        if mark is None or session.mark != mark.hex():
            return None
        if now - session.seen >= min(_SEEN_EVERY, self._idle / 4):
            session = replace(session, seen=now)
            await self._store.compare_and_set_expiring(
                KIND, _hash(token), kept, self._written(session), self._until(session)
            )
        return session

    async def end(self, token: str) -> None:
        """End the session of a token, if there is one."""
        if token:
            for _ in range(RACES):
                kept = await self._store.get_expiring(KIND, _hash(token))
                if kept is None or await self._store.compare_and_set_expiring(KIND, _hash(token), kept, None, 0.0):
                    return

    async def end_all(self, repository: str, key: str) -> None:
        """End every session of a user, by changing their mark."""
        await self._renew(repository, key, new=True)

    def age(self, session: Session) -> float:
        """Return how many seconds ago its user signed in."""
        return self._store.now() - session.began

    async def _marked(self, repository: str, key: str) -> str:
        """Return the mark of a user's sessions, kept for as long as one that begins now may last."""
        return (await self._renew(repository, key, new=False)).hex()

    async def _renew(self, repository: str, key: str, *, new: bool) -> bytes:
        """Keep the mark of a user's sessions for as long as they may last; `new`: exchange it for another one.

        Where there is none, `new` makes none: the user isn't signed in.
        """
        until = self._store.now() + self._lifetime
        for _ in range(RACES):
            kept, before = await self._mark(repository, key)
            if new and kept is None:
                return b""
            mark = self._randomness(8) if new or before is None else before
            signed = self._signer.sign(MARKS, _name(repository, key), mark, until)
            if await self._store.compare_and_set_expiring(MARKS, _name(repository, key), kept, signed, until):
                return mark
        what = "many others begin or end sessions of the same user"
        raise Unavailable(what)

    async def _mark(self, repository: str, key: str) -> tuple[bytes | None, bytes | None]:
        """Return the mark of a user's sessions, signed and without; None: there is none, or none that we signed."""
        name = _name(repository, key)
        kept = await self._store.get_expiring(MARKS, name)
        return kept, None if kept is None else self._signer.verified(MARKS, name, kept)

    def _written(self, session: Session) -> bytes:
        s = session
        known = [s.user, s.repository, s.began, s.seen, s.mark, s.second, dict(s.before), dict(s.own)]
        content = json.dumps(known).encode()
        return self._signer.sign(KIND, _hash(session.token), content, self._until(session))

    def _until(self, session: Session) -> float:
        return min(session.began + self._lifetime, session.seen + self._idle)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _name(repository: str, key: str) -> str:
    return f"{repository}\0{key}"


def _read(content: bytes, token: str) -> Session:
    return replace(Session(*json.loads(content)), token=token)
