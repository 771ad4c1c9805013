"""One connection to one LDAP server, and what is asked over it; used by one task at a time."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace

from aad.repositories import ldap_ber
from aad.repositories.ldap_answers import Answer, Entry, Odd, read
from aad.repositories.ldap_dial import Broken, Dial, Peer, compiled, read_anything, words
from aad.repositories.ldap_reasons import PASSWORD_POLICY, SUCCESS, Result
from aad.repositories.ldap_wire import Wire

_ANYTHING = ldap_ber.Search("", compiled("(objectClass=*)"), ("1.1",), 0, only_base=True)


class Line:
    """A connection. Every method may raise Broken: then it is of no use any more."""

    def __init__(self, peer: Peer, address: str, seconds: float) -> None:
        """Prepare a connection to one `address` of the peer, which gets `seconds` to take it."""
        self._dial = Dial(peer, address, seconds)
        self._wire: Wire | None = None
        self._number = 0  # of the request, as its answers repeat it
        self._found: list[Entry] = []
        self._said = Answer(0, "")

    async def open(self) -> None:
        """Connect, and begin TLS if it is wanted."""
        self._wire = Wire(await self._dial.sock(), self._heard)

    async def bind(self, dn: str, password: bytes) -> Result:
        """Bind, and ask what the password policy says. `password`: octets, as ldap3 rewrites text (SASLprep)."""
        if not dn or not password:  # RFC 4513 5.1.2: it would succeed, as anonymous
            message = "a bind without name or password"
            raise ValueError(message)
        result, _ = await self._ask("bindResponse", lambda n: ldap_ber.bind(n, dn, password, [PASSWORD_POLICY]))
        return result

    async def search(self, wanted: ldap_ber.Search, until: float) -> tuple[Result, list[Entry]]:
        """Return the entries; referrals are left out. The server is told to end at `until`."""
        seconds = max(1, math.ceil(until - time.monotonic()))
        return await self._ask("searchResDone", lambda number: ldap_ber.search(number, wanted, seconds))

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

    async def _ask(self, kind: str, request: Callable[[int], bytes]) -> tuple[Result, list[Entry]]:
        """Return the result, which has to be of the `kind` that belongs to the request, and the entries before it."""
        if not self._wire:
            message = "closed"
            raise Broken(message)
        self._number += 1
        self._found = []
        try:
            await self._wire.ask(request(self._number))
        except Broken:
            raise
        except Exception as error:
            raise Broken(words(error)) from error
        if self._said.kind != kind or not self._said.result:
            message = f"a {self._said.kind} instead of a {kind}"
            raise Broken(message)
        return self._said.result, self._found

    def _heard(self, message: bytes) -> bool:
        """Take one message; say whether it is the last that answers the request."""
        try:
            answer = read(message)
        except Odd:
            answer = read_anything(message)
        if answer.number != self._number:  # 0: it says that it closes (RFC 4511 4.4.1)
            words = "an answer to another question" if answer.number else "closed the connection"
            raise Broken(words)
        if answer.entry:
            self._found.append(answer.entry)
        self._said = answer
        return answer.result is not None
