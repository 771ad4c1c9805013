"""[radius], [chains], [events], [lockout], [limits], [store], [log], [metrics]: each key, default and sentence."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aad.config.client import networks_faults
from aad.core.identity import name_key, presentable
from aad.core.row import Rules
from aad.core.secret import Secret
from aad.core.settings import Duration, Rate, option

KEY_OCTETS = 16
UNIX_OCTETS = 107  # of a unix socket's path, unix(7)
_OTHERS_RIGHT = 'should be ADDRESS:PORT, such as "0.0.0.0:{0}" or "[::]:{0}"'


@dataclass(frozen=True, kw_only=True)
class Radius:
    """[radius]."""

    listen: tuple[str, ...] = option(("0.0.0.0:1812", "[::]:1812"), "Addresses and ports where requests arrive.")
    accounting_listen: tuple[str, ...] = option(
        (), "Addresses and ports where Accounting-Requests (RFC 2866) arrive; empty: nowhere."
    )
    on_unavailable: str = option(
        "discard",
        'When LDAP or mail is unavailable: "discard", so that the NAS asks its next server, or "reject".',
        choices=("discard", "reject"),
    )
    reject_delay: Duration = option(
        Duration(1.0),
        "No Access-Reject leaves sooner than this after its request; with jitter.",
        at_least=0.0,
        at_most=10.0,
    )
    dictionary: Path | None = option(None, "Further attributes for [replies.*], in FreeRADIUS's format.")
    reject_message: str = option("Login failed.", "What the user reads in every Access-Reject, whatever the reason.")

    def faults(self) -> Iterator[tuple[str, str]]:
        """Check the addresses."""
        for key, port in (("listen", 1812), ("accounting_listen", 1813)):
            for number, address in enumerate(getattr(self, key)):
                try:
                    host_and_port(address)
                except ValueError:
                    yield f"{key}.[{number}]", f'"{address}" {_OTHERS_RIGHT.format(port)}'
        for address in sorted(set(self.listen) & set(self.accounting_listen)):
            yield "accounting_listen", f'"{address}" is in listen already; the port for accounting is 1813'
        if not self.listen:
            yield "listen", "should name at least one address"
        if not 1 <= len(self.reject_message.encode()) <= 200:  # noqa: PLR2004 - leaves room in one attribute
            yield "reject_message", "should have 1 to 200 octets"


@dataclass(frozen=True, kw_only=True)
class Chain:
    """[chains.NAME]: methods that must all succeed, in order."""

    methods: tuple[str, ...] = option(doc="The methods, in order; all must succeed.", names="methods")
    short_name: str = option("", "A short name by which a user may choose this chain.")
    groups: tuple[str, ...] = option((), "Only for members of one of these groups; default: for all users.")
    clients: tuple[str, ...] = option((), "Only through these clients; default: all.", names="clients", every=False)
    networks: tuple[str, ...] = option(
        (), "Only for users at these addresses, as the client reports them; default: all."
    )

    def faults(self) -> Iterator[tuple[str, str]]:
        """Check the networks and the short name."""
        yield from networks_faults("networks", self.networks)
        if not _word(self.short_name) and self.short_name:
            yield "short_name", 'should be one word, without "@" or "\\": the user types it behind the name'


@dataclass(frozen=True, kw_only=True)
class Event:
    """[events.NAME]: an occasion to log in."""

    repositories: tuple[str, ...] = option((), "Where its users live, in order; default: all.", names="repositories")
    chains: tuple[str, ...] = option((), "The first that fits the user is asked; default: all.", names="chains")
    choose: bool = option(default=False, doc="Where several chains fit, ask the user which one.")
    fewer_proofs: str = option(
        "",
        'aad check warns of chains that ask for less than one before them; "intended" turns that off.',
        choices=("", "intended"),
    )
    decoy: bool = option(
        default=False,
        doc="true asks a rejected user for a code too, so that strangers can't learn which names and passwords are "
        "right; no mail is sent, and no code is accepted.",
    )
    tell_reasons: bool = option(
        default=False,
        doc="true tells a user who gave the right password why they are rejected: expired, to be changed, disabled ...",
    )


@dataclass(frozen=True, kw_only=True)
class Lockout:
    """[lockout]."""

    attempts: int = option(
        3, "How many wrong passwords, or wrong codes, in a row lock the user.", at_least=1, at_most=1000
    )
    period: Duration = option(
        Duration(300.0), "How long a user is locked; for codes twice as long each further time.", at_least=1.0
    )
    longest: Duration = option(
        Duration(86_400.0), "How long a user is locked at most; period, if that is longer.", at_least=1.0
    )
    for_good: int = option(
        100,
        "How many wrong codes in a row, attempts at least, lock until the helpdesk or aad unlock ends it.",
        at_least=1,
        at_most=1_000_000,
    )

    @property
    def rules(self) -> Rules:
        """The same as the core's rules take it."""
        return Rules(attempts=self.attempts, period=self.period, longest=self.longest, for_good=self.for_good)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """[limits]."""

    mails_per_user: Rate = option(Rate(10, 600.0), "Messages to one user, at most.")
    mails_per_client: Rate = option(Rate(600, 60.0), "Messages for logins through one client, at most.")
    mails_total: Rate = option(Rate(None, 0.0), "Messages altogether, at most.")
    at_work_per_client: int = option(500, "New logins of one client in progress at the same time, at most.", at_least=1)
    waiting: int = option(100_000, "Logins that wait for an answer, at most.", at_least=1)


