"""The store's methods as commands and scripts of the server; nearly each call is one round trip.

Keys, after the prefix:

    login:TICKET      hash      holder, login, expires, proven, row         | gone a minute after its end
    holder:HOLDER     list      the tickets of a holder, the latest first   | with the last of them
    waiting           sorted    tickets by their end                        | with the last of them
    counter:KIND NAME hash      scope -> "count until"                      | with the last of them
    held:KIND         hash      name -> value                               | stays
    passing:KIND NAME string    the value                                   | gone at its end
    clock             number    see `clock.py`                              | stays

(A zero octet between KIND and NAME.)
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

from aad.ports import Kept, RowRule, Rule, Taken, Tally, Unavailable
from aad.stores.valkey import scripts
from aad.stores.valkey.clock import Clock, boottime
from aad.stores.valkey.connection import Connection
from aad.stores.valkey.reconnect import ReconnectingConnection, run_on
from aad.stores.valkey.reply import Answer, listed, maybe, octets, several
from aad.stores.valkey.settings import ValkeySettings
from aad.storing import GRACE, ROW, Change

EVERY = 10.0  # seconds from one reading of the server's clock to the next; that finds a dead connection, too
MOST_KEYS = 1_000_000  # in the database; beyond, new names are refused, and known ones go on
RECENT = 1.0  # seconds for which the number of waiting logins isn't asked for again
RACES = 200  # attempts at a value that other nodes change at the same moment, before it is given up
SCANNED = 250  # keys looked at in one step of a walk
HELD = 50  # ... where their values come too
WALKED = 32 * 1024 * 1024  # octets of names that a walk finds; each of them, and each step, counts for SURPLUS more
SURPLUS = 64
_FOUND = several(octets, listed(octets))


class Commands:
    """The state on the shared server. Every method: Unavailable: the server is down, or refuses.

    `on_tick` is called every `EVERY` seconds, connected or not.
    """

    def __init__(self, settings: ValkeySettings) -> None:
        """Open no connection yet."""
        self.clock = Clock()
        self._prefix, self._timeout = settings.prefix.encode(), settings.timeout
        self.connection = ReconnectingConnection(settings.route(), settings.timeout, self._key("probed"), self._opened)
        self.on_tick: Callable[[], None] = lambda: None
        self._waiting, self._counted = 0, 0.0
        self._ticking: asyncio.Task[None] | None = None

    async def open(self, *, patient: bool) -> None:
        """Connect. Unavailable, unless `patient`: then connecting is tried again in a task."""
        await self.connection.open(patient=patient)
        self._ticking = asyncio.create_task(self._tick(), name="store: clock")

    async def close(self) -> None:
        """End the tasks and the connection."""
        if self._ticking is not None:
            self._ticking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._ticking
        await self.connection.close()

    async def put_login(self, kept: Kept, most: int) -> bool:
        """Keep a waiting login, at most `most` of one holder; see `Store.put_login`."""
        holder, proven = _octets(kept.holder), b"%d" % kept.proven
        keys = (self._key("login", kept.ticket), self._key("holder", holder), self._key("waiting"))
        limits = (proven, _octets(kept.row), b"%d" % most, self._key("login", b""))
        values = (kept.ticket, holder, kept.login, _number(kept.expires), _number(GRACE), *limits)
        waiting = await self._run(scripts.PUT_LOGIN, keys, *values)
        if waiting >= 0:
            self._note_waiting(waiting)
        return bool(waiting >= 0)

    async def take_login(self, ticket: bytes, count: RowRule | None = None) -> Taken | None:
        """Return the login and forget it; write to its row, if that is still what `count` was called with."""
        keys = (self._key("login", ticket), self._key("waiting"))
        known = (ticket, self._key("holder", b""), _number(GRACE), self._key("passing", _octets(f"{ROW}\0")))
        row: tuple[bytes, ...] = (b"0", b"", b"0", b"", b"0")
        for _ in range(RACES):
            if count is not None:
                peeked = await self._run(scripts.PEEK_LOGIN, keys, *known)
                if peeked is None:
                    return None
                if peeked[1]:
                    if (change := count(_text(peeked[1]), peeked[2])) is None:
                        return Taken(peeked[0], refused=True)
                    expected = (b"1", b"") if peeked[2] is None else (b"2", peeked[2])
                    row = (*expected, *self._changed(change))
            found = await self._run(scripts.TAKE_LOGIN, keys, *known, *row)
            if found is None:
                return None
            if found[1] >= 0:
                self._note_waiting(found[1])
                return Taken(found[0])
        raise _too_many()

    async def logins_of(self, holder: str) -> list[tuple[bytes, bytes]]:
        """Return tickets and logins that are kept for `holder`, unless expired."""
        found = await self._run(scripts.LOGINS_OF, (self._key("holder", _octets(holder)),), self._key("login", b""))
        return [(ticket, login) for ticket, login in found]

    async def count_logins(self) -> int:
        """Return the number of waiting logins; those of other nodes in the last second may be missing."""
        if boottime() >= self._counted + RECENT:
            self._note_waiting(await self._run(scripts.COUNT_LOGINS, (self._key("waiting"),)))
        return self._waiting

    async def increment(self, tally: Tally, limit: int, *, extend: bool, step: int = 1) -> int:
        """Count `step` more, unless at the `limit`; return the new count, or 0."""
        values = [str(limit), repr(tally.until), str(int(extend)), str(step), str(MOST_KEYS)]
        count: int = await self._run(
            scripts.INCREMENT,
            (self._counter(tally.kind, tally.name),),
            _octets(tally.scope),
            *(v.encode() for v in values),
        )
        if count < 0:
            message = f"{MOST_KEYS} keys are in the database, so new names are refused"
            raise Unavailable(message, where="store")
        return count

    async def decrement(self, kind: str, scope: str, name: str) -> None:
        """Count one less; a counter of none is removed."""
        await self._run(scripts.DECREMENT, (self._counter(kind, name),), _octets(scope))

    async def delete_counter(self, kind: str, scope: str, name: str) -> bool:
        """Remove a counter, or with an empty `scope` those of every scope; return whether any still counted."""
        return bool(await self._run(scripts.DELETE_COUNTER, (self._counter(kind, name),), _octets(scope)))

    async def counters(self, kind: str) -> list[Tally]:
        """Return the counters of a kind that still count: a walk through all keys, for a command."""
        beginning, found = self._counter(kind, ""), list[Tally]()
        async for keys in self._keys(beginning):
            held = await asyncio.gather(*(self.connection.ask(listed(octets), b"HGETALL", key) for key in keys))
            for key, pairs in zip(keys, held, strict=True):
                found += self._read(kind, key.removeprefix(beginning), pairs)
        return sorted(set(found), key=lambda tally: (tally.name, tally.scope))

    def _keys(self, beginning: bytes) -> AsyncIterator[list[bytes]]:
        """Yield all keys that begin so, some at a time."""
        pattern = re.sub(rb"([\[\]*?\\^])", rb"\\\1", beginning) + b"*"
        return self._walk((b"SCAN",), (b"MATCH", pattern, b"COUNT", b"%d" % SCANNED))

    async def _walk(
        self, scan: tuple[bytes, ...], how: tuple[bytes, ...], *, pairs: bool = False
    ) -> AsyncIterator[list[bytes]]:
        """Yield the names that a SCAN finds, step by step; some of them twice. Unavailable: over `WALKED` octets."""
        cursor, left = b"0", WALKED
        while left > 0:
            cursor, found = await self.connection.ask(_FOUND, *scan, cursor, *how)
            names = found[::2] if pairs else found
            yield names
            if cursor == b"0":
                return
            left -= SURPLUS * (1 + len(names)) + sum(map(len, names))
        message = "it names more keys than can be walked through"
        raise Unavailable(message, where="store")

    async def get(self, kind: str, name: str) -> bytes | None:
        """Return a value that is held for good."""
        key = self._key("held", _octets(kind))
        found: bytes | None = await self.connection.ask(maybe(octets), b"HGET", key, _octets(name))
        return found

    async def compare_and_set(self, kind: str, name: str, old: bytes | None, new: bytes | None) -> bool:
        """Hold `new` where `old` is held; return whether it was."""
        values = [part for each in (old, new) for part in ((b"0", b"") if each is None else (b"1", each))]
        late, keys = self.clock.late(self._timeout), (self._key("held", _octets(kind)),)
        return bool(await self.connection.run(scripts.COMPARE_AND_SET, keys, late, _octets(name), *values))

    async def names(self, kind: str) -> list[str]:
        """Return the names, in order."""
        found, scan = set[bytes](), (b"HSCAN", self._key("held", _octets(kind)))
        async for names in self._walk(scan, (b"COUNT", b"%d" % HELD), pairs=True):
            found.update(names)
        return sorted(map(_text, found))

    async def get_expiring(self, kind: str, name: str) -> bytes | None:
        """Return a value that hasn't ended."""
        found: bytes | None = await self.connection.ask(maybe(octets), b"GET", self._passing(kind, name))
        return found

    async def compare_and_set_expiring(
        self, kind: str, name: str, old: bytes | None, new: bytes | None, until: float
    ) -> bool:
        """Hold `new`, until then, where `old` is held; return whether it was."""
        return (await self._exchanged(kind, name, old, Change(new, until)))[0]

    async def update_expiring(self, kind: str, name: str, rule: Rule, expected: bytes | None = None) -> None:
        """Change a value as `rule` says, if it is still what `rule` was called with; else call it again."""
        held = expected
        for number in range(RACES):
            change = rule(held)
            if change is None:
                found = held if number else await self.get_expiring(kind, name)
                if found == held:
                    return
                held = found
                continue
            done, held = await self._exchanged(kind, name, held, change)
            if done:
                return
        raise _too_many()

    async def _exchanged(self, kind: str, name: str, old: bytes | None, change: Change) -> tuple[bool, bytes | None]:
        """Exchange a value; return whether it was done, and what is held where it wasn't."""
        values = (b"0", b"") if old is None else (b"1", old)
        late, keys = self.clock.late(self._timeout), (self._passing(kind, name),)
        done, held = await self.connection.run(
            scripts.COMPARE_AND_SET_EXPIRING, keys, late, *values, *self._changed(change)
        )
        return bool(done), held

    async def put_expiring(self, kind: str, changes: Mapping[str, Change | None]) -> None:
        """Hold these values, by name, whatever is held."""
        keys = tuple(self._passing(kind, name) for name in changes)
        values = (self._changed(change or Change(None, 0.0))[1:] for change in changes.values())
        late = self.clock.late(self._timeout)
        await self.connection.run(scripts.PUT_EXPIRING, keys, late, *(part for each in values for part in each))

    async def all_expiring(self, kind: str) -> dict[str, bytes]:
        """Return the values of a kind: a walk through all keys, for a command."""
        beginning, found = self._passing(kind, ""), dict[str, bytes]()
        async for keys in self._keys(beginning):
            held = await asyncio.gather(*(self.connection.ask(maybe(octets), b"GET", key) for key in keys))
            found |= {_text(key.removeprefix(beginning)): value for key, value in zip(keys, held, strict=True) if value}
        return found

    async def probe(self) -> str:
        """Write, so that a full server is seen; return its version, and settings that lose lockouts or enrolments."""
        await self.connection.ask(octets, b"SET", self._key("probed"), _number(self.clock.now()), b"EX", b"60")
        about = dict(re.findall(r"^(\w+):(.*?)\r?$", _text(await self.connection.ask(octets, b"INFO")), re.MULTILINE))
        self._counted = 0.0
        version = about.get("valkey_version") or about.get("redis_version")
        found = f"version {version}, {await self.count_logins()} logins wait"
        if about.get("maxmemory", "0") != "0" and about.get("maxmemory_policy") != "noeviction":
            found += f"; maxmemory-policy should be noeviction, is {about['maxmemory_policy']}: it loses lockouts"
        if about.get("aof_enabled") == "0":
            found += "; appendonly should be yes: a restart of the server loses enrolments"
        return found

    async def _opened(self, connection: Connection) -> None:
        """Learn the time before anybody uses the connection."""
        await self._time(lambda: run_on(connection, scripts.CLOCK, (self._key("clock"),), self.clock.floor()))
        self._counted = 0.0

    async def _time(self, ask: Callable[[], Awaitable[Answer]]) -> None:
        asked = boottime()
        server, shift = await ask()
        self.clock.heard(asked, boottime(), server, shift)

    async def _tick(self) -> None:
        """Read the server's clock, and call `on_tick`, as long as the store is open."""
        while True:
            await asyncio.sleep(EVERY)
            self.on_tick()
            with contextlib.suppress(Unavailable):  # the next call of the store raises it
                await self._time(lambda: self.connection.run(scripts.CLOCK, (self._key("clock"),), self.clock.floor()))

    def _run(self, script: str, keys: tuple[bytes, ...], *values: bytes) -> Awaitable[Answer]:
        return self.connection.run(script, keys, self.clock.late(self._timeout), _number(self.clock.now()), *values)

    def _note_waiting(self, waiting: int) -> None:
        self._waiting, self._counted = waiting, boottime()

    def _read(self, kind: str, name: bytes, pairs: list[bytes]) -> list[Tally]:
        read, now = [], self.clock.now()
        try:
            for scope, held in zip(pairs[::2], pairs[1::2], strict=True):
                count, _, until = held.partition(b" ")
                if int(count) and float(until) > now:
                    read.append(
                        Tally(kind=kind, scope=_text(scope), name=_text(name), count=int(count), until=float(until))
                    )
        except ValueError:
            message = "a counter that can't be read"
            raise Unavailable(message, where="store") from None
        return read

    def _changed(self, change: Change) -> tuple[bytes, bytes, bytes]:
        """Return the arguments of a script for a new value: whether there is one, it, and for how many milliseconds."""
        if change.value is None:
            return b"0", b"", b"0"
        if change.until == math.inf:
            return b"1", change.value, b"-1"
        return b"1", change.value, b"%d" % max(0, math.ceil((change.until - self.clock.now()) * 1000))

    def _passing(self, kind: str, name: str) -> bytes:
        return self._key("passing", _octets(f"{kind}\0{name}"))

    def _counter(self, kind: str, name: str) -> bytes:
        return self._key("counter", _octets(f"{kind}\0{name}"))

    def _key(self, what: str, name: bytes | None = None) -> bytes:
        return self._prefix + what.encode() + (b"" if name is None else b":" + name)


def _too_many() -> Unavailable:
    return Unavailable("too many others change the same value", where="store")


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _text(octets: bytes) -> str:
    return octets.decode("utf-8", "surrogateescape")


def _number(value: float) -> bytes:
    return repr(value).encode()
