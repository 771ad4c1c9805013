"""Commands and answers on a connection that is open (RFC 5321 4.2): several commands go in one write (RFC 2920).

aiosmtplib connects, secures the connection and logs in (connect.py). From then on this replaces its protocol, which
takes a lock, a future and a task for each line and can't send several commands at once: with PIPELINING two round trips
a mail instead of four. Measured for the change (2872ceb): 3952 thousand instructions a login before, 3541 after
(callgrind, 200 logins); `tools/bench --against REV --in-flight 16` compares CPU a login with another revision.
"""

from __future__ import annotations

import asyncio
import re
from typing import NamedTuple

_LONGEST = 32768  # octets of all answers to one write, whatever lines they make
_CONTROLS = re.compile(rb"[\0-\x1f\x7f]")
_LINE_ENDS = re.compile(rb"\r\n|\r|\n")
_LINE = re.compile(rb"([2-5][0-9]{2})([ -]?)(.*?)[ \t\r]*\n")  # RFC 5321 4.2.1: 2 to 5 come first


class HungUpError(Exception):
    """The server closed the connection before it answered."""


class NotSmtpError(Exception):
    """What came is no answer of SMTP."""


class Answer(NamedTuple):
    """A reply code and its text, whose lines are separated by LF."""

    code: int
    message: str


class SmtpProtocol(asyncio.Protocol):
    """Asks on a transport that another protocol has opened; used by one task at a time."""

    def __init__(self, transport: asyncio.Transport) -> None:
        """Take the transport over; what comes from now on comes here."""
        self._transport = transport
        self._received = b""
        self._left = 0  # octets that may still come in answer to what was asked
        self._wanted = 0
        self._answers: list[Answer] = []
        self._lines: list[bytes] = []  # of an answer that has more of them, and its code
        self._code = b""
        self._waiting: asyncio.Future[list[Answer]] | None = None
        self._loop = asyncio.get_running_loop()
        transport.set_protocol(self)

    @property
    def open(self) -> bool:
        """Whether the connection is open, as far as is known."""
        return not self._transport.is_closing()

    async def ask(self, *commands: bytes, timeout: float) -> list[Answer]:  # noqa: ASYNC109 - a timer is cheaper
        """Send all commands at once; return as many answers, or fewer if the server hung up amid them.

        TimeoutError, HungUpError, NotSmtpError, OSError: after these the connection is of no use any more.
        """
        if any(map(_CONTROLS.search, commands)):
            message = "a command with control characters"
            raise ValueError(message)
        return await self._answered(b"\r\n".join((*commands, b"")), len(commands), timeout)

    async def content(self, octets: bytes, timeout: float) -> Answer:  # noqa: ASYNC109 - as above
        """Send the mail, with CRLF at each line's end and dots stuffed (RFC 5321 4.5.2); DATA has announced it."""
        if not octets.count(b"\r\n") == octets.count(b"\r") == octets.count(b"\n"):
            octets = _LINE_ENDS.sub(b"\r\n", octets)  # Danger: a lone one may end the mail for another server
        stuffed = (b"\r\n" + octets).replace(b"\r\n.", b"\r\n..")[2:]
        end = b".\r\n" if stuffed.endswith(b"\r\n") else b"\r\n.\r\n"
        return (await self._answered(stuffed + end, 1, timeout))[0]

    def abort(self) -> None:
        """Close the connection at once: close() would let TLS wait for a server that may be stuck."""
        self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """End the command in progress; called by the event loop."""
        self._lost(exc)

    def eof_received(self) -> None:
        """As `connection_lost`; the transport closes itself."""
        self._lost(None)

    def data_received(self, data: bytes) -> None:
        """Read what comes. If nothing was asked, abort: it would be taken for the answer to what is asked next."""
        if not self._waiting or self._waiting.done():
            self.abort()
            return
        self._left -= len(data)
        try:
            if self._left < 0:
                raise NotSmtpError  # noqa: TRY301 - it fails as what can't be read
            self._received += data
            self._read(self._waiting)
        except NotSmtpError as error:
            self._waiting.set_exception(error)

    def _read(self, waiting: asyncio.Future[list[Answer]]) -> None:
        end = self._received.rfind(b"\n") + 1
        lines, self._received = self._received[:end].splitlines(keepends=True), self._received[end:]
        for number, line in enumerate(lines, 1):
            match = _LINE.fullmatch(line)
            if not match or match[1] != (self._code or match[1]):  # RFC 5321 4.2.1: each line has the same code
                raise NotSmtpError
            self._lines.append(match[3])
            self._code = match[1] if match[2] == b"-" else b""
            if self._code:
                continue
            text = b"\n".join(self._lines).decode(errors="surrogateescape")
            self._answers.append(Answer(int(match[1]), text))
            self._lines = []
            if len(self._answers) == self._wanted:
                waiting.set_result(self._answers)
                if number < len(lines) or self._received:
                    self.abort()
                return

    def _lost(self, error: Exception | None) -> None:
        if not self._waiting or self._waiting.done():
            return
        if self._answers:
            self._waiting.set_result(self._answers)
        else:
            self._waiting.set_exception(error if isinstance(error, OSError) else HungUpError())

    async def _answered(self, octets: bytes, wanted: int, seconds: float) -> list[Answer]:
        if self._transport.is_closing():
            raise HungUpError
        self._wanted, self._answers, self._lines, self._code, self._received = wanted, [], [], b"", b""
        self._left = _LONGEST
        waiting: asyncio.Future[list[Answer]] = self._loop.create_future()
        self._waiting = waiting
        timer = self._loop.call_later(seconds, _time_out, waiting)
        self._transport.write(octets)
        try:
            return await waiting
        finally:
            timer.cancel()
            self._waiting, self._lines, self._received = None, [], b""


def _time_out(waiting: asyncio.Future[list[Answer]]) -> None:
    if not waiting.done():
        waiting.set_exception(TimeoutError())
