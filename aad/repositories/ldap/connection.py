"""One connection to one LDAP server, and what is asked over it; used by one task at a time."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace

from aad.repositories.ldap import encode
from aad.repositories.ldap.connect import BrokenConnectionError, Dial, Peer, words
from aad.repositories.ldap.decode import BOUND, DONE, Entry, Question, UnreadableAnswerError
from aad.repositories.ldap.filter import compiled
from aad.repositories.ldap.result_codes import PASSWORD_POLICY, SUCCESS, Result
from aad.repositories.ldap.transport import Transport, Turns

_ANYTHING = encode.Search("", compiled("(objectClass=*)"), ("1.1",), 1, only_base=True)


class Connection:
    """A connection. Every method may raise Broken or UnreadableAnswerError: then it is of no use any more."""

    def __init__(self, peer: Peer, address: str, seconds: float, turns: Turns) -> None:
        """Prepare a connection to one `address` of the peer, which gets `seconds` to take it."""
        self._dial = Dial(peer, address, seconds)
        self._turns = turns
        self._wire: Transport | None = None
        self._number = 0  # of the request, as its answers repeat it

    async def open(self) -> None:
        """Connect, and begin TLS if it is wanted."""
        self._wire = Transport(await self._dial.sock(), self._turns)

    async def bind(self, dn: str, password: bytes) -> Result:
        """Bind, and ask what the password policy says. `password`: octet for octet."""
        if not dn or not password:  # RFC 4513 5.1.2: it would succeed, as anonymous
            message = "a bind without name or password"
            raise ValueError(message)
        result, _ = await self._ask(BOUND, lambda number: encode.bind(number, dn, password, [PASSWORD_POLICY]))
        return result

    async def search(self, wanted: encode.Search, until: float) -> tuple[Result, list[Entry]]:
        """Return the entries; referrals are left out. The server is told to end at `until`."""
        seconds = max(1, math.ceil(until - time.monotonic()))
        return await self._ask(DONE, lambda number: encode.search(number, wanted, seconds), wanted.most)

    async def base_found(self, base: str, until: float) -> Result:
        """Look whether there is an entry at `base`."""
        result, found = await self.search(replace(_ANYTHING, base=base), until)
        if result.code == SUCCESS and not found:
            return Result(-1, "nothing that may be read")
        return result

    def close(self) -> None:
        """Close the connection at once."""
        if self._wire:
            self._wire.end(ConnectionAbortedError("given up"))
        else:
            self._dial.give_up()

    async def _ask(self, kind: int, request: Callable[[int], bytes], most: int = 0) -> tuple[Result, list[Entry]]:
        """Return the result, of the `kind` that belongs to the request, and the entries before it, `most` at most."""
        if not self._wire:
            message = "closed"
            raise BrokenConnectionError(message)
        self._number += 1
        question = Question(self._number, kind, most)
        try:
            await self._wire.ask(request(self._number), question)
        except (BrokenConnectionError, UnreadableAnswerError):
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the connection has ended by it
            raise BrokenConnectionError(words(error)) from None  # not from it: what has come hangs on its traceback
        if question.result is None:
            message = "no result"
            raise BrokenConnectionError(message)
        return question.result, question.entries
