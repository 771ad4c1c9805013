"""sd_notify and sockets handed over, with a made-up systemd; tests/systemd has a real one."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import cast

import pytest

from aad.daemon.systemd import Notifier
from aad.radius.clients import Clients
from aad.radius.front import Front
from aad.radius.protocol.constants import ACCESS_ACCEPT
from aad.radius.server import Server, Setup
from aad.radius.udp import UdpSocket
from tests.parts.child import Child
from tests.parts.daemon import Daemon
from tests.parts.raw import Raw
from tests.parts.waiting import until
from tests.requirements.beside import ask_status

PARTS = """
[repositories.local]
type = "file"
path = "users.toml"
[senders.mail]
host = "localhost"
port = 1
security = "none"
sender_email = "noreply@example.com"
"""


Known = Callable[[dict[str, str]], Notifier]


class Listener:
    """systemd's end of the notify socket."""

    def __init__(self, address: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(address)
        self._socket.settimeout(10)

    def heard(self) -> dict[str, str]:
        """Return the next message, its lines by their names."""
        lines = self._socket.recv(4096).decode().splitlines()
        return dict(line.split("=", 1) for line in lines)

    def silent(self) -> bool:
        """Say whether nothing is there to be heard."""
        try:
            self._socket.settimeout(0)
            self._socket.recv(4096)
        except BlockingIOError:
            return True
        return False

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[Listener]:
    with closing(Listener(str(tmp_path / "notify"))) as made:
        yield made


@pytest.fixture
def known() -> Iterator[Known]:
    """Return a function that makes a service of an environment, for process 7."""
    with ExitStack() as stack:
        yield lambda environment: stack.enter_context(closing(Notifier(environment, 7)))


def variables(tmp_path: Path, **more: str) -> dict[str, str]:
    return {"NOTIFY_SOCKET": str(tmp_path / "notify"), "KEPT": "as it is", **more}


def test_it_says_what_happens_and_takes_the_variables_away(tmp_path: Path, listener: Listener, known: Known) -> None:
    environment = variables(tmp_path, WATCHDOG_USEC="3000000", LISTEN_FDS="0", LISTEN_PID="7", WATCHDOG_PID="7")
    service = known(environment)
    assert environment == {"KEPT": "as it is"}
    assert service.patience == 3.0
    service.ready("all is well")
    assert listener.heard() == {"READY": "1", "STATUS": "all is well"}
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    service.reloading()
    heard = listener.heard()
    assert heard["RELOADING"] == "1"
    assert before <= int(heard["MONOTONIC_USEC"]) <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000


def test_an_abstract_address(known: Known) -> None:
    name = f"aad-test-{os.getpid()}"
    with closing(Listener(f"\0{name}")) as listener:
        known({"NOTIFY_SOCKET": f"@{name}"}).ready("here")
        assert listener.heard()["READY"] == "1"


def test_no_socket_to_notify_is_no_error(tmp_path: Path, known: Known) -> None:
    known({}).ready("to nobody")
    known(variables(tmp_path)).ready("to a socket that is not there")


def test_another_process_s_watchdog_and_sockets_are_not_ours(known: Known) -> None:
    service = known({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "8", "LISTEN_PID": "8", "LISTEN_FDS": "1"})
    assert service.patience == 0
    assert service.sockets("radius") == []


async def test_the_watchdog_hears_of_it_as_long_as_nothing_ails(
    tmp_path: Path, listener: Listener, known: Known
) -> None:
    service, ailments = known(variables(tmp_path, WATCHDOG_USEC="40000")), iter(["", "", "a socket is not read"])
    watching = asyncio.ensure_future(service.watch(lambda: next(ailments, "still")))
    heard = [await asyncio.to_thread(listener.heard) for _ in range(4)]
    watching.cancel()
    assert heard == [{"WATCHDOG": "1"}] * 2 + [{"STATUS": "a socket is not read"}, {"STATUS": "still"}]


async def test_while_it_serves(tmp_path: Path, listener: Listener, known: Known) -> None:
    async def status() -> str:
        return "all is well"

    async with known(variables(tmp_path, WATCHDOG_USEC="40000")).serving(status, str):
        heard = [await asyncio.to_thread(listener.heard) for _ in range(2)]
    assert heard == [{"READY": "1", "STATUS": "all is well"}, {"WATCHDOG": "1"}]
    while (last := listener.heard()) == {"WATCHDOG": "1"}:
        pass
    assert last["STOPPING"] == "1"


async def test_without_a_watchdog_nothing_is_sent(tmp_path: Path, listener: Listener, known: Known) -> None:
    await asyncio.wait_for(known(variables(tmp_path)).watch(str), 1)
    assert listener.silent()


def test_a_socket_is_neglected_when_a_datagram_waits_over_two_looks() -> None:
    udp = UdpSocket.opened("127.0.0.1", 0, dual=False)
    host, port = udp.name.split(":")
    with Raw(host, int(port)) as client:
        assert [udp.neglected(), udp.neglected()] == [False, False]
        client.send(b"one")
        assert [udp.neglected(), udp.neglected(), udp.neglected()] == [False, True, True]
        assert udp.receive()
        client.send(b"two")
        assert not udp.neglected()
        assert udp.receive()
        client.send(b"three")  # one waits again, but the socket was read in between
        assert not udp.neglected()
    udp.close()
    assert udp.neglected()


async def test_the_server_ails_when_its_sockets_are_read_no_longer() -> None:
    setup = Setup(clients=Clients([]), front=cast("Front", None), reject_delay=0, at_work=1)  # it never comes to that
    discarded = asyncio.Event()

    def record(name: str, /, **fields: object) -> None:
        discarded.set()

    server = Server(setup, record, lambda: 0.0)
    udp = UdpSocket.opened("127.0.0.1", 0, dual=False)
    server.listen([udp])
    with Raw("127.0.0.1", int(udp.name.split(":")[1])) as client:
        client.send(b"one")
        assert server.ailing() == ""  # it waits, but not for long
        await asyncio.wait_for(discarded.wait(), 5)
        assert server.ailing() == ""
        asyncio.get_running_loop().remove_reader(udp.fileno())
        client.send(b"two")
        await asyncio.sleep(0)
        assert [server.ailing(), server.ailing()] == ["", f"socket {udp.name} isn't read"]
    await server.drain(0)


@pytest.fixture
def daemon(tmp_path: Path) -> Daemon:
    """Return one that isn't started: systemd-socket-activate does that."""
    made = Daemon(tmp_path / "aad", PARTS)
    (made.folder / "users.toml").touch(mode=0o600)
    return made


def activated(daemon: Daemon, *options: str) -> Child:
    command = ["systemd-socket-activate", *options, sys.executable, "-m", "aad", "serve", "-c", str(daemon.file)]
    return Child(command, daemon.folder / "log")


@pytest.mark.parametrize("name", ["radius", "other"])
def test_it_serves_the_sockets_it_is_handed(daemon: Daemon, name: str) -> None:
    address = f"{daemon.host}:{daemon.port}"
    daemon.configure(PARTS.replace("[repositories", '[radius]\nlisten = ["127.0.0.1:1"]\n[repositories'))
    text = (
        daemon.file.read_text().replace(f'[radius]\nlisten = ["{address}"]', "", 1).replace('reject_delay = "50ms"', "")
    )
    daemon.file.write_text(text)
    with activated(daemon, "-d", "-l", address, f"--fdname={name}") as child:
        until(lambda: "Listening" in child.output())
        with Raw(daemon.host, daemon.port, timeout=10) as client:
            assert ask_status(client).code == ACCESS_ACCEPT  # the very datagram that started it
        assert f"aad 0.1.0 listens on {address} (handed over by systemd)" in child.output()
        assert "radius.listen is not used" in child.output()


def test_a_tcp_socket_is_refused(daemon: Daemon) -> None:
    with activated(daemon, "-l", f"{daemon.host}:{daemon.port}", "--fdname=radius") as child:
        until(lambda: "Listening" in child.output())
        with socket.create_connection((daemon.host, daemon.port)):
            until(lambda: not child.alive)
        assert child.returncode == os.EX_CONFIG
        assert "aad: systemd hands over descriptor 3, which is no UDP socket" in child.output()
        assert "Traceback" not in child.output()
