"""[https] of aad.toml and what stands below it: each key, its default and a sentence."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from aad.config import certificate
from aad.config.client import Client, networks_faults
from aad.config.portal import NAME as PORTAL
from aad.config.portal import Portal
from aad.config.sections import host_and_port
from aad.core.secret import Secret
from aad.core.settings import Duration, option
from aad.core.user_address import Networks

SOON = 14 * 86400.0  # seconds before its end in which a certificate is warned about
NEEDS = ("h11",)  # modules of the extra
_HASH = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True)
class ApiKey:
    """[https.keys.NAME]: a website, or several alike. To chains, limits and the log it is a client of this name."""

    hash: str = option(doc="SHA-256 of its key, in hex; aad make-key NAME makes both.")
    old_hash: str = option("", "SHA-256 of the previous key, while it is being changed.")
    event: str = option(doc="The event its users log in for.", names="events")
    further_events: tuple[str, ...] = option(
        (), "Other events that a request may name instead.", names="events", every=False
    )
    tell_groups: bool = option(default=False, doc="true: the website is told the groups of a user who is let in.")
    networks: tuple[str, ...] = option((), "Addresses or networks that may use it; default: all.")
    deadline: Duration = option(
        Duration(10.0), "How long the website waits for an answer; LDAP and SMTP share it.", at_least=0.1, at_most=60.0
    )

    def faults(self) -> Iterator[tuple[str, str]]:
        """Check hashes and networks."""
        for key in ("hash", "old_hash"):
            value = getattr(self, key)
            if not _HASH.fullmatch(value) and (value or key == "hash"):
                yield key, "should be 64 hexadecimal digits; make a key and its hash with: aad make-key NAME"
        yield from networks_faults("networks", self.networks)


def events_by_client(clients: Mapping[str, Client], https: Https | None) -> dict[str, tuple[str, ...]]:
    """Return each client, website and the portal, with the events that it may ask for, the usual one first."""
    found: dict[str, tuple[str, ...]] = {name: (client.event,) for name, client in clients.items()}
    if https is None:
        return found
    found |= {name: (key.event, *key.further_events) for name, key in https.keys.items()}
    return found | ({PORTAL: (https.portal.event,)} if https.portal else {})


@dataclass(frozen=True, kw_only=True)
class Https:
    """[https]: the API for websites, and the portal. Without it, none of it runs."""

    listen: tuple[str, ...] = option(("[::]:8443",), "Addresses and ports where HTTPS is served.")
    certificate: Path = option(doc="The server's certificate and the intermediate ones, in PEM.")
    key: Secret = option(doc="Its private key, in PEM, without a passphrase.")
    trusted_proxies: tuple[str, ...] = option((), "Proxies whose X-Forwarded-For or Forwarded header is believed.")
    never_slowed: tuple[str, ...] = option(
        (), "Networks in which failed logins delay no other login: an office that has many users behind one address."
    )
    connections: int = option(500, "Connections at the same time, at most.", at_least=10, at_most=100_000)
    keys: Mapping[str, ApiKey] = option({}, "The websites that may log users in.")
    portal: Portal | None = option(None, "The self-service portal; without the table there is none.")

    def faults(self) -> Iterator[tuple[str, str]]:
        """Check that it can be served."""
        if missing := [name for name in NEEDS if find_spec(name) is None]:
            yield "", f"needs {', '.join(missing)}: pip install 'aad[https]'"
        for number, address in enumerate(self.listen):
            try:
                host_and_port(address)
            except ValueError:
                yield f"listen.[{number}]", f'"{address}" should be ADDRESS:PORT, such as "[::]:8443"'
        if not self.listen:
            yield "listen", "should name at least one address"
        yield from networks_faults("trusted_proxies", self.trusted_proxies)
        yield from networks_faults("never_slowed", self.never_slowed)
        if self.portal and PORTAL in self.keys:
            yield f"keys.{PORTAL}", "has the name of the portal"
        try:
            certificate.context(self.chain(), self.key)
            certificate.ends(self.chain())
        except OSError as error:
            yield "certificate", f"{self.certificate} can't be read: {error.strerror}"
        except ValueError as error:
            yield "certificate", f"{self.certificate} {error}"

    def warnings(self) -> Iterator[tuple[str, str]]:
        """Warn of a certificate that ends, and of networks that no key is used from."""
        yield from self._used_by_proxies()
        try:
            left = certificate.ends(self.chain()) - time.time()
        except (OSError, ValueError):
            return
        if left < 0:
            yield "certificate", f"{self.certificate} has expired: nobody trusts it any more"
        elif left < SOON:
            yield "certificate", f"{self.certificate} expires in {left / 86400:.0f} days"

    def _used_by_proxies(self) -> Iterator[tuple[str, str]]:
        """Warn of networks of a key that are proxies': a proxy's address is never that of the website behind it."""
        try:
            trusted = Networks(self.trusted_proxies)
            for name, key in self.keys.items():
                for number, each in enumerate(key.networks):
                    if trusted.covers(each):
                        where = f"keys.{name}.networks.[{number}]"
                        yield where, f"{each} is in trusted_proxies, so no request that the key is for comes from there"
        except ValueError:  # a malformed network is a fault, reported elsewhere
            return

    def chain(self) -> bytes:
        """Return the certificates. OSError: they can't be read."""
        return self.certificate.read_bytes()
