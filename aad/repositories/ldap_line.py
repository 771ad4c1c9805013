"""One connection to one LDAP server. The only door to ldap3: its types and errors stop here.

ldap3's timeouts are per receive, so a server that drips an octet a second, or announces two gigabytes, would hold a
thread for ever. So every operation has an `until` (`time.monotonic()` seconds), and whoever watches over the line
from another thread shuts its socket down then.
"""

from __future__ import annotations

import math
import re
import socket
import ssl
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from aad.repositories import ldap_ber
from aad.repositories.ldap_reasons import PASSWORD_POLICY, SUCCESS, Result

with warnings.catch_warnings():  # ldap3 2.9.1 calls pyasn1 by names of long ago
    warnings.simplefilter("ignore", DeprecationWarning)
    import ldap3
    from ldap3.core.exceptions import LDAPException
    from ldap3.operation.search import compile_filter, parse_filter
    from ldap3.utils.asn1 import encode
    from pyasn1.error import PyAsn1Error

_KEEPALIVE = ((socket.TCP_KEEPIDLE, 60), (socket.TCP_KEEPINTVL, 15), (socket.TCP_KEEPCNT, 4))  # seconds, seconds, times
_RECEIVE_TIMEOUT = 60  # seconds, whole ones, or struct.error; only if nobody watches
_PREFIX = re.compile(r"^.*?\[[^]]*\] ?|^(socket|error|wrap)[^:]*: ?")
_SUFFIX = re.compile(r" \(_ssl\.c:\d+\)$")


class Broken(Exception):  # noqa: N818 - a line breaks, it is no error of ours
    """The connection could not be made, or is of no use any more: what happened."""


class Slow(Broken):
    """The time was up first, however much or little it was."""


@dataclass(frozen=True)
class Entry:
    """One entry of a search: its DN, and its values by the attribute's name in lower case."""

    dn: str
    values: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, kw_only=True)
class Peer:
    """Where a line leads. `security`: "none", "starttls" or "tls"; `tls` verifies chain and name of the other two."""

    host: str
    port: int
    security: str
    tls: ssl.SSLContext | None


