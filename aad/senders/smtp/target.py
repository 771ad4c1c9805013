"""The way to a mail server: where it is, how the connection is secured, who logs in; and what a refused login is."""

from __future__ import annotations

from dataclasses import dataclass, field

from aad.core.secret import Secret
from aad.ports import Unavailable
from aad.senders.smtp.replies import quoted

_CREDENTIALS_INVALID = 535  # RFC 4954 6


@dataclass(frozen=True, kw_only=True)
class Target:
    """Where the mail server is and how to get in. No `username`: without AUTH. `timeout`: seconds for each step.

    `by_token`: the password is an OAuth 2 access token.
    """

    host: str
    port: int
    security: str
    timeout: float
    where: str
    username: str = ""
    password: Secret = field(default_factory=lambda: Secret(b""))
    by_token: bool = False


class TokenRefusedError(Unavailable):
    """The mail server doesn't take this access token: another one may be tried."""


def login_refused(code: int, text: str, route: Target) -> Unavailable:
    """Return the refusal in words. Of what a server says to a password nothing is repeated but the number."""
    by_token = route.by_token
    what = "the access token" if by_token else "the user name or password"
    said = quoted(code, text) if by_token else str(code)
    at = f"{route.host}:{route.port}"
    if 400 <= code < 500:  # noqa: PLR2004 - temporary, RFC 4954 4: 454
        what = "the access token" if by_token else "the user name and password"
        return Unavailable(f"{at}: the mail server can't check {what} now: {said}", where=route.where)
    kind = TokenRefusedError if by_token and code == _CREDENTIALS_INVALID else Unavailable
    return kind(f"{at}: the mail server refuses {what}: {said}", where=route.where)
