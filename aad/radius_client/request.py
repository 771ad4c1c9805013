"""The request that asks another RADIUS server about a password, and what its reply means."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto

from aad.core.secret import Secret
from aad.radius.protocol import client_packets, constants
from aad.radius.protocol.client_packets import Reply
from aad.radius.protocol.password import LONGEST
from aad.radius.protocol.wire import Attribute

LONGEST_VALUE = 253  # octets: RFC 2865 5


class Verdict(Enum):
    """A server's answer to a password."""

    ACCEPTED = auto()
    REJECTED = auto()
    CHALLENGED = auto()  # it wants more than a password


@dataclass(frozen=True, kw_only=True)
class PasswordCheck:
    """Is this the password of that user? `called`: our NAS-Identifier; `caller`: the Calling-Station-Id, or empty.

    ValueError: RADIUS can't carry that name, or that password.
    """

    name: str
    password: Secret = field(repr=False)
    called: str
    caller: str = ""

    def __post_init__(self) -> None:
        """Check the lengths."""
        if not 1 <= len(self.name.encode()) <= LONGEST_VALUE or len(self.password) > LONGEST:
            message = f"a name of more than {LONGEST_VALUE} octets, or a password of more than {LONGEST}"
            raise ValueError(message)

    def attributes(self, authenticator: bytes, secret: Secret) -> list[Attribute]:
        """Return the attributes of a request that has this authenticator; the password goes by PAP."""
        caller = self.caller.encode()
        return [
            (constants.USER_NAME, self.name.encode()),
            *client_packets.pap(self.password, authenticator, secret),
            (constants.NAS_IDENTIFIER, self.called.encode()),  # RFC 2865 4.1: this, or NAS-IP-Address, or both
            *([(constants.CALLING_STATION_ID, caller)] if 1 <= len(caller) <= LONGEST_VALUE else []),
        ]


def verdict(reply: Reply) -> Verdict:
    """Return what an authentic reply says of the password."""
    return _VERDICTS[reply.code]


_VERDICTS = {
    constants.ACCESS_ACCEPT: Verdict.ACCEPTED,
    constants.ACCESS_REJECT: Verdict.REJECTED,
    constants.ACCESS_CHALLENGE: Verdict.CHALLENGED,
}
