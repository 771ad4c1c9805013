"""Locks users out after failures in a row (`core/row.py`): each guess is counted in the store before it is compared."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from aad.core.answer import Answer
from aad.core.identity import User
from aad.core.outcome import Reason
from aad.core.row import Kind, Row, Rules, digest, kind_of, marked, row_name, split_row_name
from aad.core.secret import Secret
from aad.ports import ROW, Change, MisbehavedError, Store, Tally, Unavailable

UNKNOWN = "lockout"  # the counters of names that no repository has: they end by themselves
ENDED = 60.0  # seconds for which it is known that a row was ended: far longer than any request takes
OWED = 10_000  # users, at most, of whom something could not be written


@dataclass
class CountedGuess:
    """One more guess in a row, as the store is to count it.

    `row`: the row with this guess in it; None: refused, or not counted yet. The store may call `in_row` several
    times, if another request changes the row meanwhile; the last call counts.
    `guessed`: what the user gave, if it can be read; `again`: it is the same wrong password as before; `by`: the method
    that compares it, empty: the user's repository.
    """

    now: Callable[[], float]
    rules: Rules
    key: Secret
    guessed: Secret | None
    by: str = ""
    name: str = ""
    before: Row = field(init=False)
    row: Row | None = None
    again: bool = False

    def in_row(self, name: str, kept: bytes | None) -> Change | None:
        """Return the change that counts the guess in the row by this name (ports.RowRule); None: nothing changes."""
        self.name, now = name, self.now()
        self.before = Row.decoded(self.kind, kept).at(now)
        self.again = bool(self.before.digests) and self.before.knows(self.digest(self.before.since))
        self.row = None if self.again else self.before.counted(now, self.rules)
        return None if self.row is None else Change(*self.row.kept())

    def digest(self, since: float) -> str:
        """Return the digest that is kept of a wrong password, in a row that began at `since`; empty: it is none."""
        if self.kind is not Kind.PASSWORDS or self.guessed is None:
            return ""
        return digest(self.key, self.name, since, self.guessed, self.by)

    @property
    def kind(self) -> Kind:
        """The kind of the row it counts in."""
        return kind_of(self.name)

    @property
    def refused(self) -> Reason | None:
        """Why the guess must not be compared; None: it may be."""
        if self.again:
            return Reason.WRONG_PASSWORD_AGAIN
        return self.kind.reason if self.row is None else None

    @property
    def failures(self) -> int:
        """How many wrong guesses the row has with this one."""
        return self.row.count if self.row else 0

    @property
    def locks(self) -> bool:
        """Whether this guess, if it is wrong, locks the user."""
        return self.row is not None and bool(self.row.locked(self.now(), self.rules))


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How a user stands in one row. `until`: when the lock ends; `math.inf`: not by itself; 0: there is no lock.

    `repository` is empty for a name that none of them has. Times are those of the store.
    """

    kind: Kind
    repository: str
    key: str
    count: int
    since: float
    until: float


