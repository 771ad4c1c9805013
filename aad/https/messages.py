"""Request, Response, Route, Cookie: HTTP as values, for the API and the pages. PURE.

Forms are `application/x-www-form-urlencoded`: no page uploads files, so no parser for that is needed.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

from aad.core.user_address import Unknown, UserAddress, place_of

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
HTML = "text/html; charset=utf-8"
_MOST_FIELDS = 50


class UnreadableBodyError(ValueError):
    """The body or query can't be decoded; the message says why, and quotes nothing of it."""


class OtherMediaTypeError(ValueError):
    """The body has another media type than the one taken here; the message names that one."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """One request, all of it. `headers`: names in lower case; one that came several times is joined by ", ".

    `caller`: the client's address, behind trusted proxies; it may be unknown. `peer`: the address of the connection,
    maybe a proxy's: for the log alone. `received`: `time.monotonic()` seconds, when its head was there. Headers, query
    and body aren't in its repr: there are secrets among them.
    """

    method: str
    path: str
    caller: UserAddress
    received: float
    peer: str = ""
    headers: Mapping[str, str] = field(repr=False, default_factory=dict)
    raw_query: str = field(repr=False, default="")
    body: bytes = field(repr=False, default=b"")

    @property
    def source(self) -> str:
        """The client's address, for the log."""
        return f"unknown, behind {self.peer}" if isinstance(self.caller, Unknown) else str(self.caller)

    @property
    def counted(self) -> str:
        """The source whose turns it takes. All requests of a proxy that doesn't name its clients are one source."""
        return place_of(self.caller) or f"behind {self.peer}"

    @cached_property
    def kind(self) -> str:
        """The media type of the body, without parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @cached_property
    def query(self) -> dict[str, str]:
        """The query's fields. UnreadableBodyError."""
        return _fields(self.raw_query, "the query")

    @cached_property
    def cookies(self) -> dict[str, str]:
        """The cookies; of two with one name the first."""
        found: dict[str, str] = {}
        for pair in self.headers.get("cookie", "").split(";"):
            name, equals, value = pair.strip().partition("=")
            if equals:
                found.setdefault(name, value)
        return found

    @cached_property
    def form(self) -> dict[str, str]:
        """The form's fields. OtherMediaTypeError, UnreadableBodyError."""
        if self.kind != FORM:
            message = f"the body should be {FORM}"
            raise OtherMediaTypeError(message)
        try:
            text = self.body.decode("ascii")
        except UnicodeDecodeError:
            message = "the form isn't encoded"
            raise UnreadableBodyError(message) from None
        return _fields(text, "the form")

    @cached_property
    def json(self) -> Any:
        """The body's JSON. OtherMediaTypeError, UnreadableBodyError: no JSON, a name twice, or too deep."""
        if self.kind != JSON:
            message = f"the body should be {JSON}"
            raise OtherMediaTypeError(message)
        try:
            return json.loads(self.body.decode(), object_pairs_hook=_unique, parse_constant=_no_constant)
        except (ValueError, RecursionError):
            message = "the body isn't JSON (RFC 8259), or names something twice"
            raise UnreadableBodyError(message) from None


@dataclass(frozen=True, kw_only=True)
class Cookie:
    """A cookie that no script reads, sent over TLS only, and with requests from our own pages only.

    The browser enforces that for a name that begins with "__Host-". `seconds`: until it ends; None: with the browser;
    0: now.
    """

    name: str
    value: str = field(repr=False)
    seconds: int | None = None

    def __str__(self) -> str:
        """Write it as the value of Set-Cookie."""
        age = "" if self.seconds is None else f"; Max-Age={self.seconds}"
        return f"{self.name}={self.value}{age}; Path=/; Secure; HttpOnly; SameSite=Strict"


@dataclass(frozen=True, kw_only=True)
class Response:
    """A response. A header given here replaces the one of this name that every response has (`router.HEADERS`)."""

    status: HTTPStatus = HTTPStatus.OK
    body: bytes = field(repr=False, default=b"")
    kind: str = HTML
    headers: tuple[tuple[str, str], ...] = ()
    cookies: tuple[Cookie, ...] = ()


Answering = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True)
class Route:
    """A path, a method ("GET", which is HEAD too, or "POST") and what answers it. What varies is in query or body.

    `open_to_all`: answered alike for every address, known or not (a load balancer checks whether the daemon is alive).
    """

    method: str
    path: str
    answer: Answering
    open_to_all: bool = False


def written(value: object, status: HTTPStatus = HTTPStatus.OK, headers: tuple[tuple[str, str], ...] = ()) -> Response:
    """Return a value as JSON."""
    return Response(status=status, body=json.dumps(value).encode(), kind=JSON, headers=headers)


def elsewhere(path: str, *cookies: Cookie) -> Response:
    """Send the browser to a path of ours, with GET (after a form: reloading the page posts nothing again)."""
    return Response(status=HTTPStatus.SEE_OTHER, headers=(("Location", path),), cookies=cookies)


def _fields(text: str, what: str) -> dict[str, str]:
    try:
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS)
    except ValueError:
        message = f"{what} isn't encoded as UTF-8, or has too many fields"
        raise UnreadableBodyError(message) from None
    found = dict(pairs)
    if len(found) != len(pairs):
        message = f"{what} has a field twice"
        raise UnreadableBodyError(message)
    return found


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # Programs differ in which of two values they take: an old way past a check.
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError
    return found


def _no_constant(_name: str) -> None:
    raise ValueError
