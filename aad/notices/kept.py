"""Notices in the store: one value a user, until it is mailed; nothing is decided by it, and it holds no secret.

A change of an enrolment writes the notice first and takes it back if the change failed: after a crash in between, the
user is told of a change that didn't happen, rather than not told of one that did.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from dataclasses import asdict, dataclass, replace
from enum import StrEnum

from aad.core import macros
from aad.core.identity import User
from aad.ports import Store, Unavailable
from aad.storing import LARGEST

KIND = "notice"
MOST = 12  # rows of one user; further ones are only counted
RACES = 20  # tries to change a notice that others change at the same moment
DAY = 86_400.0


class What(StrEnum):
    """The events that users are told of."""

    SET_UP = "set_up"
    REPLACED = "replaced"
    CODES = "codes"
    REMOVED = "removed"
    WRONG_CODES = "wrong_codes"  # a row of them, after a right password


class By(StrEnum):
    """The one who caused an event, as far as it is known."""

    USER = "user"  # in the portal
    HELPDESK = "helpdesk"
    ADMINISTRATOR = "administrator"  # by a command
    ANYBODY = "anybody"  # with the right password


@dataclass(frozen=True, kw_only=True)
class Row:
    """One event. `at`: seconds since 1970; `method`, `type`: of aad.toml; `place`: a network address."""

    what: str
    by: str
    at: int
    method: str = ""
    type: str = ""
    place: str = ""
    id: str = ""


@dataclass(frozen=True, kw_only=True)
class Notice:
    """The events that one user is to be told of. `user`: the repository's spelling; `more`: so many further rows.

    `last`: when the latest happened, in seconds since 1970. `trouble`: why it couldn't be mailed, so far; `told`: the
    number of rows when the log last said so.
    """

    user: str
    rows: tuple[Row, ...] = ()
    more: int = 0
    last: int = 0
    trouble: str = ""
    told: int = 0

    @property
    def count(self) -> int:
        """The number of events to tell of."""
        return len(self.rows) + self.more

    @property
    def guesses(self) -> bool:
        """Whether it tells of wrong codes alone, and of no change."""
        return {row.what for row in self.rows} == {What.WRONG_CODES} and not self.more

    def with_(self, row: Row) -> Notice:
        """Return it with one row more, or counted in `more` if it is full."""
        longer = replace(self, rows=(*self.rows, row), last=row.at)
        if len(self.rows) < MOST and len(encoded(longer)) <= LARGEST:
            return longer
        return replace(self, more=self.more + 1, last=row.at)

    def without(self, ids: set[str], more: int = 0) -> Notice:
        """Return it without the rows of these ids and `more` of the further ones; its trouble is over."""
        rows = tuple(row for row in self.rows if row.id not in ids)
        return replace(self, rows=rows, more=max(0, self.more - more), trouble="", told=0)


def encoded(notice: Notice) -> bytes:
    """Write a notice as JSON."""
    return json.dumps(asdict(notice), ensure_ascii=False, separators=(",", ":")).encode()


def decoded(kept: bytes | None) -> Notice | None:
    """Read what `encoded` wrote. None: there is nothing, or nothing that this version can read."""
    try:
        data = json.loads(kept or b"")
        notice = Notice(**{**data, "rows": tuple(Row(**each) for each in data["rows"])})
        return notice if encoded(notice) else None
    except (AttributeError, LookupError, RecursionError, TypeError, ValueError):
        return None


class Notices:
    """Writes notices; a daemon mails them (`aad.notices.mailing`). Unavailable: the store is down."""

    def __init__(self, store: Store, woken: asyncio.Event | None = None) -> None:
        """Write to `store`; `woken` wakes the daemon, if it is of this process. Others look every few seconds."""
        self._store = store
        self._woken = woken

    async def add(self, user: User, what: What, *, by: By, method: str = "", type: str = "", place: str = "") -> str:  # noqa: A002 - as in aad.toml
        """Write that something is about to change for `user`; return the row's id, for `take_back`."""
        return await self._add(user, self._row(what, by, method, type, place))

    async def add_daily(self, user: User, what: What, *, by: By = By.ANYBODY, place: str = "") -> None:
        """Write that something happened, once a day at most: of forty at once only one is written."""
        name, day = name_of(user.repository, user.key), f"notice of {what}"
        if await self._store.get_expiring(day, name) is not None:
            return
        await self._add(user, self._row(what, by, "", "", place), alone=True)
        await self._store.compare_and_set_expiring(day, name, None, b"", self._store.now() + DAY)
        self.mail()

    async def take_back(self, user: User, row: str) -> None:
        """Remove the row with the id `row`: the change failed."""
        name = name_of(user.repository, user.key)
        for _ in range(RACES):
            kept = await self._store.get(KIND, name)
            if (before := decoded(kept)) is None:
                return
            after = before.without({row}) if any(each.id == row for each in before.rows) else before
            if after == before or await self._store.compare_and_set(
                KIND, name, kept, encoded(after) if after.count else None
            ):
                return

    def mail(self) -> None:
        """Wake the daemon of this process, if there is one, so that it mails now."""
        if self._woken:
            self._woken.set()

    async def undelivered(self, repository: str, key: str) -> Notice | None:
        """Return the notice that could not be mailed to a user; None: there is none."""
        notice = decoded(await self._store.get(KIND, name_of(repository, key)))
        return notice if notice and notice.trouble else None

    @staticmethod
    def _row(what: What, by: By, method: str, type_: str, place: str) -> Row:
        short = {"method": macros.clean(method), "type": macros.clean(type_), "place": macros.clean(place)}
        return Row(what=what, by=by, at=int(time.time()), id=os.urandom(6).hex(), **short)

    async def _add(self, user: User, row: Row, *, alone: bool = False) -> str:
        name = name_of(user.repository, user.key)
        for _ in range(RACES):
            kept = await self._store.get(KIND, name)
            notice = decoded(kept) or Notice(user=user.name)
            if alone and any(each.what == row.what and each.at > row.at - DAY for each in notice.rows):
                return ""
            if await self._store.compare_and_set(KIND, name, kept, encoded(notice.with_(row))):
                return row.id
        what = f"too many changes of {user.name} at the same moment"
        raise Unavailable(what)


def name_of(repository: str, key: str) -> str:
    """Return the name under which the store holds a user's notice."""
    return f"{repository}\0{key}"
