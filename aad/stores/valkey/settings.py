"""[store] with type = "valkey": each key with its default and a sentence, and the server that they describe."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

from aad.core.secret import Secret
from aad.core.settings import Duration, option

_PORT, _SENTINEL_PORT = 6379, 26379
_PLAIN, _TLS, _UNIX = {"valkey", "redis"}, {"valkeys", "rediss"}, {"unix"}
_RIGHT = 'should be such as "valkey://HOST:6379/0", "valkeys://HOST:6379/0" (TLS) or "unix:///run/valkey.sock"'


@dataclass(frozen=True, kw_only=True)
class Target:
    """How to reach a server. `path`: of its unix socket. `sentinels`: addresses that know the service `host`."""

    host: str = ""
    port: int = _PORT
    path: str = ""
    database: int = 0
    tls: bool = False
    ca_file: Path | None = None
    username: str = ""
    password: Secret | None = None
    sentinels: tuple[tuple[str, int], ...] = ()
    sentinel_password: Secret | None = None

    def __str__(self) -> str:
        """Name the server for the log."""
        if self.path:
            return self.path
        return f"service {self.host}" if self.sentinels else f"{self.host}:{self.port}"


@dataclass(frozen=True, kw_only=True)
class ValkeySettings:
    """[store] with type = "valkey": Valkey, or Redis from 6.2 on."""

    url: str = option(
        "valkey://127.0.0.1:6379/0",
        "The server's address; valkeys:// is TLS, unix:///PATH a socket; with sentinels, the host is a service's name.",
    )
    username: str = option("", "The ACL user; default: the server's default user.")
    password: Secret | None = option(None, "The server's password; default: none.")
    ca_file: Path | None = option(
        None, "The authority that signed the server's certificate, in PEM; default: the system's authorities."
    )
    sentinels: tuple[str, ...] = option((), "HOST:PORT of each sentinel, if the server is found by them.")
    sentinel_password: Secret | None = option(None, "The sentinels' password; default: none.")
    prefix: str = option("aad:", "The beginning of every key's name.")
    timeout: Duration = option(
        Duration(0.5),
        "For connecting, and for one answer; after that the store is unavailable.",
        at_least=0.05,
        at_most=2.0,
    )
    on_unavailable: str = option(
        "refuse",
        'When it is unavailable: "refuse" logins (as radius.on_unavailable says), or go on with a "local" state.',
        choices=("refuse", "local"),
    )

    def faults(self) -> Iterator[tuple[str, str]]:
        """Check the url and the sentinels."""
        parts = urlsplit(self.url)
        if parts.password is not None or parts.username is not None:
            yield "url", "should hold neither name nor password: there are the keys username and password for them"
        elif not _well_formed(parts):
            yield "url", _RIGHT
        elif self.ca_file and parts.scheme not in _TLS:
            yield "ca_file", "is of use with TLS only: url should begin with valkeys://"
        elif self.sentinels and parts.scheme in _UNIX:
            yield "sentinels", "say where a service is: url should be such as valkey://SERVICE/0"
        if self.ca_file and not self.ca_file.is_file():
            yield "ca_file", f"{self.ca_file} is no file"
        for number, sentinel in enumerate(self.sentinels):
            try:
                _host_and_port(sentinel)
            except ValueError:
                yield f"sentinels.[{number}]", f'"{sentinel}" should be HOST:{_SENTINEL_PORT}'
        if not self.prefix or not self.prefix.isprintable():
            yield "prefix", 'should be a short word, such as "aad:"'

    def warnings(self) -> Iterator[tuple[str, str]]:
        """Warn of a connection that others could read and change (lockouts, waiting logins), and of local state."""
        parts = urlsplit(self.url)
        if parts.scheme in _PLAIN and (parts.hostname or "") not in {"127.0.0.1", "::1", "localhost"}:
            yield "url", "is not encrypted: valkeys:// is, unless nobody else is on the way"
        if self.on_unavailable == "local":
            what = "a guesser has [lockout] attempts at each, and a code is good once at each"
            yield "on_unavailable", f'"local" gives each node a state of its own while the server is away: {what}'

    def route(self) -> Target:
        """Return how to reach the server."""
        parts = urlsplit(self.url)
        common: dict[str, Any] = {"username": self.username, "password": self.password}
        if parts.scheme in _UNIX:
            database = int(parts.query.removeprefix("db=") or 0)
            return Target(path=unquote(parts.path), database=database, **common)
        return Target(
            host=parts.hostname or "",
            port=parts.port or _PORT,
            database=int(parts.path.strip("/") or 0),
            tls=parts.scheme in _TLS,
            ca_file=self.ca_file,
            sentinels=tuple(_host_and_port(each) for each in self.sentinels),
            sentinel_password=self.sentinel_password,
            **common,
        )


def _well_formed(parts: SplitResult) -> bool:
    try:
        parts.port  # noqa: B018 - it may raise
    except ValueError:
        return False
    if parts.scheme in _UNIX:
        database = parts.query.removeprefix("db=") or "0"
        return parts.path.startswith("/") and not parts.netloc and database.isdecimal()
    named = parts.scheme in _PLAIN | _TLS and bool(parts.hostname) and not parts.query
    return named and (parts.path.strip("/") or "0").isdecimal()


def _host_and_port(address: str) -> tuple[str, int]:
    parts = urlsplit(f"//{address}")
    if not parts.hostname or parts.path or parts.username:
        raise ValueError(address)
    return parts.hostname, parts.port or _SENTINEL_PORT
