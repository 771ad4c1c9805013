"""Where the user is, out of the attribute of a request that tells it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

from aad.radius.names import CALLING_STATION_ID, VENDOR_SPECIFIC
from aad.radius.packet import Request
from aad.radius.wire import inside

_WITH_PORT = re.compile(r"\[([^]]*)\](?::[0-9]+)?|([^:\[]*)(?::[0-9]+|\[[0-9]+\])")  # strongSwan: 192.0.2.7[4500]
_LENGTHS = {"ipaddr": 4, "ipv6addr": 16}


@dataclass(frozen=True)
class Source:
    """An attribute that tells it: its type, the vendor it is of (0: none), and what it holds ("string", "ipaddr")."""

    kind: int = CALLING_STATION_ID
    vendor: int = 0
    type: str = "string"

    def address(self, request: Request) -> str:
        """Return the address that the request tells; empty: none, or none that is one, or two of them."""
        if self.vendor:
            outer = request.every(VENDOR_SPECIFIC)
            values = [value for each in outer for kind, value in inside(each, self.vendor) if kind == self.kind]
        else:
            values = request.every(self.kind)
        return self._read(values[0]) if len(values) == 1 else ""

    def _read(self, octets: bytes) -> str:
        if self.type == "string":
            return address_in(octets.decode(errors="replace"))
        if len(octets) != _LENGTHS[self.type]:
            return ""
        return str(IPv4Address(octets) if self.type == "ipaddr" else IPv6Address(octets))


def address_in(text: str) -> str:
    """Return the IP address in "192.0.2.7", "192.0.2.7:4500", "[2001:db8::7]:4500"; of anything else, a MAC: empty."""
    text = text.strip()
    if match := _WITH_PORT.fullmatch(text):
        text = match[1] or match[2]
    try:
        return str(ip_address(text))
    except ValueError:
        return ""
