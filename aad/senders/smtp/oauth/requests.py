"""OAuth 2 token requests and responses as values, without the network. PURE.

Grants: client credentials (RFC 6749 4.4), a refresh token (6), a signed assertion (RFC 7523 2.1). The client
authenticates by a secret in the body (RFC 6749 2.3.1) or by a signed assertion (RFC 7523 2.2).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol
from urllib.parse import urlsplit

from aad.core.secret import Secret
from aad.ports import Unavailable

_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_BEARER_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_BEHIND = 60.0  # seconds that our clock may be ahead of theirs: an assertion from the future is refused
_PROOF_LIFE = 600.0  # of a client assertion
_GRANT_LIFE = 3600.0  # of an assertion that is a grant: Google's most
_LIFE = 600.0  # where the answer doesn't say, RFC 6749 5.1
_LONGEST_LIFE = 86_400.0
_LONGEST_TOKEN = 8192  # characters: AUTH and twice base64 must fit into a line, RFC 4954 4
_ACCESS_TOKEN = re.compile(r"[\x21-\x7e]+")
_OK = 200
_REDIRECT = range(300, 400)

_CODE = re.compile(r"[a-z_]{1,40}")
_WORD = re.compile(r"[A-Za-z'-]{1,24}[.,:;]?")
_NUMBERED = re.compile(r"AADSTS[0-9]{1,10}:?")  # Microsoft's own error numbers
_LONGEST = 160  # characters of a description


class Signer(Protocol):
    """Signs claims as a JWT (RFC 7519)."""

    def signed(self, claims: Mapping[str, Any]) -> str:
        """Return the compact form: three parts between dots."""


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """A URL of http or https, taken apart: a token endpoint's, or a proxy's."""

    host: str
    port: int
    path: str
    secure: bool

    @property
    def authority(self) -> str:
        """HOST:PORT, as Host and CONNECT want it (RFC 9110 7.2, 9.3.6)."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def __str__(self) -> str:
        """Name it for the log."""
        return f"token endpoint {self.host}" + ("" if self.port == 443 else f":{self.port}")  # noqa: PLR2004 - https


@dataclass(frozen=True, kw_only=True)
class OAuthClient:
    """The client of RFC 6749: it requests tokens.

    With a `mailbox` the `signer` signs for that (a service account); without one it signs for the client itself.
    """

    url: str
    scope: str = ""
    client_id: str
    client_secret: Secret | None = None
    signer: Signer | None = None
    refresh_token: Secret | None = None
    mailbox: str = ""

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """Return what must never be repeated in a log, not even if the token endpoint repeats it."""
        return tuple(secret for secret in (self.client_secret, self.refresh_token) if secret)

    def after(self, token: Token) -> OAuthClient:
        """Return the client for the next request: some endpoints give a new refresh token each time, RFC 6749 6."""
        return replace(self, refresh_token=token.refresh_token) if token.refresh_token and self.refresh_token else self


@dataclass(frozen=True, kw_only=True)
class Token:
    """An access token; `life`: seconds from when it was asked for."""

    value: Secret
    life: float
    refresh_token: Secret | None = None


class GrantRefusedError(Unavailable):
    """The token endpoint answered with an error of RFC 6749 5.2."""


