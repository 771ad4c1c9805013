"""The one access token of a sender: cached, renewed ahead of its end, replaced when the mail server refuses it.

1. While a token is good no mail waits for one: the next is fetched in the background, after four fifths of its life.
2. One request at a time. A mail that needs a token while one is being fetched waits for that one.
3. A failed fetch is repeated after a growing pause, whether or not there are mails: so the first mail after an outage
   finds a token.
4. A refused token is replaced at once, but only once in 30 s: a mailbox that refuses every token must not make us ask
   a hundred times a minute.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable

from aad.core.secret import Secret
from aad.ports import Unavailable
from aad.senders.smtp.oauth.requests import Token

_RENEWED_AFTER = (0.75, 0.85)  # of its life; at random, so that many daemons don't ask at the same moment
_GOOD_FOR = 0.95  # of its life; the mail server's clock is not ours
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0  # seconds between two tries
_SHORTEST_PAUSE = 0.5  # whatever life the endpoint gives its tokens
_REPLACED_EVERY = 30.0  # seconds between two tokens that replace a refused one, at least
_random = random.SystemRandom()


class TokenCache:
    """Has a token ready between `start` and `close`."""

    def __init__(self, fetch: Callable[[], Awaitable[Token]], source: str, where: str) -> None:
        """`fetch`: requests a token, or raises Unavailable. `source`: the token endpoint's name, for the log."""
        self._fetch = fetch
        self.source = source
        self._where = where
        self._token: Secret | None = None
        self._ends = 0.0  # `time.monotonic()`
        self._failure = ""
        self._pause = 0.0
        self._replaced = -_REPLACED_EVERY
        self._fetching: asyncio.Task[Secret] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Fetch the first token in the background."""
        self._begin_fetch()

    async def close(self) -> None:
        """Cancel the fetch in progress, and plan no other."""
        if self._fetching:
            self._fetching.cancel()
            await asyncio.gather(self._fetching, return_exceptions=True)
        if self._timer:  # after that, as a fetch that just failed sets one
            self._timer.cancel()
        self._timer = self._fetching = None

    @property
    def left(self) -> float:
        """Seconds for which the token is still good; 0: there is none."""
        return max(0.0, self._ends - time.monotonic()) if self._token else 0.0

    @property
    def lack(self) -> str:
        """Why there is no token, for the log; empty: there is one."""
        return "" if self.left else self._failure or f"{self.source}: no answer yet"

    async def get(self) -> Secret:
        """Return a token that is good now. Unavailable: why there is none."""
        return self._token if self._token and self.left else await self._fetched()

    async def instead_of(self, refused: Secret) -> Secret | None:
        """Return another token than the `refused` one; None: it replaced a refused one itself, less than 30 s ago."""
        if self._token == refused:
            if time.monotonic() - self._replaced < _REPLACED_EVERY:
                return None
            self._replaced = time.monotonic()
            self._token = None
        return await self.get()

    async def _fetched(self) -> Secret:
        """Wait for the fetch in progress, or begin one. A cancelled caller doesn't cancel the fetch of the others."""
        try:
            return await asyncio.shield(self._begin_fetch())
        except Unavailable as error:  # each caller gets an exception of its own: a traceback isn't shared
            raise Unavailable(error.what, where=self._where) from None

    def _begin_fetch(self) -> asyncio.Task[Secret]:
        if self._fetching is None or self._fetching.done():
            self._fetching = asyncio.create_task(self._renew(), name=f"{self._where}: token")
            self._fetching.add_done_callback(lambda task: task.cancelled() or task.exception())
        return self._fetching

    async def _renew(self) -> Secret:
        asked = time.monotonic()
        try:
            token = await self._fetch()
        except Unavailable as error:
            self._failure = error.what
            self._pause = min(2 * self._pause or _FIRST_PAUSE, _LONGEST_PAUSE)
            self._fetch_in(_random.uniform(0.5, 1.0) * self._pause)
            raise
        self._token, self._ends = token.value, asked + _GOOD_FOR * token.life
        self._failure, self._pause = "", 0.0
        self._fetch_in(asked + _random.uniform(*_RENEWED_AFTER) * token.life - time.monotonic())
        return token.value

    def _fetch_in(self, seconds: float) -> None:
        """Plan the next fetch, in place of the one planned before."""
        if self._timer:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(max(_SHORTEST_PAUSE, seconds), self._begin_fetch)
