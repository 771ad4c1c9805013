"""Notices as they are kept: one value a user, until it is mailed; it decides nothing, and holds no secret.

Who changes what a user is enrolled with writes the notice first and takes it back if nothing came of the change: a
crash in between mails of a change that wasn't, rather than nothing of one that was.
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
MOST = 12  # rows of one user; of further ones only how many
RACES = 20
DAY = 86_400.0


class What(StrEnum):
    """What happened."""

    SET_UP = "set_up"
    REPLACED = "replaced"
    CODES = "codes"
    REMOVED = "removed"
    WRONG_CODES = "wrong_codes"  # a row of them, after a right password


class By(StrEnum):
    """Who did it."""

    USER = "user"  # in the portal
    HELPDESK = "helpdesk"
    ADMINISTRATOR = "administrator"  # by a command
    ANYBODY = "anybody"  # who gave the right password


@dataclass(frozen=True, kw_only=True)
class Row:
    """One thing that happened. `at`: seconds since 1970; `method`, `type`: of aad.toml; `place`: a network address."""

    what: str
    by: str
    at: int
    method: str = ""
    type: str = ""
    place: str = ""
    id: str = ""


@dataclass(frozen=True, kw_only=True)
class Notice:
    """What one user is to be told. `user`: as the repository spells the name; `more`: so many further rows.

    `last`: when the latest happened, in seconds since 1970. `trouble`: why it couldn't be mailed, so far; `told`: of
    how many rows a record says so.
    """

    user: str
    rows: tuple[Row, ...] = ()
    more: int = 0
    last: int = 0
    trouble: str = ""
    told: int = 0

    @property
    def count(self) -> int:
        """How many things there are to tell."""
        return len(self.rows) + self.more

    @property
    def guesses(self) -> bool:
        """Whether it tells of guesses alone, and of no change."""
        return {row.what for row in self.rows} == {What.WRONG_CODES} and not self.more

    def with_(self, row: Row) -> Notice:
        """Return it with one more."""
        longer = replace(self, rows=(*self.rows, row), last=row.at)
        if len(self.rows) < MOST and len(encoded(longer)) <= LARGEST:
            return longer
        return replace(self, more=self.more + 1, last=row.at)

    def without(self, ids: set[str], more: int = 0) -> Notice:
        """Return it without these rows."""
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
    """Writes notices; a daemon mails them (`aad.notices.mailing`). Unavailable: the store is out of order."""

    def __init__(self, store: Store, woken: asyncio.Event | None = None) -> None:
        """Write to `store`, and wake the daemon of this process by `woken`; others look every few seconds."""
        self._store = store
        self._woken = woken

    async def add(self, user: User, what: What, *, by: By, method: str = "", type: str = "", place: str = "") -> str:  # noqa: A002 - as in aad.toml
        """Write that something is about to change for `user`; return what `take_back` knows it by."""
        return await self._add(user, self._row(what, by, method, type, place))

    async def add_daily(self, user: User, what: What, *, by: By = By.ANYBODY, place: str = "") -> None:
        """Write that something happened, unless it was written within a day: forty at once are one."""
        name, day = name_of(user.repository, user.key), f"notice of {what}"
        if await self._store.get_expiring(day, name) is not None:
            return
        await self._add(user, self._row(what, by, "", "", place), alone=True)
        await self._store.compare_and_set_expiring(day, name, None, b"", self._store.now() + DAY)
        self.mail()

    async def take_back(self, user: User, row: str) -> None:
        """Forget what was written: nothing came of it."""
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
        """Let the daemon of this process look now."""
        if self._woken:
            self._woken.set()

    async def undelivered(self, repository: str, key: str) -> Notice | None:
        """Return what could not be mailed to a user; None: nothing."""
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
    """Return what a user's notice is held under."""
    return f"{repository}\0{key}"
