"""A mail server of the test's own that keeps what it gets, and can refuse or hang when told to."""

import asyncio
import ssl
import threading
from collections import defaultdict
from collections.abc import Callable

from aiosmtpd.smtp import SMTP

from tests.parts.authority import Authority, Certificate
from tests.parts.letter import Letter, code_in
from tests.parts.part import Part
from tests.parts.ports import free_port
from tests.parts.smtphooks import Hooks, Security, Stage
from tests.parts.waiting import PATIENCE, NotInTimeError

__all__ = ["Letter", "Mailbox", "Security", "Stage", "code_in"]


class Mailbox(Part):
    """An SMTP server in a thread; it keeps its port and its letters when it is stopped and started again."""

    host = "localhost"

    def __init__(  # noqa: PLR0913 - what it is, key by key
        self,
        authority: Authority | None = None,
        security: Security = "none",
        username: str | None = None,
        password: str | None = None,
        *,
        certificate: Certificate | None = None,
        smtputf8: bool = True,
        tokens: Callable[[str, str], bool] | None = None,
    ) -> None:
        """Choose a port; with a `username` nobody may send without having logged in, and only over TLS.

        `tokens`: logins by XOAUTH2, and which mailbox may send with which access token.
        """
        self._smtputf8 = smtputf8
        self.port = free_port()
        self.messages: list[Letter] = []
        self._arrived = threading.Condition()
        self._security = security
        self.needs_login = username is not None or tokens is not None
        self._tokens = tokens
        self.logins = 0  # by token, good and bad
        self._account = None if username is None else (username.encode(), (password or "").encode())
        self._tls = None if security == "none" else _context(authority, certificate)
        self._refusals: dict[Stage, str] = {}
        self._held: set[Stage] = set()
        self._waiting = 0
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._released = asyncio.Event()
        self._ended = asyncio.Event()

    def start(self) -> None:
        """Listen."""
        self._released, self._ended = asyncio.Event(), asyncio.Event()
        ready = threading.Event()
        self._thread = threading.Thread(target=asyncio.run, args=(self._serve(ready),), daemon=True)
        self._thread.start()
        if not ready.wait(PATIENCE):
            what = "the mail server"
            raise NotInTimeError(what, PATIENCE)

    def stop(self) -> None:
        """Close the port and all connections."""
        if self._thread is not None and self._loop is not None:
            self._loop.call_soon_threadsafe(self._ended.set)
            self._thread.join()
            self._thread = self._loop = None

    def wait(self, recipient: str, count: int = 1, seconds: float = PATIENCE) -> Letter:
        """Return the latest letter to this address, as soon as there are `count` of them."""
        with self._arrived:
            if not self._arrived.wait_for(lambda: len(self.letters(recipient)) >= count, seconds):
                what = f"{count} letters to {recipient} ({len(self.letters(recipient))} of {len(self.messages)} are)"
                raise NotInTimeError(what, seconds)
            return self.letters(recipient)[-1]

    def letters(self, recipient: str) -> list[Letter]:
        """Return all letters to this address so far."""
        return [letter for letter in self.messages if recipient in letter.recipients]

    def refuse(self, code_and_text: str, at: Stage = "rcpt") -> None:
        """Answer from now on with an error such as `550 5.1.1 no such user`."""
        self._refusals[at] = code_and_text

    def accept(self) -> None:
        """Take everything again after `refuse`."""
        self._refusals.clear()

    def hold(self, at: Stage = "data") -> None:
        """Answer nothing at this stage until `release`; at `data` the letter is kept, only the answer is late."""
        self._held.add(at)

    def release(self) -> None:
        """Answer whoever waits, and everybody from now on."""
        self._held.clear()
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._released.set)

    @property
    def held(self) -> int:
        """How many clients wait for an answer because of `hold`."""
        return self._waiting

    async def answer(self, at: Stage, good: str) -> str:
        """Return the reply at a stage; for the server's hooks."""
        if at in self._held:
            self._waiting += 1
            self._released.clear()
            try:
                await self._released.wait()
            finally:
                self._waiting -= 1
        return self._refusals.get(at, good)

    def refuses(self, at: Stage) -> bool:
        """Say whether this stage is refused; for the server's hooks."""
        return at in self._refusals

    def keep(self, letter: Letter) -> None:
        """Add a letter and wake who waits for it; for the server's hooks."""
        with self._arrived:
            self.messages.append(letter)
            self._arrived.notify_all()

    def knows(self, username: bytes, password: bytes) -> bool:
        """Compare with the one account; for the server's hooks."""
        return self._account == (username, password)

    def admits(self, mailbox: str, token: str) -> bool:
        """Ask about an access token; for the server's hooks."""
        self.logins += 1
        return self._tokens is not None and self._tokens(mailbox, token)

    def _connection(self) -> SMTP:
        hooks = Hooks(self)
        return _Server(
            hooks,
            hostname=self.host,
            enable_SMTPUTF8=self._smtputf8,
            tls_context=self._tls if self._security == "starttls" else None,
            require_starttls=self._security == "starttls",
            auth_require_tls=self._security != "tls",
            auth_exclude_mechanism=(
                *(() if self._account else ("LOGIN", "PLAIN")),
                *(() if self._tokens else ("XOAUTH2",)),
            ),
            authenticator=hooks.authenticate,
            loop=asyncio.get_running_loop(),
        )

    async def _serve(self, ready: threading.Event) -> None:
        connections: list[SMTP] = []

        def connect() -> SMTP:
            connections.append(self._connection())
            return connections[-1]

        tls = self._tls if self._security == "tls" else None
        self._loop = asyncio.get_running_loop()
        server = await self._loop.create_server(connect, "127.0.0.1", self.port, ssl=tls)
        ready.set()
        await self._ended.wait()
        server.close()
        for connection in connections:
            if isinstance(connection.transport, asyncio.Transport):
                connection.transport.abort()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class _Server(SMTP):
    line_length_limit = 12_288  # an access token is long: RFC 4954 4
    command_size_limits = defaultdict(lambda: 12_288)  # noqa: RUF012 - as in aiosmtpd


def _context(authority: Authority | None, certificate: Certificate | None) -> ssl.SSLContext:
    if certificate is None:
        if authority is None:
            msg = "a mail server with TLS needs an authority or a certificate"
            raise ValueError(msg)
        certificate = authority.certificate("localhost", "127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.cert_file, certificate.key_file)
    return context
