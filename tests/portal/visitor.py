"""A visitor without a browser: he sends what he likes, and shows what came back, header by header."""

from __future__ import annotations

import http.client
import re
import ssl
from collections.abc import Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from html import unescape
from html.parser import HTMLParser
from urllib.parse import urlencode

from tests.portal.conftest import PASSWORD, Place

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
SESSION, VISITOR = "__Host-aad-session", "__Host-aad-visitor"


@dataclass(frozen=True)
class Seen:
    """One response."""

    status: int
    headers: list[tuple[str, str]]
    text: str

    def header(self, name: str) -> str:
        return ", ".join(value for key, value in self.headers if key.lower() == name.lower())

    @property
    def set_cookies(self) -> list[str]:
        return [value for key, value in self.headers if key.lower() == "set-cookie"]

    @property
    def words(self) -> str:
        """What stands on the page, without tags, tokens and seals."""
        return " ".join(unescape(re.sub(r"<[^>]*>", " ", self.text)).split())

    def form(self, action: str) -> dict[str, str]:
        """Return the hidden fields of the first form that goes to `action`."""
        forms = _Forms()
        forms.feed(self.text)
        return dict(next(fields for goes, fields in forms.found if goes == action))


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {key: value or "" for key, value in attrs}
        if tag == "form":
            self.found.append((given["action"], {}))
        elif tag == "input" and given.get("type") == "hidden":
            self.found[-1][1][given["name"]] = given["value"]


@dataclass
class Visitor:
    """Keeps cookies as a browser does; follows nothing by himself."""

    place: Place
    cookies: dict[str, str] = field(default_factory=dict)
    language: str = "en"

    def get(self, path: str, **headers: str) -> Seen:
        return self._ask("GET", path, None, headers)

    def post(self, path: str, fields: Mapping[str, str], **headers: str) -> Seen:
        return self._ask("POST", path, urlencode(fields), FORM | headers)

    def post_at_once(self, *posts: tuple[str, Mapping[str, str]]) -> list[Seen]:
        """Post several forms at the same moment, over connections that stand already."""
        with ExitStack() as stack:
            connections = [stack.enter_context(closing(self._connection())) for _ in posts]
            for connection in connections:
                connection.connect()
            for connection, (path, fields) in zip(connections, posts, strict=True):
                connection.request("POST", path, urlencode(fields), FORM | self._headers())
            responses = [connection.getresponse() for connection in connections]
            return [Seen(each.status, each.getheaders(), each.read().decode()) for each in responses]

    def followed(self, seen: Seen) -> Seen:
        """Go where a redirection leads."""
        assert seen.status == 303, seen.words
        return self.get(seen.header("Location"))

    def begin(self, name: str, password: str = PASSWORD) -> Seen:
        """Post name and password."""
        return self.post(
            "/sign-in", self.get("/sign-in?again=1").form("/sign-in") | {"name": name, "password": password}
        )

    def sign_in(self, name: str) -> Seen:
        """Sign in, mail and all; return his page."""
        recipient = f"{name}@example.com"
        count = len(self.place.codes(recipient))
        fields = self.begin(name).form("/sign-in/code") | {"code": self.place.code(recipient, count + 1)}
        return self.followed(self.post("/sign-in/code", fields))

    def _ask(self, method: str, path: str, body: str | None, headers: Mapping[str, str]) -> Seen:
        with closing(self._connection()) as connection:
            connection.request(method, path, body, self._headers() | dict(headers))
            response = connection.getresponse()
            seen = Seen(response.status, response.getheaders(), response.read().decode())
        for each in seen.set_cookies:
            name, _, value = each.partition(";")[0].partition("=")
            if "Max-Age=0" in each:
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = value
        return seen

    def _connection(self) -> http.client.HTTPSConnection:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return http.client.HTTPSConnection("127.0.0.1", self.place.port, context=context, timeout=30)

    def _headers(self) -> dict[str, str]:
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        return {"Accept-Language": self.language} | ({"Cookie": cookie} if cookie else {})
