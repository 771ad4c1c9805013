"""How the test's mail server answers each SMTP command: the owner says good or bad, and keeps the letters."""

import base64
from typing import Any, Literal, Protocol

from aiosmtpd.smtp import MISSING, SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.parts.letter import Letter

Security = Literal["none", "starttls", "tls"]
Stage = Literal["auth", "mail", "rcpt", "data"]


class Owner(Protocol):
    """Who decides what is answered."""

    needs_login: bool

    async def answer(self, at: Stage, good: str) -> str:
        """Return the reply at a stage, `good` or an error, now or later."""

    def keep(self, letter: Letter) -> None:
        """Take a letter that was sent completely."""

    def knows(self, username: bytes, password: bytes) -> bool:
        """Say whether this account may send."""

    def admits(self, mailbox: str, token: str) -> bool:
        """Say whether this access token may send."""

    def refuses(self, at: Stage) -> bool:
        """Say whether the reply at this stage is an error."""


class Hooks:
    """The names of the methods are aiosmtpd's."""

    def __init__(self, owner: Owner) -> None:
        self._owner = owner

    async def handle_AUTH(self, _server: SMTP, _session: Session, _envelope: Envelope, _args: list[str]) -> Any:  # noqa: N802
        """Refuse before the password is asked, or let aiosmtpd go on."""
        return await self._owner.answer("auth", "") or MISSING

    async def auth_XOAUTH2(self, server: SMTP, args: list[str]) -> AuthResult:  # noqa: N802
        """Take an access token; refuse as Google does, by a challenge with a status that wants an empty answer."""
        user, bearer, *rest = base64.b64decode(args[1]).decode().split("\1")
        assert (user[:5], bearer[:12], rest) == ("user=", "auth=Bearer ", ["", ""])
        if self._owner.admits(user[5:], bearer[12:]):
            return AuthResult(success=True)
        answered = await server.challenge_auth('{"status":"400","schemes":"Bearer","scope":"https://mail.google.com/"}')
        assert answered == b""
        return AuthResult(success=False, handled=False)

    async def handle_MAIL(  # noqa: N802
        self, _server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Note the sender, who must have logged in if there is an account."""
        if self._owner.needs_login and not session.authenticated:
            return "530 5.7.0 authentication required"
        reply = await self._owner.answer("mail", "250 2.1.0 ok")
        if reply.startswith("2"):
            envelope.mail_from = address
            envelope.mail_options.extend(options)
        return reply

    async def handle_RCPT(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Note one more recipient."""
        reply = await self._owner.answer("rcpt", "250 2.1.5 ok")
        if reply.startswith("2"):
            envelope.rcpt_tos.append(address)
            envelope.rcpt_options.extend(options)
        return reply

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Keep the letter before answering, as a server does whose answer comes late."""
        if not self._owner.refuses("data"):
            raw = envelope.original_content or b""
            self._owner.keep(Letter.parse(envelope.mail_from or "", envelope.rcpt_tos, raw))
        return await self._owner.answer("data", "250 2.0.0 taken")

    def authenticate(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, login: object
    ) -> AuthResult:
        """Compare name and password."""
        known = isinstance(login, LoginPassword) and self._owner.knows(login.login, login.password)
        return AuthResult(success=known, handled=False)
