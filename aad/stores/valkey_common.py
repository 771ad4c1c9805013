"""Waiting logins, counters and what is held, on a server that several nodes share; each call is one round trip.

Keys, after the prefix:

    login:TICKET      hash      owner, login, expires                       | gone a minute after its end
    owner:OWNER       list      the tickets of an owner, the latest first   | with the last of them
    waiting           sorted    tickets by their end                        | with the last of them
    counter:KIND NAME hash      scope -> "count until"                      | with the last of them
    held:KIND         hash      name -> value                               | stays
    passing:KIND NAME string    the value                                   | gone at its end
    clock             number    see `valkey_clock`                          | stays

(A zero octet between KIND and NAME.)
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import re
from collections.abc import Awaitable, Callable
from typing import Any

from aad.ports import Tally, Unavailable
from aad.stores import valkey_lua as lua
from aad.stores.valkey_clock import Clock, boottime
from aad.stores.valkey_line import Line
from aad.stores.valkey_link import Link, run_on
from aad.stores.valkey_settings import ValkeySettings

GRACE = 60.0  # seconds an expired login is still given out, so that its user is told "expired" and not "unknown"
EVERY = 10.0  # seconds from one look at the server's clock to the next; that finds a dead link, too
MOST_KEYS = 1_000_000  # in the database; then new names are refused, and known ones go on
RECENT = 1.0  # seconds for which the number of waiting logins is good enough
SCANNED = 1000  # keys looked at in one step, by a command that lists counters


class Common:
    """The common state. Unavailable: the server is out of order, or refuses."""

    def __init__(self, settings: ValkeySettings) -> None:
        """Prepare it."""
        self.clock = Clock()
        self._prefix, self._timeout = settings.prefix.encode(), settings.timeout
        self.link = Link(settings.route(), settings.timeout, self._key("probed"), self._opened)
        self.swept: Callable[[], None] = lambda: None
        self._waiting, self._counted = 0, 0.0
        self._ticking: asyncio.Task[None] | None = None

    async def open(self, *, patient: bool) -> None:
        """Connect. Unavailable, unless `patient`: it is tried again then."""
        await self.link.open(patient=patient)
        self._ticking = asyncio.create_task(self._tick(), name="store: clock")

    async def close(self) -> None:
        """End the connection."""
        if self._ticking is not None:
            self._ticking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._ticking
        await self.link.close()

    async def keep(self, ticket: bytes, owner: str, login: bytes, expires: float) -> None:
        """Keep a waiting login."""
        keys = (self._key("login", ticket), self._key("owner", _octets(owner)), self._key("waiting"))
        self._heard(await self._run(lua.KEEP, keys, ticket, _octets(owner), login, _number(expires), _number(GRACE)))

    async def take(self, ticket: bytes) -> bytes | None:
        """Return the login and forget it."""
        keys = (self._key("login", ticket), self._key("waiting"))
        found = await self._run(lua.TAKE, keys, ticket, self._key("owner", b""), _number(GRACE))
        if found is None:
            return None
        self._heard(found[1])
        login: bytes = found[0]
        return login

    async def again(self, owner: str) -> tuple[bytes, bytes] | None:
        """Return ticket and login that were last kept for `owner`, unless expired."""
        found = await self._run(lua.AGAIN, (self._key("owner", _octets(owner)),), self._key("login", b""))
        return (found[0], found[1]) if found else None

    async def waiting(self) -> int:
        """Count the waiting logins; what others did in the last second may be missing."""
        if boottime() >= self._counted + RECENT:
            self._heard(await self._run(lua.WAITING, (self._key("waiting"),)))
        return self._waiting

    async def spend(self, tally: Tally, limit: int, *, extend: bool, step: int = 1) -> int:
        """Count `step` more, unless at the `limit`."""
        values = [str(limit), repr(tally.until), str(int(extend)), str(step), str(MOST_KEYS)]
        count: int = await self._run(
            lua.SPEND, (self._counter(tally.kind, tally.name),), _octets(tally.scope), *(v.encode() for v in values)
        )
        if count < 0:
            message = f"{MOST_KEYS} keys are in the database, so new names are refused"
            raise Unavailable(message, where="store")
        return count

    async def refund(self, kind: str, scope: str, name: str) -> None:
        """Take one back."""
        await self._run(lua.REFUND, (self._counter(kind, name),), _octets(scope))

    async def forget(self, kind: str, scope: str, name: str) -> bool:
        """Remove a counter, or with an empty `scope` those of every scope."""
        return bool(await self._run(lua.FORGET, (self._counter(kind, name),), _octets(scope)))

    async def tallies(self, kind: str) -> list[Tally]:
        """Return the counters of a kind that still count: a walk through all keys, for a command."""
        beginning, found, cursor = self._counter(kind, ""), [], b"0"
        pattern = re.sub(rb"([\[\]*?\\^])", rb"\\\1", beginning) + b"*"
        while True:
            cursor, keys = await self.link.ask(b"SCAN", cursor, b"MATCH", pattern, b"COUNT", b"%d" % SCANNED)
            held = await asyncio.gather(*(self.link.ask(b"HGETALL", key) for key in keys))
            for key, pairs in zip(keys, held, strict=True):
                found += self._read(kind, key.removeprefix(beginning), pairs)
            if cursor == b"0":
                return sorted(set(found), key=lambda tally: (tally.name, tally.scope))

    async def find(self, kind: str, name: str) -> bytes | None:
        """Return what is held."""
        found: bytes | None = await self.link.ask(b"HGET", self._key("held", _octets(kind)), _octets(name))
        return found

    async def swap(self, kind: str, name: str, old: bytes | None, new: bytes | None) -> bool:
        """Hold `new` instead of `old`."""
        values = [part for each in (old, new) for part in ((b"0", b"") if each is None else (b"1", each))]
        late, keys = self.clock.late(self._timeout), (self._key("held", _octets(kind)),)
        return bool(await self.link.run(lua.SWAP, keys, late, _octets(name), *values))

    async def names(self, kind: str) -> list[str]:
        """Return the names, in order."""
        return sorted(_text(name) for name in await self.link.ask(b"HKEYS", self._key("held", _octets(kind))))

    async def recall(self, kind: str, name: str) -> bytes | None:
        """Return a value that hasn't ended."""
        found: bytes | None = await self.link.ask(b"GET", self._key("passing", _octets(f"{kind}\0{name}")))
        return found

    async def exchange(self, kind: str, name: str, old: bytes | None, new: bytes | None, until: float) -> bool:
        """Hold `new`, until then, instead of `old`."""
        values = [part for each in (old, new) for part in ((b"0", b"") if each is None else (b"1", each))]
        late, keys = self.clock.late(self._timeout), (self._key("passing", _octets(f"{kind}\0{name}")),)
        milliseconds = max(0, math.ceil((until - self.clock.now()) * 1000))
        return bool(await self.link.run(lua.EXCHANGE, keys, late, *values, b"%d" % milliseconds))

    async def probe(self) -> str:
        """Write, so that a full server shows; say what it is, and what would lose lockouts or enrolments."""
        await self.link.ask(b"SET", self._key("probed"), _number(self.clock.now()), b"EX", b"60")
        about = dict(re.findall(r"^(\w+):(.*?)\r?$", _text(await self.link.ask(b"INFO")), re.MULTILINE))
        self._counted = 0.0
        version = about.get("valkey_version") or about.get("redis_version")
        said = f"version {version}, {await self.waiting()} logins wait"
        if about.get("maxmemory", "0") != "0" and about.get("maxmemory_policy") != "noeviction":
            said += f"; maxmemory-policy should be noeviction, is {about['maxmemory_policy']}: it loses lockouts"
        if about.get("aof_enabled") == "0":
            said += "; appendonly should be yes: a restart of the server loses enrolments"
        return said

    async def _opened(self, line: Line) -> None:
        """Learn the time before anybody uses the line."""
        await self._time(lambda: run_on(line, lua.CLOCK, (self._key("clock"),), self.clock.floor()))
        self._counted = 0.0

    async def _time(self, ask: Callable[[], Awaitable[Any]]) -> None:
        asked = boottime()
        server, shift = await ask()
        self.clock.heard(asked, boottime(), server, shift)

    async def _tick(self) -> None:
        """Look at the server's clock, and sweep here, as long as the store is open."""
        while True:
            await asyncio.sleep(EVERY)
            self.swept()
            with contextlib.suppress(Unavailable):  # whoever uses the store is told
                await self._time(lambda: self.link.run(lua.CLOCK, (self._key("clock"),), self.clock.floor()))

    def _run(self, script: str, keys: tuple[bytes, ...], *values: bytes) -> Awaitable[Any]:
        return self.link.run(script, keys, self.clock.late(self._timeout), _number(self.clock.now()), *values)

    def _heard(self, waiting: int) -> None:
        self._waiting, self._counted = waiting, boottime()

    def _read(self, kind: str, name: bytes, pairs: list[bytes]) -> list[Tally]:
        read, now = [], self.clock.now()
        for scope, held in zip(pairs[::2], pairs[1::2], strict=True):
            count, _, until = held.partition(b" ")
            if int(count) and float(until) > now:
                read.append(
                    Tally(kind=kind, scope=_text(scope), name=_text(name), count=int(count), until=float(until))
                )
        return read

    def _counter(self, kind: str, name: str) -> bytes:
        return self._key("counter", _octets(f"{kind}\0{name}"))

    def _key(self, what: str, name: bytes | None = None) -> bytes:
        return self._prefix + what.encode() + (b"" if name is None else b":" + name)


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _text(octets: bytes) -> str:
    return octets.decode("utf-8", "surrogateescape")


def _number(value: float) -> bytes:
    return repr(value).encode()
