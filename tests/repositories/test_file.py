"""The users of a file: found, checked, read again."""

from __future__ import annotations

import asyncio
import hashlib
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from aad.core.identity import Bar, User
from aad.core.outcome import Failure, Reason, Success
from aad.core.scrypt import Hash
from aad.core.secret import Secret
from aad.ports import Found, GroupLookup, LooksUpGroups, Pretends, Repository, Unavailable, Wiring
from aad.repositories.file import File, FileSettings
from aad.users_file import file as module
from aad.users_file.parse import Users, read_users
from tests.parts.admission import everybody, nobody

PASSWORD, WRONG = Secret(b"cor\xffrect\0horse"), Secret(b"correct\0horse")
NEVER = float("inf")


def cheap(password: Secret, n: int = 4096) -> str:
    """Hash as cheaply as a users file may: here it matters who is asked, not for how long."""
    return str(Hash(n, 8, 1, bytes(16), hashlib.scrypt(password.reveal(), salt=bytes(16), n=n, r=8, p=1, dklen=32)))


USERS = f"""
[users.Alice]
password = "{cheap(PASSWORD)}"
email = "alice@example.com"
groups = ["vpn", "Staff"]
language = "de"

[users.bob]
password = "{cheap(PASSWORD)}"
email = ["bob@example.com", "b@example.org"]
disabled = true
"""
ALICE = User(
    name="Alice",
    repository="local",
    handle="alice",
    addresses=("alice@example.com",),
    groups=frozenset({"vpn", "Staff"}),
    language="de",
)
BOB = User(
    name="bob",
    repository="local",
    handle="bob",
    addresses=("bob@example.com", "b@example.org"),
    barred=Bar(Reason.ACCOUNT_BARRED, Reason.ACCOUNT_DISABLED),
)


def write(path: Path, text: str) -> None:
    """Put another file in its place, as editors do."""
    new = path.with_name("new")
    new.write_text(text, "utf-8")
    new.chmod(0o600)
    new.replace(path)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(module, "LOOKED_AT", 0.0)
    write(tmp_path / "users.toml", USERS)
    return tmp_path / "users.toml"


def file_at(path: Path) -> File:
    return File(FileSettings(path=path), Wiring(name="local", key=Secret(b"")))


@pytest.fixture
async def file(path: Path) -> AsyncIterator[File]:
    async with file_at(path) as opened:
        yield opened