class Line:
    """One connection, used by one thread; `watch` alone may be called from any. Every method may raise Broken."""

    def __init__(self, peer: Peer, address: str, seconds: float) -> None:
        """Prepare a connection to one `address` of the peer, which gets `seconds` to take it."""
        self._until = math.inf
        self._peer = peer
        self._connection = ldap3.Connection(
            ldap3.Server(
                address,
                port=peer.port,
                use_ssl=peer.security == "tls",
                tls=_VerifiedTls(peer.tls, peer.host) if peer.tls else None,
                get_info=ldap3.NONE,
                connect_timeout=seconds,
            ),
            client_strategy=ldap3.SYNC,  # a line has one thread; SAFE_SYNC would copy every answer deeply
            auto_referrals=False,  # they would be followed with our credentials
            auto_range=False,
            auto_escape=False,
            check_names=False,
            return_empty_attributes=False,
            receive_timeout=_RECEIVE_TIMEOUT,
        )

    def open(self, until: float) -> None:
        """Connect, and begin TLS if it is wanted: it is never done without."""
        with self._talking(until):
            self._connection.open(read_server_info=False)
            sock = self._connection.socket
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)  # or a firewall forgets an idle connection
            for option, value in _KEEPALIVE:
                sock.setsockopt(socket.IPPROTO_TCP, option, value)
            if self._peer.security == "starttls":
                self._connection.start_tls(read_server_info=False)
            if self._peer.security != "none" and not isinstance(self._connection.socket, ssl.SSLSocket):
                message = "TLS did not begin"
                raise Broken(message)

    def bind(self, dn: str, password: bytes, until: float) -> Result:
        """Bind, and ask what the password policy says. `password`: octets, as ldap3 rewrites text (SASLprep)."""
        if not dn or not password:  # RFC 4513 5.1.2: it would succeed, as anonymous
            message = "a bind without name or password"
            raise ValueError(message)
        with self._talking(until):
            if self._connection.closed:  # Danger: ldap3 would open it anew, without STARTTLS
                message = "closed"
                raise Broken(message)
            number = self._number()
            said, _ = self._asked(number, ldap_ber.bind(number, dn, password, [PASSWORD_POLICY]))
            return _result(said, "bindResponse")

    def search(self, wanted: ldap_ber.Search, until: float) -> tuple[Result, list[Entry]]:
        """Return the entries; referrals are left out."""
        with self._talking(until):
            seconds = max(1, math.ceil(until - self._began))
            number = self._number()
            said, response = self._asked(number, ldap_ber.search(number, wanted, seconds))
            found = [_entry(each) for each in response if each["type"] == "searchResEntry"]
            return _result(said, "searchResDone"), found

    def base_found(self, base: str, until: float) -> Result:
        """Look whether there is an entry at `base`."""
        with self._talking(until):
            self._connection.search(base, "(objectClass=*)", search_scope=ldap3.BASE)
            result, found = _result(self._connection.result, "searchResDone"), self._connection.response
        if result.code == SUCCESS and not found:
            return Result(-1, "nothing that may be read")
        return result

    def watch(self, now: float) -> None:
        """Cut the connection if the operation should be over by `now`; from any thread, again and again."""
        sock = self._connection.socket
        if now >= self._until and sock is not None:
            # Danger: an SSLSocket's own shutdown() first forgets its TLS, so that what the other thread sends in this
            # moment, maybe a password, leaves in the clear.
            with suppress(OSError):
                socket.socket.shutdown(sock, socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the socket, also that of a connection which never came about."""
        sock, self._connection.socket = self._connection.socket, None
        if sock is not None:
            sock.close()

    def _number(self) -> int:
        number: int = self._connection.server.next_message_id()
        return number

    def _asked(self, number: int, octets: bytes) -> tuple[Mapping[str, Any], list[Mapping[str, Any]]]:
        """Send a request of ours, and let ldap3 read what comes back: the result, and the entries before it."""
        strategy = self._connection.strategy
        self._connection.socket.sendall(octets)
        strategy._outstanding[number] = None  # noqa: SLF001 - it reads answers only to what it knows of
        response, said = strategy.get_response(number)
        return said, response

    @contextmanager
    def _talking(self, until: float) -> Iterator[None]:
        self._began, self._until = time.monotonic(), until
        try:
            yield
        except Broken:
            raise
        except Exception as error:  # what a server can make ldap3 raise has no end: KeyError, IndexError ...
            if time.monotonic() >= until:
                message = f"no answer within {until - self._began:.1f} s"
                raise Slow(message) from error
            raise Broken(_said(error)) from error
        finally:
            self._until = math.inf


class _VerifiedTls(ldap3.Tls):  # type: ignore[misc]  # untyped
    """TLS by one shared context: ldap3 makes a new one for each connection (25 ms), and looks at the name afterwards.

    The context checks chain and name within the handshake.
    """

    def __init__(self, context: ssl.SSLContext, host: str) -> None:
        super().__init__(validate=ssl.CERT_REQUIRED)
        self._context = context
        self._host = host

    def wrap_socket(self, connection: Any, do_handshake: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002 - ldap3's
        wrapped = self._context.wrap_socket(
            connection.socket, server_hostname=self._host, do_handshake_on_connect=False
        )
        connection.socket = wrapped  # before the handshake, so that it can be cut
        wrapped.do_handshake()


def compiled(filter_: str) -> bytes:
    """Return a search filter (RFC 4515) as octets (BER). ValueError: it is none."""
    try:
        root = parse_filter(filter_, None, False, False, None, False).elements[0]
        octets: bytes = encode(compile_filter(root))
    except (LDAPException, AttributeError, IndexError, PyAsn1Error) as error:
        message = "no search filter"
        raise ValueError(message) from error
    return octets


def _result(said: Mapping[str, Any], kind: str) -> Result:
    """Read the answer, which has to be of the `kind` that belongs to the request: ldap3 takes any."""
    if said["type"] != kind:
        message = f"a {said['type']} instead of a {kind}"
        raise Broken(message)
    controls = {oid: control["value"] or b"" for oid, control in said.get("controls", {}).items()}
    return Result(said["result"], said["description"], said["message"], controls)


def _entry(response: Mapping[str, Any]) -> Entry:
    values: dict[str, tuple[str, ...]] = {}
    for attribute, octets in response["raw_attributes"].items():
        name, _, option = attribute.lower().partition(";")
        if not option or option.startswith("range="):  # Active Directory, where there are more than 1500 values
            values[name] = (*values.get(name, ()), *(value.decode(errors="replace") for value in octets))
    return Entry(response["raw_dn"].decode(errors="replace"), values)


def _said(error: Exception) -> str:
    """Say what happened. Only texts of ldap3 and the system are passed on: another could quote what was sent."""
    text = str(error) if isinstance(error, LDAPException | OSError) else ""
    if "terminated by server" in text or "abruptly closed" in text:
        return "closed the connection"
    return _SUFFIX.sub("", _PREFIX.sub("", text)) or f"an answer that is no LDAP ({type(error).__name__})"
