"""One connection to one LDAP server: bind and search, one request at a time."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace

from aad.repositories.ldap import encode
from aad.repositories.ldap.connect import BrokenConnectionError, Opening, Target, described
from aad.repositories.ldap.decode import BOUND, DONE, Entry, Question, UnreadableAnswerError
from aad.repositories.ldap.filter import compiled
from aad.repositories.ldap.result_codes import PASSWORD_POLICY, SUCCESS, Result
from aad.repositories.ldap.transport import Transport, Turns

_ANYTHING = encode.Search("", compiled("(objectClass=*)"), ("1.1",), 1, only_base=True)


class Connection:
    """A connection, used by one task at a time.

    Every request may raise BrokenConnectionError or UnreadableAnswerError: then the connection is of no use any more.
    """

    def __init__(self, target: Target, address: str, seconds: float, turns: Turns) -> None:
        """Prepare a connection to one IP `address` of the target, which gets `seconds` to take it."""
        self._opening = Opening(target, address, seconds)
        self._turns = turns
        self._transport: Transport | None = None
        self._number = 0  # of the request, as its answers repeat it

    async def open(self) -> None:
        """Connect, and begin TLS if it is wanted. BrokenConnectionError."""
        self._transport = Transport(await self._opening.open(), self._turns)

    async def bind(self, dn: str, password: bytes) -> Result:
        """Bind, and ask what the password policy says. `password`: octet for octet. ValueError: one is empty."""
        if not dn or not password:  # RFC 4513 5.1.2: it would succeed, as anonymous
            message = "a bind without name or password"
            raise ValueError(message)
        result, _ = await self._ask(BOUND, lambda number: encode.bind(number, dn, password, [PASSWORD_POLICY]))
        return result

    async def search(self, wanted: encode.Search, until: float) -> tuple[Result, list[Entry]]:
        """Return the result and the entries, without referrals. The server is told to end at `until` (monotonic)."""
        seconds = max(1, math.ceil(until - time.monotonic()))
        return await self._ask(DONE, lambda number: encode.search(number, wanted, seconds), wanted.most)

    async def base_found(self, base: str, until: float) -> Result:
        """Look whether there is an entry at `base` that may be read; if not, the code isn't `SUCCESS`."""
        result, found = await self.search(replace(_ANYTHING, base=base), until)
        if result.code == SUCCESS and not found:
            return Result(-1, "nothing that may be read")
        return result

    def close(self) -> None:
        """Close the connection at once; a request in progress ends with BrokenConnectionError."""
        if self._transport:
            self._transport.end(ConnectionAbortedError("given up"))
        else:
            self._opening.abort()

    async def _ask(self, kind: int, request: Callable[[int], bytes], most: int = 0) -> tuple[Result, list[Entry]]:
        """Return the result, of the `kind` that belongs to the request, and the entries before it, `most` at most."""
        if not self._transport:
            message = "closed"
            raise BrokenConnectionError(message)
        self._number += 1
        question = Question(self._number, kind, most)
        try:
            await self._transport.ask(request(self._number), question)
        except (BrokenConnectionError, UnreadableAnswerError):
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the connection has ended by it
            # not from it: what has come hangs on its traceback
            raise BrokenConnectionError(described(error)) from None
        if question.result is None:
            message = "no result"
            raise BrokenConnectionError(message)
        return question.result, question.entries
