"""Who begins a login again while it is at work gets the same reply: one bind, one mail."""

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
    """The logins that are begun now, by what would make another one the same. It may outlive a configuration."""

    def __init__(self) -> None:
        """Begin with none."""
        self._at_work: dict[Key, asyncio.Future[R]] = {}

    async def begin(self, attempt: Attempt, work: Callable[[Attempt], Awaitable[R]]) -> R:
        """Return what `work` replies to this attempt, or to the same one at work. Unavailable: nobody could tell."""
        key = _key(attempt)
        if key in self._at_work:
            return await asyncio.shield(self._at_work[key])
        same: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._at_work[key] = same
        try:
            reply = await work(attempt)
        except BaseException as error:
            same.set_exception(error if isinstance(error, Unavailable) else Unavailable("see the record before"))
            same.exception()  # maybe nobody else waits for it
            raise
        finally:
            del self._at_work[key]
        same.set_result(reply)
        return reply


def _key(attempt: Attempt) -> Key:
    """Return what two attempts have in common that are one login begun twice. The password isn't kept, a digest is."""
    given = [each.text for each in (attempt.answer, attempt.appended_code) if each is not None]
    octets = [text.reveal() for text in given if text is not None]
    alike = len(octets) == len(given)
    digests = [hashlib.sha256(each).hexdigest() for each in octets] if alike else [str(id(attempt))]
    # The place too: from elsewhere another chain may be asked.
    return (attempt.event, attempt.client, attempt.name, str(attempt.user_address), *digests)
