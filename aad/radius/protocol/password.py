"""A request -> the user's answer (PAP, CHAP, MS-CHAPv2), or the reason for which it is rejected unchecked.

RFC 2865 5: "If an Attribute is received in an Access-Request but with an invalid Length, an Access-Reject SHOULD be
transmitted." So a malformed password is no PacketError: the client gets a reply.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import md5

from aad.core.answer import Answer, Plain, mangled
from aad.core.outcome import Reason
from aad.core.secret import Secret
from aad.radius.protocol import mschap
from aad.radius.protocol.constants import (
    ARAP_PASSWORD,
    AUTHORIZE_ONLY,
    CHAP_CHALLENGE,
    CHAP_PASSWORD,
    EAP_MESSAGE,
    MS_CHAP2_RESPONSE,
    MS_CHAP2_SUCCESS,
    MS_CHAP_CHALLENGE,
    MS_CHAP_RESPONSE,
    SERVICE_TYPE,
    USER_NAME,
    USER_PASSWORD,
    VENDOR_SPECIFIC,
)
from aad.radius.protocol.packet import Request
from aad.radius.protocol.wire import Attribute, microsoft_attribute

LONGEST = 128  # octets of a User-Password: RFC 2865 5.2
CHARSET = "utf-8"
"""The charset of a User-Password: RFC 2865 5.2 says "string", and leaves it open."""
_BLOCK = 16
_BLANK, _DEL = 0x20, 0x7F
_NOTHING = Secret(b"")


@dataclass(frozen=True)
class UnusablePassword:
    """A request that is rejected unchecked. `what`: words for the log, without its octets."""

    reason: Reason
    what: str


@dataclass(frozen=True)
class Chap:
    """A CHAP answer (RFC 2865 5.3): MD5 over `identifier`, what was typed, and `challenge`."""

    identifier: bytes
    challenge: bytes = field(repr=False)
    response: bytes = field(repr=False)

    @property
    def text(self) -> Secret | None:
        """None: the password can be compared and not read."""
        return None

    @property
    def empty(self) -> bool:
        """Whether nothing was typed."""
        return self.matches(_NOTHING)

    def matches(self, expected: Secret) -> bool:
        """Compare in constant time."""
        return hmac.compare_digest(self.response, chap_response(self.identifier, expected, self.challenge))


@dataclass
class MsChap2:
    """An MS-CHAPv2 answer (RFC 2759, RFC 2548 2.3.2). `success` is set when `matches` has returned True."""

    identifier: bytes
    name: bytes = field(repr=False)
    challenge: bytes = field(repr=False)
    peer_challenge: bytes = field(repr=False)
    response: bytes = field(repr=False)
    success: Attribute | None = field(default=None, repr=False)
    """MS-CHAP2-Success, which belongs into the Access-Accept: it proves that we know the password too."""

    @property
    def text(self) -> Secret | None:
        """None: the password can be compared and not read."""
        return None

    @property
    def empty(self) -> bool:
        """Whether nothing was typed."""
        return self._made_of("")

    def matches(self, expected: Secret) -> bool:
        """Compare in constant time. What isn't UTF-8 can't be typed in MS-CHAPv2."""
        try:
            password = expected.text()
        except ValueError:
            return False
        if not self._made_of(password):
            return False
        proof = mschap.authenticator_response(self.challenge, self.peer_challenge, self.name, password, self.response)
        self.success = microsoft_attribute(MS_CHAP2_SUCCESS, self.identifier + proof)
        return True

    def _made_of(self, password: str) -> bool:
        made = mschap.nt_response(self.challenge, self.peer_challenge, self.name, password)
        return hmac.compare_digest(self.response, made)


def answer_of(request: Request, secret: Secret) -> Answer | UnusablePassword:
    """Return the user's answer; UnusablePassword: there is none that could be checked, or more than one.

    An empty User-Password, which some clients send instead of 16 NULs, is an empty answer. `secret`: the one that the
    request is signed with, if it is signed: a Message-Authenticator has been verified before (`Client.secret_of`).
    """
    if request.first(SERVICE_TYPE) == AUTHORIZE_ONLY and request.state is None:  # RFC 5080 2.1.1
        return UnusablePassword(Reason.UNSUPPORTED, "Authorize-Only without State")
    given = [each for each in request.attributes if each[0] in _OF]
    if VENDOR_SPECIFIC in request.types:
        given += [(-kind, value) for kind in (MS_CHAP2_RESPONSE, MS_CHAP_RESPONSE) for value in request.microsoft(kind)]
    if not given:
        return UnusablePassword(Reason.NO_PASSWORD, "neither User-Password nor CHAP-Password nor MS-CHAP2-Response")
    kind, value = given[0]
    if len(given) > 1 and kind != EAP_MESSAGE:
        # RFC 2865 4.1: "An Access-Request MUST NOT contain both a User-Password and a CHAP-Password."
        return UnusablePassword(Reason.UNSUPPORTED, "more than one password")
    return _OF[kind](request, value, secret)


def encrypt(password: Secret, authenticator: bytes, secret: Secret) -> bytes:
    """Hide a password as User-Password: RFC 2865 5.2. ValueError: more than 128 octets."""
    if len(password) > LONGEST:
        message = f"a User-Password has at most {LONGEST} octets"
        raise ValueError(message)
    padded = password.reveal().ljust(max(_BLOCK, -(-len(password) // _BLOCK) * _BLOCK), b"\0")
    hidden = b""
    for at in range(0, len(padded), _BLOCK):
        hidden += _xor(padded[at : at + _BLOCK], _pad(secret, hidden[-_BLOCK:] or authenticator))
    return hidden


def chap_response(identifier: bytes, password: Secret, challenge: bytes) -> bytes:
    """Return the 16 octets of a CHAP response: RFC 1994 4.1."""
    return md5(identifier + password.reveal() + challenge, usedforsecurity=False).digest()


def _pap(request: Request, value: bytes, secret: Secret) -> Answer | UnusablePassword:
    if len(value) % _BLOCK or len(value) > LONGEST:
        return UnusablePassword(Reason.UNSUPPORTED, f"a User-Password of {len(value)} octets")
    chained = [value[at - _BLOCK : at] or request.authenticator for at in range(0, len(value), _BLOCK)]
    password = _xor(value, b"".join([_pad(secret, before) for before in chained]))
    # RFC 2865 5.2: "The password is first padded at the end with nulls to a multiple of 16 octets." One inside stays.
    typed = password.rstrip(b"\0")
    if request.has_message_authenticator or _is_text(typed):
        return Plain(Secret(typed))
    return _unproven(request, Plain(Secret(typed)))


def _unproven(request: Request, typed: Plain) -> Answer | UnusablePassword:
    """Refuse octets that no user can have typed, where no signature proves the shared secret.

    Decrypted with a wrong secret any password is random octets: no back end is asked, and it isn't counted as a guess.
    """
    if mangled(typed):  # sshd's junk, by pam_radius: control characters, and the secret is right
        return (
            typed if request.state is None else UnusablePassword(Reason.NAME_MANGLED, "it is no answer to a challenge")
        )
    return UnusablePassword(Reason.UNREADABLE, f"what came isn't {CHARSET.upper()}, or holds control characters")


def _is_text(octets: bytes) -> bool:
    """Return whether a user can have typed it: in the charset of clients, without control characters (C0, DEL)."""
    try:
        octets.decode(CHARSET)
    except UnicodeDecodeError:
        return False
    return not any(octet < _BLANK or octet == _DEL for octet in octets)


def _chap(request: Request, value: bytes, secret: Secret) -> Answer | UnusablePassword:
    del secret
    challenges = request.every(CHAP_CHALLENGE)
    # RFC 2865 5.40: a challenge of 16 octets may stand in the Request Authenticator instead.
    challenge = challenges[0] if challenges else request.authenticator
    if len(value) != 17 or len(challenges) > 1 or len(challenge) < 5:  # noqa: PLR2004 - octets: RFC 2865 5.3, 5.40
        return UnusablePassword(Reason.UNSUPPORTED, "a malformed CHAP-Password or CHAP-Challenge")
    return Chap(value[:1], challenge, value[1:])


def _mschap2(request: Request, value: bytes, secret: Secret) -> Answer | UnusablePassword:
    del secret
    challenges = request.microsoft(MS_CHAP_CHALLENGE)
    if len(value) != 50 or list(map(len, challenges)) != [16]:  # noqa: PLR2004 - octets: RFC 2548 2.3.2, 2.1.2
        return UnusablePassword(Reason.UNSUPPORTED, "a malformed MS-CHAP2-Response or MS-CHAP-Challenge")
    # Ident, Flags, Peer-Challenge (16), Reserved (8), Response (24).
    return MsChap2(value[:1], request.first(USER_NAME) or b"", challenges[0], value[2:18], value[26:])


def _unsupported(what: str) -> Callable[[Request, bytes, Secret], Answer | UnusablePassword]:
    return lambda _request, _value, _secret: UnusablePassword(Reason.UNSUPPORTED, what)


_OF = {  # Microsoft's types are negative
    USER_PASSWORD: _pap,
    CHAP_PASSWORD: _chap,
    ARAP_PASSWORD: _unsupported("ARAP"),
    EAP_MESSAGE: _unsupported("EAP"),
    -MS_CHAP2_RESPONSE: _mschap2,
    -MS_CHAP_RESPONSE: _unsupported("MS-CHAP version 1"),
}


def _pad(secret: Secret, before: bytes) -> bytes:
    return md5(secret.reveal() + before, usedforsecurity=False).digest()


def _xor(one: bytes, other: bytes) -> bytes:
    return (int.from_bytes(one) ^ int.from_bytes(other)).to_bytes(len(one))