class Held:
    """Passwords take as long as the test says; counts how many are at work, and which hashes were computed."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.begun = threading.Semaphore(0)
        self.costs: list[tuple[int, int, int]] = []
        self.at_work = self.most = 0
        self._lock = threading.Lock()

    def fits(self, stored: Hash, _password: Secret) -> bool:
        with self._lock:
            self.costs.append((stored.n, stored.r, stored.p))
            self.at_work += 1
            self.most = max(self.most, self.at_work)
        self.begun.release()
        self.go.wait(30)
        with self._lock:
            self.at_work -= 1
        return False


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[Held]:
    held = Held()
    monkeypatch.setattr(Hash, "fits", lambda *asked: held.fits(*asked))  # noqa: PLW0108 - binds the hash
    yield held
    held.go.set()


async def test_it_is_a_repository(file: File) -> None:
    as_port: Repository = file
    assert (await as_port.probe()).endswith("users.toml: 2 users")


@pytest.mark.parametrize("name", ["alice", "Alice", "ALICE", " alice ", "al\xadice", "\uff21lice"])
async def test_a_user_is_found_however_he_spells_his_name(file: File, name: str) -> None:
    assert await file.find(name, None, nobody, NEVER) == Found(ALICE)


async def test_the_password_is_checked_on_the_way_if_it_may_be(file: File) -> None:
    assert await file.find("alice", PASSWORD, everybody, NEVER) == Found(ALICE, Success())
    assert await file.find("alice", WRONG, everybody, NEVER) == Found(ALICE, Failure(Reason.WRONG_PASSWORD))
    assert await file.find("alice", PASSWORD, nobody, NEVER) == Found(ALICE)
    assert await file.find("mallory", PASSWORD, everybody, NEVER) is None


@pytest.mark.parametrize(
    ("octets", "outcome"),
    [
        (b"cor\xffrect\0horse", Success()),
        (b"correct\0horse", Failure(Reason.WRONG_PASSWORD)),
        (b"cor\xffrect\0horse\0", Failure(Reason.WRONG_PASSWORD)),
        (b"cor\xffrect", Failure(Reason.WRONG_PASSWORD)),
        (b"", Failure(Reason.EMPTY_PASSWORD)),
        (b"\0\0\0", Failure(Reason.EMPTY_PASSWORD)),
    ],
)
async def test_passwords_are_compared_octet_for_octet(file: File, octets: bytes, outcome: Success | Failure) -> None:
    assert await file.authenticate(ALICE, Secret(octets), NEVER) == outcome
    assert await file.find("alice", Secret(octets), everybody, NEVER) == Found(ALICE, outcome)


async def test_who_is_disabled_is_told_so_after_the_right_password_only(file: File) -> None:
    assert await file.find("bob", WRONG, everybody, NEVER) == Found(BOB, Failure(Reason.WRONG_PASSWORD))
    assert await file.find("bob", PASSWORD, everybody, NEVER) == Found(BOB, Failure(Reason.ACCOUNT_DISABLED))
    assert await file.authenticate(BOB, PASSWORD, NEVER) == Failure(Reason.ACCOUNT_DISABLED)


async def test_a_disabled_user_is_barred_from_chains_without_a_password(file: File) -> None:
    assert await file.find("bob", None, everybody, NEVER) == Found(BOB)
    assert await file.find("bob", PASSWORD, nobody, NEVER) == Found(BOB)


async def test_an_unknown_user_takes_as_long_as_a_known_one(path: Path, held: Held) -> None:
    held.go.set()
    dear = f'\n[users.carol]\npassword = "{cheap(PASSWORD, 8192)}"\n'
    write(path, USERS + dear)
    async with file_at(path) as file:
        for name in ("carol", "mallory", "mallory", "bob"):
            await file.find(name, PASSWORD, nobody if name == "bob" else everybody, NEVER)
        await file.find("mallory", None, everybody, NEVER)
        await file.find("mallory", Secret(b""), everybody, NEVER)
    assert held.costs == [(8192, 8, 1)] * 4


async def test_so_does_one_whose_password_must_not_be_checked(file: File, held: Held) -> None:
    assert isinstance(file, Pretends)
    checks = [asyncio.create_task(file.authenticate(ALICE, PASSWORD, NEVER)) for _ in range(2)]
    for _ in checks:
        assert await asyncio.to_thread(held.begun.acquire, timeout=30)
    with pytest.raises(Unavailable):
        await file.pretend(ALICE, time.monotonic() + 0.01)
    await file.pretend(BOB, time.monotonic() + 0.01)  # barred: `find` has taken its turn
    waiting = asyncio.create_task(file.pretend(ALICE, NEVER))
    held.go.set()
    await asyncio.gather(waiting, *checks)
    assert len(held.costs) == 2, "nothing is computed"


async def test_so_does_one_who_was_removed_meanwhile(file: File, path: Path, held: Held) -> None:
    held.go.set()
    write(path, USERS.replace("users.Alice", "users.carol"))
    assert await file.authenticate(ALICE, PASSWORD, NEVER) == Failure(Reason.UNKNOWN_USER)
    assert held.costs == [(4096, 8, 1)]


async def test_two_at_once_and_no_more_are_checked(file: File, held: Held) -> None:
    checks = [asyncio.create_task(file.authenticate(ALICE, PASSWORD, NEVER)) for _ in range(6)]
    for _ in range(2):
        assert await asyncio.to_thread(held.begun.acquire, timeout=30)
    with pytest.raises(Unavailable, match="more passwords than 2 threads can check in time") as caught:
        await file.find("alice", PASSWORD, everybody, time.monotonic() + 0.01)
    assert caught.value.where == "", "the caller is late, the repository is well"
    held.go.set()
    assert await asyncio.gather(*checks) == [Failure(Reason.WRONG_PASSWORD)] * 6
    assert held.most == 2
    assert len(held.costs) == 6, "what was given up is not computed afterwards"


async def test_a_deadline_that_has_passed_is_no_wrong_password(file: File) -> None:
    with pytest.raises(Unavailable):
        await file.authenticate(ALICE, PASSWORD, time.monotonic() - 1)


async def test_a_changed_file_is_read(file: File, path: Path) -> None:
    write(path, USERS.replace("users.Alice", "users.carol"))
    assert await file.find("alice", None, nobody, NEVER) is None
    assert await file.find("carol", None, nobody, NEVER) is not None


@pytest.mark.parametrize(
    "text", ["[users.alice", "", "[users.alice]\npassword = 'x'"], ids=["half", "emptied", "wrong"]
)
async def test_a_broken_file_changes_nothing_and_probe_says_it(file: File, path: Path, text: str) -> None:
    write(path, text)
    assert await file.find("alice", PASSWORD, everybody, NEVER) == Found(ALICE, Success())
    with pytest.raises(Unavailable, match=r"users\.toml: .* \(the users read before stay in force\)"):
        await file.probe()
    write(path, USERS.replace("users.Alice", "users.carol"))
    assert (await file.probe()).endswith("2 users")
    assert await file.find("alice", None, nobody, NEVER) is None


async def test_a_file_that_is_gone_for_a_while_changes_nothing(file: File, path: Path) -> None:
    await asyncio.to_thread(path.rename, path.with_name("away"))
    assert await file.find("alice", None, nobody, NEVER) == Found(ALICE)
    with pytest.raises(Unavailable, match="can't be read: No such file or directory"):
        await file.probe()
    await asyncio.to_thread(path.with_name("away").rename, path)
    assert (await file.probe()).endswith("2 users")


@pytest.mark.parametrize("mode", [0o620, 0o602])
async def test_what_others_may_write_is_not_read(file: File, path: Path, mode: int) -> None:
    await asyncio.to_thread(path.chmod, mode)
    with pytest.raises(Unavailable, match=r"others than its owner may write to .*: chmod go-w"):
        await file.probe()
    with pytest.raises(Unavailable, match=r"others than its owner may write to .*: chmod go-w"):
        await file_at(path).__aenter__()
    await asyncio.to_thread(path.chmod, 0o600)
    assert (await file.probe()).endswith("2 users")


async def test_the_file_is_looked_at_once_in_a_while(file: File, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reads = []

    def counted(*asked: Any) -> Users:
        reads.append(asked)
        return read_users(*asked)

    monkeypatch.setattr(module, "read_users", counted)
    monkeypatch.setattr(module, "LOOKED_AT", 3600.0)
    file._file._looked = float("-inf")
    await asyncio.gather(*(file.find("alice", None, nobody, NEVER) for _ in range(20)))
    write(path, USERS.replace("users.Alice", "users.carol"))
    assert await file.find("alice", None, nobody, NEVER) == Found(ALICE)
    assert len(reads) == 1


async def test_a_group_is_there_if_anybody_has_it(file: File) -> None:
    assert isinstance(file, LooksUpGroups)
    for group in ("vpn", "STAFF", " staff "):
        assert await file.look_up_group(group, NEVER) == GroupLookup(found=True)
    for group in ("vpns", "cn=vpn"):
        found = await file.look_up_group(group, NEVER)
        assert found.found is False
        assert found.note.startswith("no user of /")
