"""Requirement 39: what the daemon's user prepares in its own folders, root's commands neither follow nor wait for."""

from __future__ import annotations

import ctypes
import os
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.parts.opened import Opened
from tests.parts.rooted import USER, Rooted, snapshot

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="it is about what root does")

MARK = "root's alone"
LINE = f'{{"time": 1.5, "priority": 5, "event": "fault", "message": "{MARK}", "user": "alice"}}\n'
COMMANDS: dict[str, tuple[str, ...]] = {
    "locked": ("locked",),
    "unlock": ("unlock", "alice"),
    "totp list": ("totp", "list"),
    "totp enroll": ("totp", "enroll", "alice", "--no-confirm", "--force"),
    "totp remove": ("totp", "remove", "bob"),
    "totp import": ("totp", "import", "{etc}/seeds.csv", "--force"),
    "recovery list": ("recovery", "list"),
    "recovery make": ("recovery", "make", "alice"),
    "explain": ("explain", "alice", "--event", "vpn"),
    "check": ("check", "--online"),
    "serve": ("serve",),
    "log": ("log",),
}
"""All that open the store, the key or the log's file. (The daemon's port is taken, so `serve` ends there.)"""
ENDS = {0, 1, 69}
"""It works, or says why it doesn't: nothing was found, or the store can't be used."""
RENAME_EXCHANGE = 2


class Besieged(Rooted):
    """The daemon's user puts into its folders what it likes, and `treasure` is root's."""

    def start(self) -> None:
        """Make a store with a user in it, and what is root's."""
        self._port = socket.socket(type=socket.SOCK_DGRAM)
        self._port.bind(("127.0.0.1", self.port))
        assert self.quick("totp", "enroll", "bob", "--no-confirm").returncode == 0
        self.kept = Path(shutil.copytree(self.state, self.folder / "kept"))
        self.treasure = self.folder / "treasure"
        self.treasure.mkdir(mode=0o700)
        for name, octets in {
            "shadow": f"root:{MARK}:20000:0:99999:7:::\n".encode() * 200,
            "other.db": (self.state / "state.db").read_bytes(),
            "key": MARK.encode().ljust(32, b"."),
            "root.log": LINE.encode(),
            "empty": b"",
        }.items():
            self.put(self.treasure / name, octets, 0)

    def stop(self) -> None:
        """Remove it all."""
        self._port.close()
        super().stop()

    def put(self, file: Path, octets: bytes, owner: int = USER) -> None:
        file.write_bytes(octets)
        os.chown(file, owner, owner)
        file.chmod(0o600)

    def renew(self, *, state: Path | None = None) -> None:
        """Let the state be as it was before any command and any attack."""
        for each in (state or self.state, self.log):
            if each.is_symlink():
                each.unlink()
            elif each.exists():
                shutil.rmtree(each)
            self.given(each)
        self.put(self.log / "aad.log", b"")
        for file in self.kept.iterdir():
            self.put((state or self.state) / file.name, file.read_bytes())

    def link(self, name: Path, target: str) -> None:
        """Put a symbolic link of the daemon's user in the place of what has the name."""
        if name.is_dir():
            shutil.rmtree(name)
        name.unlink(missing_ok=True)
        name.symlink_to(self.treasure / target)
        os.chown(name, USER, USER, follow_symlinks=False)

    def hard(self, name: Path, target: str) -> None:
        """Give a file of root's another name, as any user may where fs.protected_hardlinks is 0."""
        name.unlink(missing_ok=True)
        name.hardlink_to(self.treasure / target)

    def pipe(self, name: Path) -> None:
        name.unlink(missing_ok=True)
        os.mkfifo(name, 0o600)
        os.chown(name, USER, USER)

    def things(self) -> dict[Path, int]:
        """Return what is in the folders of the daemon's user, and whose it is."""
        treasure = {each.lstat().st_ino for each in self.treasure.iterdir()}
        while True:
            with suppress(FileNotFoundError):  # what changes places is looked at again
                seen = {each: each.lstat() for top in (self.lib, self.logs) for each in top.rglob("*")}
                # The walk itself may go through a link that has just taken a folder's place.
                return {each: status.st_uid for each, status in seen.items() if status.st_ino not in treasure}

    def wrong(self, name: str) -> Iterator[str]:
        """Run a command, and say what of root's it touched, and what it made that isn't the daemon's user's."""
        before, planted = snapshot(self.treasure), self.things()
        with Opened([self.treasure, *self.treasure.iterdir()]) as opened:
            done = self.quick(*(word.format(etc=self.etc) for word in COMMANDS[name]))
            yield from (f"{name}: opened {place}" for place in opened.found())
        if snapshot(self.treasure) != before:
            yield f"{name}: changed what is root's"
        made = self.things()
        yield from (f"{name}: made {each}, of {made[each]}" for each in made.keys() - planted if made[each] != USER)
        yield from (f"{name}: gave {each} away" for each in made.keys() & planted if made[each] != planted[each])
        said = done.stdout + done.stderr
        if MARK in said or "Traceback" in said or done.returncode not in ENDS:
            yield f"{name}: ended with {done.returncode}: {said}"
        if done.returncode and "aad: " not in done.stderr and "FAILED, " not in done.stdout:
            yield f"{name}: says nothing: {said}"

    def withstands(self, attack: Callable[[], None], *commands: str, state: Path | None = None) -> None:
        """Run commands, each after the attack has been prepared anew: what is root's stays as it was, and unread."""
        found: list[str] = []
        for name in commands or COMMANDS:
            self.renew(state=state)
            attack()
            found += self.wrong(name)
        assert found == []


