"""The user's IP address, from the attribute of a request that `address_attribute` names."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address

from aad.core.user_address import Unknown, UserAddress, of_a_host, read
from aad.radius.protocol.constants import CALLING_STATION_ID, VENDOR_SPECIFIC
from aad.radius.protocol.packet import Request
from aad.radius.protocol.wire import inside

_MOST_TAG = 0x1F
_LENGTHS = {"ipaddr": 4, "ipv6addr": 16}


@dataclass(frozen=True)
class UserAddressAttribute:
    """An attribute that may hold it: its number, its vendor (0: none), and its data type ("string", "ipaddr").

    `tagged`: a text may have a tag before it (RFC 2868 3.3).
    """

    kind: int = CALLING_STATION_ID
    vendor: int = 0
    type: str = "string"
    tagged: bool = False
    name: str = field(default="Calling-Station-Id", compare=False)

    def address(self, request: Request) -> UserAddress:
        """Return the user's address; `Unknown` where the attribute is absent, doubled, or can't be read."""
        if self.vendor:
            outer = request.every(VENDOR_SPECIFIC)
            values = [value for each in outer for kind, value in inside(each, self.vendor) if kind == self.kind]
        else:
            values = request.every(self.kind)
        if len(values) != 1:
            return Unknown(f"{self.name} is there more than once" if values else f"there is no {self.name}")
        found = self._read(values[0])
        return Unknown(f"{self.name} {found.why}", found.found) if isinstance(found, Unknown) else found

    def _read(self, octets: bytes) -> UserAddress:
        if self.type == "string":
            # RFC 2868 3.3: a first octet above 0x1F is no tag, but "the first byte of the following String field".
            tag = 1 if self.tagged and octets and octets[0] <= _MOST_TAG else 0
            return read(octets[tag:].decode("utf-8", "replace"))
        if len(octets) != _LENGTHS[self.type]:
            return Unknown(f"has another length than {_LENGTHS[self.type]} octets")
        return of_a_host(IPv4Address(octets) if self.type == "ipaddr" else IPv6Address(octets))
