"""A login begun several times at once in this process runs once, and all get its reply: one bind, one mail."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from aad.core.identity import Attempt
from aad.ports import Unavailable

R = TypeVar("R")
Key = tuple[str, ...]


class SingleFlight(Generic[R]):
    """The logins being begun now, by what makes another attempt the same login. It may outlive a configuration."""

    def __init__(self) -> None:
        """Begin with none."""
        self._in_flight: dict[Key, asyncio.Future[R]] = {}

    async def begin(self, attempt: Attempt, work: Callable[[Attempt], Awaitable[R]]) -> R:
        """Return what `work` replies to this attempt, or to the same one already in flight.

        Raises what `work` raises; those that joined it get Unavailable.
        """
        key = _key(attempt)
        if key in self._in_flight:
            return await asyncio.shield(self._in_flight[key])
        reply: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._in_flight[key] = reply
        try:
            replied = await work(attempt)
        except BaseException as error:
            reply.set_exception(error if isinstance(error, Unavailable) else Unavailable("see the record before"))
            reply.exception()  # marked as retrieved: maybe no other request waits for it
            raise
        finally:
            del self._in_flight[key]
        reply.set_result(replied)
        return replied


def _key(attempt: Attempt) -> Key:
    """Return what two attempts have in common that are one login begun twice. The password isn't kept, a digest is."""
    given = [each.text for each in (attempt.answer, attempt.appended_code) if each is not None]
    octets = [text.reveal() for text in given if text is not None]
    readable = len(octets) == len(given)
    digests = [hashlib.sha256(each).hexdigest() for each in octets] if readable else [str(id(attempt))]
    # The user's address too: from elsewhere another chain may be asked.
    return (attempt.event, attempt.client, attempt.name, str(attempt.user_address), *digests)