@pytest.fixture(scope="module")
def house() -> Iterator[Besieged]:
    with Besieged() as made:
        yield made


@pytest.fixture(autouse=True)
def as_ever(house: Besieged) -> Iterator[None]:
    yield
    house.configure()
    house.renew()


FILES: dict[str, Callable[[Besieged], None]] = {
    "nothing": lambda _: None,
    "state.db is a link to a text": lambda house: house.link(house.state / "state.db", "shadow"),
    "state.db is a link to a database": lambda house: house.link(house.state / "state.db", "other.db"),
    "state.db is a link to an empty file": lambda house: house.link(house.state / "state.db", "empty"),
    "state.db is a link to nothing": lambda house: house.link(house.state / "state.db", "new"),
    "state.db is a hard link": lambda house: house.hard(house.state / "state.db", "other.db"),
    "state.db is a pipe": lambda house: house.pipe(house.state / "state.db"),
    "state.db-wal is a link": lambda house: house.link(house.state / "state.db-wal", "empty"),
    "state.db-wal is a link to nothing": lambda house: house.link(house.state / "state.db-wal", "new"),
    "state.db-shm is a link": lambda house: house.link(house.state / "state.db-shm", "empty"),
    "state.db-shm is a hard link": lambda house: house.hard(house.state / "state.db-shm", "empty"),
    "state.db-journal is a link": lambda house: house.link(house.state / "state.db-journal", "shadow"),
    "state.db-journal is a pipe": lambda house: house.pipe(house.state / "state.db-journal"),
    "the key is a link": lambda house: house.link(house.state / "installation.key", "key"),
    "the key is a link to nothing": lambda house: house.link(house.state / "installation.key", "new"),
    "the key is a hard link": lambda house: house.hard(house.state / "installation.key", "key"),
    "the key is a pipe": lambda house: house.pipe(house.state / "installation.key"),
}
LOGS: dict[str, Callable[[Besieged], None]] = {
    "there is no log": lambda house: (house.log / "aad.log").unlink(),
    "the log's file is a link": lambda house: house.link(house.log / "aad.log", "root.log"),
    "the log's file is a link to nothing": lambda house: house.link(house.log / "aad.log", "new"),
    "the log's file is a hard link": lambda house: house.hard(house.log / "aad.log", "root.log"),
    "the log's file is a pipe": lambda house: house.pipe(house.log / "aad.log"),
    "a log of before is a link": lambda house: house.link(house.log / "aad.log.1", "root.log"),
}


@pytest.mark.parametrize("attack", FILES)
def test_39_no_file_in_the_state_leads_root(house: Besieged, attack: str) -> None:
    house.withstands(lambda: FILES[attack](house))


@pytest.mark.parametrize("attack", LOGS)
def test_39_no_file_beside_the_log_leads_root(house: Besieged, attack: str) -> None:
    house.withstands(lambda: LOGS[attack](house), "log", "totp enroll", "totp remove", "recovery make", "serve")


@pytest.mark.parametrize("attack", LOGS)
def test_39_nor_where_the_state_is_root_s_and_the_log_is_not(house: Besieged, attack: str) -> None:
    """Root stays root then, and writes to a folder of another user."""
    assert with_a_state_of_roots(house, lambda: LOGS[attack](house)) == []


def with_a_state_of_roots(house: Besieged, attack: Callable[[], None]) -> list[str]:
    """Run commands that write to the log as root, and return what was wrong beside the state."""
    found: list[str] = []
    for name in ("log", "totp enroll", "recovery make", "serve"):
        house.renew()
        for each in (house.state, *house.state.iterdir()):
            os.chown(each, 0, 0)
        attack()
        found += [each for each in house.wrong(name) if str(house.state) not in each]
    return found


