"""Run a server whose ports are fixed in a network namespace of its own, and reach it through ports of the test's.

`python -m tests.parts.secluded PORT:INNER... -- COMMAND...`; the sockets are bound before the namespace is left. The
server's standard input is a pipe from this process, so that one that cares ends with it.
"""

import asyncio
import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

CLONE_NEWNET = 0x40000000


def secluded(command: Sequence[str | Path], ports: dict[int, int]) -> list[str]:
    """Return the command that runs `command` so, reachable by `ports`: the test's -> the server's, on 127.0.0.1."""
    pairs = [f"{outer}:{inner}" for outer, inner in ports.items()]
    return [sys.executable, "-m", "tests.parts.secluded", *pairs, "--", *(str(word) for word in command)]


def _leave() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "unshare")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while octets := await source.read(65536):
            sink.write(octets)
            await sink.drain()
    sink.close()


async def _relay(sock: socket.socket, inner: int) -> asyncio.Server:
    async def taken(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_connection("127.0.0.1", inner)
        except OSError:
            writer.close()
            return
        await asyncio.gather(_pump(reader, back), _pump(there, writer))

    return await asyncio.start_server(taken, sock=sock)


async def _run(sockets: dict[socket.socket, int], command: Sequence[str]) -> int:
    for sock, inner in sockets.items():
        await _relay(sock, inner)
    server = await asyncio.create_subprocess_exec(*command, stdin=subprocess.PIPE)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, server.terminate)
    return await server.wait()


def main(words: Sequence[str]) -> int:
    """Bind, leave, run."""
    at = words.index("--")
    sockets = {}
    for pair in words[:at]:
        outer, _, inner = pair.partition(":")
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("127.0.0.1", int(outer)))
        sockets[sock] = int(inner)
    _leave()
    return asyncio.run(_run(sockets, words[at + 1 :]))


if __name__ == "__main__":
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    sys.exit(main(sys.argv[1:]))