class Lockout:
    """The rows of all users. `key`: the installation's. All that awaits raises Unavailable if the store is down."""

    def __init__(self, store: Store, rules: Rules, key: Secret) -> None:
        """Count in `store`, by the `rules` of [lockout]."""
        self._store = store
        self._rules = rules
        self._key = key
        self._owed: dict[str, list[Callable[[bytes | None], Change | None]]] = {}
        self._paying = asyncio.Lock()

    def guess(self, answer: Answer) -> CountedGuess:
        """Return the rule by which the store counts a guess: see `Count.in_row`."""
        return CountedGuess(self._store.now, self._rules, self._key, answer.text)

    async def count(self, name: str, answer: Answer, by: str = "") -> CountedGuess:
        """Count a guess in the row by this name. `by`: the method that will compare it; empty: the repository."""
        await self._pay(name)
        count = self.guess(answer)
        count.by = by
        await self._store.update_expiring(ROW, name, partial(count.in_row, name))
        return count

    async def take_back(self, count: CountedGuess) -> None:
        """Take a guess back that was right, or could not be compared; if not now, then before the next one counts.

        Else an outage of the store, during which a client tries again and again, would lock out an innocent user.
        """
        expected = count.row.encoded() if count.row else None
        await self._write(count.name, lambda kept: self._taken_back(count, kept), expected)

    async def wrong(self, count: CountedGuess) -> None:
        """Keep a digest of a wrong password that is counted already, so that the same once more costs no bind."""
        counted = count.row
        if counted is None or not (known := count.digest(counted.since)):
            return

        def with_digest(kept: bytes | None) -> Change | None:
            row = Row.decoded(count.kind, kept)
            if row.since != counted.since:
                return None
            return self._taken_back(count, kept) if row.knows(known) else Change(*row.with_digest(known).kept())

        await self._store.update_expiring(ROW, count.name, with_digest)

    async def row(self, kind: Kind, user: User) -> Row:
        """Return a user's row as it is now."""
        name = row_name(kind, user.repository, user.key)
        await self._pay(name)
        return Row.decoded(kind, await self._store.get_expiring(ROW, name)).at(self._store.now())

    def locked(self, row: Row) -> bool:
        """Say whether a row refuses everything."""
        return bool(row.locked(self._store.now(), self._rules))

    async def end(self, user: User) -> None:
        """End all rows of a user who has logged in with a right code; if the store is down, later.

        The code is used up, so its success must count. For `ENDED` seconds it is known when that was: a request that
        began before goes no further.
        """
        now = self._store.now()
        ended: dict[str, Change | None] = {row_name(kind, user.repository, user.key): None for kind in Kind}
        codes = row_name(Kind.CODES, user.repository, user.key)
        ended[codes] = Change(Row(kind=Kind.CODES, since=now).encoded(), now + ENDED)
        for name in ended:
            self._owed.pop(name, None)
        try:
            await self._store.put_expiring(ROW, ended)
        except MisbehavedError:  # not down for a while: no user is let in by what went wrong
            raise
        except Unavailable:
            for name, change in ended.items():
                self._owe(name, _always(change or Change(None, 0.0)))

    def mark(self, names: Sequence[str], password: Secret) -> str:
        """Return a digest of names and a password, in hex; without the key it says nothing about them."""
        return marked(self._key, names, password)

    async def count_unknown(self, key: str) -> int:
        """Count a failure of a name that no user has, and return how many there were; 0: too many of late."""
        until = self._store.now() + self._rules.period
        tally = Tally(kind=UNKNOWN, scope="", name=key, count=1, until=until)
        return await self._store.increment(tally, self._rules.attempts, extend=True)

    async def standings(self, user: User) -> list[Standing]:
        """Return the rows of one user that have any failures in them."""
        rows = [await self.row(kind, user) for kind in Kind]
        return list(self._stand(user.repository, user.key, rows))

    async def all_standings(self) -> list[Standing]:
        """Return every row that has any failures in it: for a command, as it walks through all."""
        now, found = self._store.now(), list[Standing]()
        for name, kept in sorted((await self._store.all_expiring(ROW)).items()):
            if (owner := split_row_name(name)) is not None:  # else it is no row of ours, and locks no user
                kind, repository, key = owner
                found += self._stand(repository, key, [Row.decoded(kind, kept).at(now)])
        for tally in await self._store.counters(UNKNOWN):
            until = tally.until if tally.count >= self._rules.attempts else 0.0
            since, unknown = tally.until - self._rules.period, partial(Standing, kind=Kind.PASSWORDS, repository="")
            found.append(unknown(key=tally.name, count=tally.count, since=since, until=until))
        return found

    async def unlock(self, repositories: Iterable[str], key: str) -> bool:
        """End all rows of a user of these repositories, and the counter of the name; say whether there was any."""
        users = [User(name=key, repository=repository, handle="") for repository in repositories]
        found = any([await self.standings(user) for user in users])
        await self._store.put_expiring(
            ROW, {row_name(kind, user.repository, user.key): None for user in users for kind in Kind}
        )
        return await self._store.delete_counter(UNKNOWN, "", key) or found

    def _stand(self, repository: str, key: str, rows: Iterable[Row]) -> Iterator[Standing]:
        for row in rows:
            if row.count:
                until = row.locked(self._store.now(), self._rules)
                yield Standing(
                    kind=row.kind, repository=repository, key=key, count=row.count, since=row.since, until=until
                )

    def _taken_back(self, count: CountedGuess, kept: bytes | None) -> Change | None:
        row = Row.decoded(count.kind, kept)
        if count.row is None or (after := row.taken_back(count.before, count.row, self._rules)) is row:
            return None
        return Change(*after.kept())

    async def _write(
        self, name: str, rule: Callable[[bytes | None], Change | None], expected: bytes | None = None
    ) -> None:
        try:
            await self._store.update_expiring(ROW, name, rule, expected)
        except Unavailable:
            self._owe(name, rule)
            raise

    def _owe(self, name: str, rule: Callable[[bytes | None], Change | None]) -> None:
        if len(self._owed) < OWED or name in self._owed:
            self._owed.setdefault(name, []).append(rule)

    async def _pay(self, name: str) -> None:
        """Write first what could not be written before."""
        if name not in self._owed:
            return
        async with self._paying:  # else two guesses at the same moment would pay the same twice
            while owed := self._owed.get(name):
                await self._store.update_expiring(ROW, name, rule := owed[0])
                if rule in owed:  # else `end` has ended the row meanwhile
                    owed.remove(rule)
                if not owed and self._owed.get(name) is owed:
                    del self._owed[name]


def _always(change: Change) -> Callable[[bytes | None], Change | None]:
    return lambda _kept: change


def described(standing: Standing, now: float, wall: float) -> str:
    """Say how a user stands in a row, to an administrator. `now`: the store's clock; `wall`: seconds since 1970."""
    since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(wall - (now - standing.since)))
    failures = f"{standing.count} wrong {standing.kind} in a row since {since}"
    if not standing.until:
        return f"{failures}, not locked"
    if standing.until == math.inf:
        return f"{failures}, locked until the helpdesk or aad unlock ends it"
    until = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(wall + (standing.until - now)))
    return f"{failures}, locked until {until}, for {standing.until - now:.0f} s more"