def test_39_the_folder_of_the_log_is_not_followed_elsewhere(house: Besieged) -> None:
    house.withstands(lambda: house.link(house.log, ""), "log", "totp enroll", "serve")
    house.log.unlink()
    os.chown(house.logs, USER, USER)
    try:
        house.withstands(lambda: house.link(house.log, ""), "log", "totp enroll", "serve")
        assert with_a_state_of_roots(house, lambda: house.link(house.log, "")) == []
    finally:
        os.chown(house.logs, 0, 0)


@pytest.mark.parametrize("mode", [0o770, 0o777, 0o1777], ids=oct)
@pytest.mark.parametrize("name", ["state.db", "installation.key"])
def test_39_a_folder_of_root_that_others_may_write_to_is_not_used(house: Besieged, mode: int, name: str) -> None:
    def attack() -> None:
        house.link(house.state / name, "other.db" if name == "state.db" else "key")
        os.chown(house.state, 0, USER)
        house.state.chmod(mode)

    house.withstands(attack)
    done = house.quick("locked")
    assert done.returncode == 69
    assert "is root's, and others may write to it: give it to the user that aad runs as" in done.stderr


def test_39_a_folder_that_its_owner_shares_is_used_as_its_owner(house: Besieged) -> None:
    def attack() -> None:
        house.link(house.state / "state.db-wal", "new")
        house.state.chmod(0o777)

    house.withstands(attack)


@pytest.fixture
def own(house: Besieged) -> Iterator[Path]:
    """Return a folder in which the state lies, both the daemon's user's: it may put another in its place."""
    above = house.given(house.lib / "own", 0o755)
    house.configure(state=above / "aad")
    yield above
    shutil.rmtree(above)


def test_39_the_folder_itself_may_not_lead_elsewhere(house: Besieged, own: Path) -> None:
    house.withstands(lambda: house.link(own / "aad", ""), state=own / "aad")
    done = house.quick("locked")
    assert done.returncode == 69
    assert f"on the way to it is user {USER}'s, who could lead root elsewhere" in done.stderr


def test_39_a_folder_of_root_that_was_moved_into_place_is_not_used(house: Besieged, own: Path) -> None:
    """A folder that root made in a folder of the daemon's user can be moved by that user."""

    def attack() -> None:
        shutil.rmtree(own / "aad")
        (own / "aad").mkdir(mode=0o755)

    house.withstands(attack, state=own / "aad")


def test_39_a_way_through_links_is_judged_link_by_link(house: Besieged, own: Path) -> None:
    (house.folder / "home").mkdir(exist_ok=True)
    other = house.folder / "home" / "bob"
    other.mkdir()
    os.chown(other, USER + 1, USER + 1)

    def attack() -> None:
        shutil.rmtree(own / "aad")
        (own / "aad").symlink_to(own / ".." / "own" / "." / "on")
        (own / "on").unlink(missing_ok=True)
        (own / "on").symlink_to("../../home/bob")
        for each in ("aad", "on"):
            os.chown(own / each, USER, USER, follow_symlinks=False)

    house.withstands(attack, state=own / "aad")
    assert not list(other.iterdir()), "nor is somebody else's folder written to"


def test_39_links_in_a_circle_end(house: Besieged, own: Path) -> None:
    def attack() -> None:
        shutil.rmtree(own / "aad")
        (own / "aad").symlink_to("aad")

    house.withstands(attack, "locked", "totp enroll", "serve", state=own / "aad")


@contextmanager
def exchanging(one: Path, other: Path) -> Iterator[None]:
    """Let two names change places all the time."""
    libc, ended = ctypes.CDLL(None), threading.Event()
    names = [os.fsencode(each) for each in (one, other)]

    def exchange() -> None:
        while not ended.wait(0.0005):
            assert libc.renameat2(-100, names[0], -100, names[1], RENAME_EXCHANGE) == 0

    thread = threading.Thread(target=exchange)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@pytest.mark.parametrize("target", ["", "other.db", "key"])
def test_39_what_changes_places_meanwhile_leads_root_nowhere(house: Besieged, own: Path, target: str) -> None:
    house.renew(state=own / "aad")
    one = own / {"": "aad", "other.db": "aad/state.db", "key": "aad/installation.key"}[target]
    other = own / "other"
    house.link(other, target)
    with exchanging(one, other):
        found = [each for _ in range(2) for name in COMMANDS if name != "log" for each in house.wrong(name)]
    assert [each for each in found if "gave" not in each] == []  # whose each name is changes by itself


def test_39_without_a_folder_nothing_is_made(house: Besieged, own: Path) -> None:
    house.withstands(lambda: shutil.rmtree(own / "aad"), state=own / "aad")
    assert not (own / "aad").exists()
    assert "make it, owned by the user that aad runs as" in house.quick("locked").stderr