@dataclass(frozen=True, kw_only=True)
class Repository:
    """[repositories.NAME]: what every type of repository has in common."""

    realms: tuple[str, ...] = option(
        (), "The realms of its users: CORP of CORP\\alice, or corp.example.com of alice@corp.example.com."
    )

    def faults(self) -> Iterator[tuple[str, str]]:
        """Check that each realm can be typed."""
        for number, realm in enumerate(self.realms):
            if not _word(realm):
                right = 'without blanks, "@" or "\\": CORP, or corp.example.com'
                yield f"realms.[{number}]", f'"{presentable(realm)}" should be the realm alone, {right}'

    def warnings(self) -> Iterator[tuple[str, str]]:
        """Warn of a realm that is listed twice in different spelling."""
        first: dict[str, str] = {}
        for number, realm in enumerate(self.realms):
            if (before := first.setdefault(name_key(realm), realm)) and number and before != realm:
                yield f"realms.[{number}]", f'"{realm}" is "{before}" in another spelling, which makes no difference'


@dataclass(frozen=True, kw_only=True)
class Store:
    """[store]: what every type of store has in common."""

    key: Secret | None = option(None, "The installation's key; default: made at first start beside the store's file.")

    daemon_user: str = option(
        "aad",
        "The user that aad runs as, and that root's commands become; with a store's file it is its folder's owner.",
    )

    def faults(self) -> Iterator[tuple[str, str]]:
        """Check the key."""
        if self.key is not None and len(self.key) < KEY_OCTETS:
            yield "key", f"should have at least {KEY_OCTETS} octets; make one with: openssl rand -base64 32"


@dataclass(frozen=True, kw_only=True)
class Log:
    """[log]."""

    to: str = option(
        "auto",
        '"journal", "file", "stderr", or "auto": the journal where there is one, else the file if given, else stderr.',
        choices=("auto", "journal", "file", "stderr"),
    )
    file: Path | None = option(None, "A file to which records are appended, as JSON lines.", written=True)
    level: str = option("info", "The lowest level that is written.", choices=("debug", "info", "warning", "error"))
    format: str = option("text", 'On stderr: "text" or "json".', choices=("text", "json"))

    def faults(self) -> Iterator[tuple[str, str]]:
        """Check that there is a file to write to."""
        if self.to == "file" and self.file is None:
            yield "file", 'missing: to = "file" needs file = "PATH"'
        if self.file is not None and self.file.is_dir():
            yield "file", f"{self.file} is a folder; it should be a file in it"

    def warnings(self) -> Iterator[tuple[str, str]]:
        """Warn of a file that won't be written, or whose folder is missing."""
        if self.file is not None and self.to in {"journal", "stderr"}:
            yield "file", f'nothing is written to it while to = "{self.to}"'
        elif self.file is not None and not self.file.parent.is_dir():
            yield "file", f"there is no folder {self.file.parent}: aad makes the file, not the folder"


@dataclass(frozen=True, kw_only=True)
class Metrics:
    """[metrics]."""

    listen: str = option(
        "", 'Where GET /metrics is answered: "127.0.0.1:9812" or "unix:/run/aad/metrics.sock"; empty: nowhere.'
    )
    beyond_loopback: bool = option(
        default=False,
        doc="true allows an address that others can reach; there is no authentication and no encryption.",
    )

    def faults(self) -> Iterator[tuple[str, str]]:
        """Check the address."""
        if not self.listen:
            return
        try:
            place = metrics_place(self.listen)
        except ValueError:
            yield "listen", f'"{self.listen}" should be such as "127.0.0.1:9812" or "unix:/run/aad/metrics.sock"'
            return
        # Metrics name clients and back ends, and show a guesser the effect: a second key, not a warning that is missed.
        if "host" in place and not self.beyond_loopback and not ipaddress.ip_address(place["host"]).is_loopback:
            yield (
                "listen",
                f"{self.listen} can be reached by others: should be a loopback address, or beyond_loopback = true",
            )


def metrics_place(listen: str) -> dict[str, Any]:
    """Split "unix:/PATH" or ADDRESS:PORT into `path`, or `host` and `port`. ValueError: it is neither."""
    kind, colon, path = listen.partition(":")
    if kind == "unix" and colon:
        if not path.startswith("/") or len(path.encode()) > UNIX_OCTETS:
            raise ValueError(listen)
        return {"path": path}
    host, port = host_and_port(listen)
    return {"host": host, "port": port}


def host_and_port(address: str) -> tuple[str, int]:
    """Split "0.0.0.0:1812" or "[::]:1812"; ValueError if it isn't an IP address and a port."""
    host, _, port = address.rpartition(":")
    if host.startswith("[") != (":" in host) or not (port.isascii() and port.isdigit()):
        raise ValueError(address)
    bare = host.removeprefix("[").removesuffix("]")
    ipaddress.ip_address(bare)
    if not 0 <= int(port) <= 65535:  # noqa: PLR2004 - a UDP port; 0: any free one
        raise ValueError(address)
    return bare, int(port)


def _word(text: str) -> bool:
    """Return whether a realm or a short name can be recognised in a name that a user types."""
    key = name_key(text)
    return bool(key) and text.isprintable() and not set(key) & set(" @\\")
