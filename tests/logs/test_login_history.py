"""A user's last logins are remembered, bounded, and strangers leave nothing."""

from __future__ import annotations

import pytest

from aad.core.outcome import Reason
from aad.logs import login_history
from aad.logs.login_history import LoginHistory, last_logins
from tests.parts.fakes import MemoryStore


class Written:
    def __init__(self) -> None:
        self.names: list[str] = []

    def __call__(self, name: str, /, **_: object) -> None:
        self.names.append(name)


def ended(tap: LoginHistory, user: str, reason: str = "", **more: str) -> None:
    name = "login.rejected" if reason else "login.accepted"
    fields = {"client": "gateway", "login_event": "vpn", "login": "ABCDEF"} | more
    tap(name, user=user, reason=reason, **fields)


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def tap(monkeypatch: pytest.MonkeyPatch) -> LoginHistory:
    monkeypatch.setattr(login_history, "EVERY", 0.0)
    return LoginHistory(Written(), most=3, lasts=60.0)


async def test_how_logins_ended_is_remembered_the_latest_first(tap: LoginHistory, store: MemoryStore) -> None:
    async with tap.kept_in(store):
        ended(tap, "Alice", Reason.WRONG_PASSWORD)
        ended(tap, "alice")
        tap("login.unavailable", user="alice", client="gateway", login_event="vpn", reason="no route")
        tap("mail.sent", user="alice")
    found = await last_logins(store, "alice")
    assert [(each.outcome, each.reason) for each in found] == [
        ("unavailable", "no route"),
        ("accepted", ""),
        ("rejected", "wrong password"),
    ]
    assert (found[1].client, found[1].event, found[1].reference) == ("gateway", "vpn", "ABCDEF")
    assert found[0].at > 1_700_000_000


async def test_what_is_remembered_is_bounded(tap: LoginHistory, store: MemoryStore) -> None:
    for number in range(3):
        async with tap.kept_in(store):
            ended(tap, "alice", "x" * 5000 + str(number))
            ended(tap, "alice", "y" * 5000, client="c" * 500)
    found = await last_logins(store, "alice")
    assert len(found) == 3
    assert {len(each.reason) for each in found} == {100}
    store.time += 61
    assert await last_logins(store, "alice") == []


async def test_what_is_too_old_is_forgotten_when_something_new_happens(
    tap: LoginHistory, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.time", lambda: 1000.0)
    async with tap.kept_in(store):
        ended(tap, "alice", "old")
    monkeypatch.setattr("time.time", lambda: 1061.0)
    async with tap.kept_in(store):
        ended(tap, "alice", "new")
    assert [each.reason for each in await last_logins(store, "alice")] == ["new"]


async def test_what_does_not_fit_the_store_is_left_out(store: MemoryStore) -> None:
    tap = LoginHistory(Written(), most=50, lasts=60.0)
    async with tap.kept_in(store):
        for _ in range(50):
            ended(tap, "alice", "\N{EURO SIGN}" * 100, client="\N{EURO SIGN}" * 64)
    assert 20 < len(await last_logins(store, "alice")) < 50


async def test_strangers_leave_nothing(tap: LoginHistory, store: MemoryStore) -> None:
    async with tap.kept_in(store):
        ended(tap, "mallory", Reason.UNKNOWN_USER)
        ended(tap, "mallory", Reason.LOCKED)
        ended(tap, "mallory", Reason.STATE_UNKNOWN)
        ended(tap, "alice", login_event="test of email_otp")
    assert store.passing == {}


async def test_a_lockout_of_somebody_who_failed_before_is_remembered(tap: LoginHistory, store: MemoryStore) -> None:
    async with tap.kept_in(store):
        ended(tap, "alice", Reason.WRONG_PASSWORD)
    async with tap.kept_in(store):
        ended(tap, "alice", Reason.LOCKED)
    assert [each.reason for each in await last_logins(store, "alice")] == [Reason.LOCKED, Reason.WRONG_PASSWORD]


async def test_every_record_is_passed_on(store: MemoryStore) -> None:
    written = Written()
    tap = LoginHistory(written, most=3, lasts=60.0)
    async with tap.kept_in(store):
        for name in ("login.started", "login.accepted", "fault"):
            tap(name, user="alice")
    assert written.names == ["login.started", "login.accepted", "fault"]


async def test_nodes_that_write_of_one_user_at_once_lose_nothing(store: MemoryStore) -> None:
    first, second = (LoginHistory(Written(), most=9, lasts=60.0) for _ in range(2))
    async with first.kept_in(store), second.kept_in(store):
        for _ in range(3):
            ended(first, "alice")
            ended(second, "alice")
    assert len(await last_logins(store, "alice")) == 6


async def test_a_password_that_could_not_be_read_says_nothing_of_a_user(tap: LoginHistory, store: MemoryStore) -> None:
    """No one has looked whether there is such a user."""
    async with tap.kept_in(store):
        ended(tap, "anyone", f"{Reason.UNREADABLE}: what came isn't UTF-8")
        ended(tap, "alice", f"{Reason.NO_CHAIN}: only from 10.0.0.0/8")
    assert not await last_logins(store, "anyone")
    assert len(await last_logins(store, "alice")) == 1


@pytest.mark.parametrize(
    "kept",
    [
        b"{}",
        b"null",
        b"7",
        b"\xff",
        b"[" * 100_000,
        b'[["now", "gateway", "vpn", "accepted", "", ""]]',
        b'[[1e99, "gateway", "vpn", "accepted", "", ""]]',
        b'[[99999999999999999999, "gateway", "vpn", "accepted", "", ""]]',
        b'[[-1, "gateway", "vpn", "accepted", "", ""]]',
        b'[[true, "gateway", "vpn", "accepted", "", ""]]',
        b'[[1, "gateway", "vpn", "promoted", "", ""]]',
        b'[[1, "gateway", "vpn", ["accepted"], "", ""]]',
        b'[[1, "gateway", "vpn", "accepted", {}, ""]]',
        b'[[1, "gateway", "vpn", "accepted", "\\ud800", ""]]',
        b'[[1, "gateway"]]',
    ],
)
async def test_what_others_wrote_there_is_no_history(tap: LoginHistory, store: MemoryStore, kept: bytes) -> None:
    store.passing["history", "alice"] = (kept, 1e12)
    assert await last_logins(store, "alice") == []
    async with tap.kept_in(store):
        ended(tap, "alice")
    assert [each.outcome for each in await last_logins(store, "alice")] == ["accepted"]