def endpoint(url: str) -> Endpoint:
    """Take a URL apart; ValueError says what would be right."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        parts, host, port = urlsplit(""), "", None
    plain = url.isascii() and url.isprintable() and " " not in url and "@" not in parts.netloc and not parts.fragment
    if not host or not plain or parts.scheme not in ("https", "http"):
        message = "should be a URL such as https://login.example.com/oauth2/token"
        raise ValueError(message)
    secure = parts.scheme == "https"
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Endpoint(host=host, port=port or (443 if secure else 80), path=path, secure=secure)


def form(client: OAuthClient, now: float, nonce: str) -> dict[str, str]:
    """Return the fields of the request. `now`: seconds since 1970; `nonce`: the `jti` of a client assertion."""
    c = client
    scope = {"scope": c.scope} if c.scope else {}
    if c.signer and c.mailbox:
        claims = {"iss": c.client_id, "sub": c.mailbox, **scope, **_times(c.url, now, _GRANT_LIFE)}
        return {"grant_type": _BEARER_GRANT, "assertion": c.signer.signed(claims)}
    grant = {"grant_type": "client_credentials"}
    if c.refresh_token:
        grant = {"grant_type": "refresh_token", "refresh_token": c.refresh_token.text()}
    return {**grant, "client_id": c.client_id, **dict(_proof(c, now, nonce)), **scope}


def _proof(client: OAuthClient, now: float, nonce: str) -> Iterator[tuple[str, str]]:
    """Yield the fields that authenticate the client; none for a public client (RFC 6749 2.1)."""
    if client.client_secret:
        yield "client_secret", client.client_secret.text()
    elif client.signer:
        times = _times(client.url, now, _PROOF_LIFE)
        claims = {"iss": client.client_id, "sub": client.client_id, "jti": nonce, **times}
        yield "client_assertion_type", _ASSERTION
        yield "client_assertion", client.signer.signed({**claims, "nbf": times["iat"]})


def _times(url: str, now: float, life: float) -> dict[str, Any]:
    begin = int(now - _BEHIND)
    return {"aud": url, "iat": begin, "exp": begin + int(life)}


def read(status: int, body: bytes, secrets: tuple[Secret, ...]) -> Token:
    """Return the token in an answer (RFC 6749 5.1). GrantRefusedError (5.2), Unavailable."""
    if status in _REDIRECT:
        what = f"answers {status}, a redirect, which is not followed: is token_url right?"
        raise Unavailable(what)
    answer = _object(body)
    if status != _OK:
        words = _refusal(answer, secrets)
        raise GrantRefusedError(f"refuses: {words}") if words else Unavailable(f"answers {status}")
    value = answer.get("access_token")
    if not isinstance(value, str) or not _ACCESS_TOKEN.fullmatch(value) or len(value) > _LONGEST_TOKEN:
        what = "answers without a usable access_token"
        raise Unavailable(what)
    if str(answer.get("token_type", "bearer")).lower() != "bearer":
        what = "gives a token that is not of type Bearer"
        raise Unavailable(what)
    return Token(
        value=Secret(value),
        life=_life(answer.get("expires_in")),
        refresh_token=_refresh_token(answer.get("refresh_token")),
    )


def _refresh_token(value: Any) -> Secret | None:
    return Secret(value) if isinstance(value, str) and value.isascii() and value else None


def _object(body: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return answer if isinstance(answer, dict) else {}


def _life(seconds: Any) -> float:
    """Read expires_in, which some write as a text."""
    try:
        life = float(seconds)
    except (TypeError, ValueError, OverflowError):
        return _LIFE
    return min(life, _LONGEST_LIFE) if life > 0 else _LIFE


def _refusal(answer: dict[str, Any], secrets: tuple[Secret, ...]) -> str:
    """Return `error` and the harmless words of `error_description`: no numbers, names, or parts of a secret."""
    code, description = answer.get("error"), answer.get("error_description")
    if not isinstance(code, str) or not _CODE.fullmatch(code):
        return ""
    known = [secret.reveal().decode("utf-8", "replace").lower() for secret in secrets]
    kept: list[str] = []
    for word in description[:1000].split() if isinstance(description, str) else ():
        bare = word.lower().rstrip(".,:;")
        if bare == "trace":  # Microsoft's "Trace ID: ..." and what follows is for Microsoft
            break
        if _NUMBERED.fullmatch(word) or (_WORD.fullmatch(word) and not any(_gives_away(bare, one) for one in known)):
            kept.append(word)
    words = " ".join(kept)[:_LONGEST].rstrip(" .,:;")
    return f"{code}: {words}" if words else code


def _gives_away(word: str, secret: str) -> bool:
    return len(word) > 2 and (word in secret or secret in word)  # noqa: PLR2004
