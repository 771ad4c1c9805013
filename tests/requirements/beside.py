"""Around the daemon: crooked servers in a thread beside the test, what the daemon holds, and short ways to ask it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Generic, TypeVar

from aad.radius.protocol import client_packets
from aad.radius.protocol.constants import ACCESS_CHALLENGE
from aad.radius.protocol.wire import Attribute
from aad.radius.worker_relay import turn
from tests.parts.daemon import Daemon
from tests.parts.part import Part
from tests.parts.raw import Raw, Request, status_server
from tests.parts.waiting import PATIENCE, NotInTimeError, until

S = TypeVar("S", bound=AbstractAsyncContextManager[Any])
CROWD = 12  # more than there are connections


class Beside(Part, Generic[S]):
    """Runs a server of asyncio in a thread, from start to stop; it can be started again."""

    def __init__(self, server: S) -> None:
        self.server = server
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Wait until it listens; it may run already."""
        if self._thread is not None:
            return
        ready, self._ended = threading.Event(), asyncio.Event()
        self._thread = threading.Thread(target=asyncio.run, args=(self._serve(ready),), daemon=True)
        self._thread.start()
        if not ready.wait(PATIENCE):
            what = "the server beside"
            raise NotInTimeError(what, PATIENCE)

    def stop(self) -> None:
        """Close its port and every connection."""
        if self._thread is not None:
            self.call(self._ended.set)
            self._thread.join(10)
            self._thread = None

    def call(self, function: Callable[[], None]) -> None:
        """Call a function where the server runs."""
        self._loop.call_soon_threadsafe(function)

    async def _serve(self, ready: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        async with self.server:
            ready.set()
            await self._ended.wait()


def threads(daemon: Daemon) -> int:
    """Count its threads, without uvloop's four that wait for work from the first time on that it needs one."""
    count = 0
    for each in (task for pid in daemon.pids for task in Path(f"/proc/{pid}/task").iterdir()):
        with suppress(OSError):  # it ended meanwhile
            count += (each / "comm").read_text().strip() != "libuv-worker"
    return count


def descriptors(daemon: Daemon) -> int:
    return sum(len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in daemon.pids)


def ask_status(client: Raw, *attributes: Attribute) -> client_packets.Reply:
    octets, check = status_server(*attributes)
    client.send(octets)
    return check(client.receive())


def kinds(reply: client_packets.Reply) -> list[int]:
    return [kind for kind, _ in reply.attributes]


def only(records: list[dict[str, Any]]) -> Mapping[str, Any]:
    (record,) = records
    return record


def once(daemon: Daemon, name: str, times: int = 1) -> None:
    """Hold that each process that met something told it so many times, and that one did."""
    assert times <= len(daemon.records(name)) <= times * daemon.workers


def again(client: Raw, request: Request) -> bytes:
    client.send(request.octets)
    return client.receive()


def logged_in(client: Raw, number: int) -> int:
    return client.ask(f"user{number:02}", f"pw-{number:02}").code


def recorded(daemon: Daemon, least: int, *names: str) -> bool:
    return len(daemon.records(*names)) >= least


def challenged(daemon: Daemon, name: str = "alice", typed: str = "correct horse") -> bool:
    """Begin a login, and say whether it goes on; an impatient client for `until`."""
    request = Request(name, typed)
    with Raw(daemon.host, daemon.port, timeout=0.3) as client, suppress(TimeoutError):
        return request.reply(again(client, request)).code == ACCESS_CHALLENGE
    return False


def all_challenge(daemon: Daemon) -> bool:
    """Begin a login at each process, and say whether all go on."""
    users = {}
    for number in range(CROWD):
        name, typed = f"user{number:02}", f"pw-{number:02}"
        users[turn(Request(name, typed).octets, daemon.host, daemon.workers)] = (name, typed)
    return all(challenged(daemon, *user) for user in users.values())


@contextmanager
def a_crowd(daemon: Daemon) -> Iterator[list[tuple[Raw, Request]]]:
    """Let many users begin a login at once, and wait until all are at work."""
    with ExitStack() as stack:
        crowd = []
        for number in range(CROWD):
            client = stack.enter_context(Raw(daemon.host, daemon.port))
            crowd.append((client, Request(f"user{number:02}", f"pw-{number:02}")))
        before = len(daemon.records("login.started"))
        for client, request in crowd:
            client.send(request.octets)
        until(lambda: len(daemon.records("login.started")) >= before + CROWD)
        yield crowd
