"""A Valkey server that lies, before a real one: `python -m tests.parts.lies.valkey PORT SOCKET`.

Lies: when, what is said there instead of the real answer (or behind it), and what the log says of it then.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum, auto

from tests.parts.lies.liar import MEGABYTE, Orders, by_and_by, endless, once, say

PROTOCOL, KIND, UNASKED = "it doesn't speak the protocol", "of another kind", "answered without a question"
ANY = f"{PROTOCOL}|{KIND}|{UNASKED}|no answer within 500ms"


class When(Enum):
    """At once: to whatever is said first. Later: when the connection is in use. Behind: then, after the real answer."""

    AT_ONCE = auto()
    LATER = auto()
    BEHIND = auto()


@dataclass(frozen=True)
class Lie:
    """`told`: a pattern of what the daemon's log says."""

    says: Callable[[], Iterable[bytes]]
    told: str = PROTOCOL
    when: When = When.LATER


def bulk(octets: bytes) -> bytes:
    return b"$%d\r\n%b\r\n" % (len(octets), octets)


MUCH = {
    "announces two thousand million values": once(b"*2147483647\r\n"),
    "announces as many pairs": once(b"%2147483647\r\n"),
    "announces as many in a push": once(b">2147483647\r\n+message\r\n"),
    "says eight million empty values": lambda: [b"*8000000\r\n", *(b"$0\r\n\r\n" * 10_000 for _ in range(800))],
    "says values without end": lambda: [b"*8000\r\n", *endless(bulk(b"x" * 60_000))()],
    "says statuses without end": endless(b"+OK\r\n"),
    "announces two thousand million octets": lambda: [b"$2147483647\r\n", *endless(b"x" * 65536)()],
    "puts lists into lists": endless(b"*1\r\n"),
    "says a line without end": lambda: [b"+", *endless(b"x" * 65536)()],
    "refuses by 10 MiB": once(b"-ERR " + b"x" * 10 * MEGABYTE + b"\r\n"),
    "says a number of a million digits": once(b":" + b"9" * 1_000_000 + b"\r\n"),
    "says a large answer octet by octet": by_and_by(b"*2\r\n" + bulk(b"x" * 100_000) * 2),
}
ODD = {
    "says a number that is none": once(b":one\r\n"),
    "says a value longer than announced": once(b"$1\r\nlonger\r\n"),
    "says NULs": once(bytes(65536)),
    "speaks HTTP": once(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"),
    "says what RESP 3 has": once(b"#t\r\n_\r\n,1.5\r\n(12345\r\n"),
}
WRONG = {
    "says yes to all": once(b"+OK\r\n"),
    "says nothing to all": once(b"$-1\r\n"),
    "says a list of nothing to all": once(b"*2\r\n$-1\r\n$-1\r\n"),
    "says a list of errors to all": once(b"*2\r\n-ERR no\r\n-ERR no\r\n"),
    "says a list in a list to all": once(b"*1\r\n*1\r\n:1\r\n"),
    "says octets to all": once(bulk(b"\xff" * 300)),
}
LIES = {
    **{name: Lie(says, ANY) for name, says in MUCH.items()},
    **{f"{name}, at once": Lie(MUCH[name], ANY, When.AT_ONCE) for name in list(MUCH)[::3]},
    **{name: Lie(says) for name, says in ODD.items()},
    **{name: Lie(says, KIND) for name, says in WRONG.items()},
    "says one to all": Lie(once(b":1\r\n"), f"{KIND}|{UNASKED}"),
    "says a million to all": Lie(once(b":1000000\r\n"), ""),
    "says minus one to all": Lie(once(b":-1\r\n"), ""),
    "says large numbers to all": Lie(once(b":9223372036854775807\r\n"), ""),
    "says that it is late": Lie(once(b"-LATE is it\r\n"), "LATE is it"),
    "refuses in words of ours": Lie(once(b"-ERR 805276 is the code\r\n"), "ERR is the code"),
    "answers twice": Lie(once(b":1\r\n"), f"{KIND}|{UNASKED}", When.BEHIND),
    "pushes": Lie(once(b">3\r\n+message\r\n+all\r\n+hello\r\n"), PROTOCOL, When.BEHIND),
    "pushes without end": Lie(endless(b">1\r\n+hello\r\n"), PROTOCOL, When.BEHIND),
    "goes on for megabytes": Lie(endless(bulk(b"x" * 60_000)), f"{KIND}|{UNASKED}", When.BEHIND),
}


class Server:
    """Its connections."""

    def __init__(self, orders: Orders, real: str) -> None:
        self._orders, self._real = orders, real

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Hand on what is said, until it is time to lie."""
        answers, questions = await asyncio.open_unix_connection(self._real)
        back = asyncio.create_task(_pump(answers, writer))
        used = 0
        try:
            while asked := await reader.read(65536):
                lie = LIES.get(self._orders.name)
                used += asked.count(b"EVALSHA") + asked.count(b"$3\r\nGET")  # the first one asks for the time
                if lie and (used > 1 or lie.when is When.AT_ONCE):
                    if lie.when is not When.BEHIND:
                        await say(writer, lie.says())
                        continue
                    questions.write(asked)
                    await asyncio.sleep(0.02)  # the real answer is on its way
                    await say(writer, lie.says())
                    continue
                questions.write(asked)
                await questions.drain()
        finally:
            back.cancel()
            questions.transport.abort()


async def _pump(answers: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while said := await answers.read(65536):
        writer.write(said)


def main(port: str, real: str) -> None:
    """Serve until there are no orders any more."""
    orders = Orders()
    asyncio.run(orders.obey(Server(orders, real).serve, int(port)))


if __name__ == "__main__":
    main(*sys.argv[1:])
