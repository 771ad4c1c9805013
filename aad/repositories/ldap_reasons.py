"""What a directory means by the answer to a user's bind. Starts from "could not tell"; success is the rarest case.

A result code alone doesn't say why: Active Directory writes the reason into the message, OpenLDAP and 389 put it into
a control (draft-behera-ldap-password-policy) and let a user in whose password is over, if only to change it. Which
answers prove that the password was right was seen on Samba 4.17 and OpenLDAP 2.5, and is what Microsoft's say.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from aad.core.outcome import Failure, Reason, Success

PASSWORD_POLICY = "1.3.6.1.4.1.42.2.27.8.5.1"  # noqa: S105 - an OID
_PASSWORD_EXPIRED = "2.16.840.1.113730.3.4.4"  # noqa: S105 - an OID; 389, without being asked, on success

SUCCESS = 0
SIZE_LIMIT = 4
STRONGER_AUTH_REQUIRED = 8
CONFIDENTIALITY_REQUIRED = 13
CONSTRAINT_VIOLATION = 19
NO_SUCH_OBJECT = 32
INVALID_CREDENTIALS = 49
BUSY = 51
UNAVAILABLE = 52
UNWILLING = 53

_ACTIVE_DIRECTORY = {
    "525": Reason.UNKNOWN_USER,
    "52e": Reason.WRONG_PASSWORD,
    "530": Reason.LOGIN_HOURS,
    "531": Reason.LOGIN_PLACE,
    "532": Reason.PASSWORD_EXPIRED,
    "533": Reason.ACCOUNT_DISABLED,
    "701": Reason.ACCOUNT_EXPIRED,
    "773": Reason.PASSWORD_MUST_CHANGE,
    "775": Reason.ACCOUNT_LOCKED,
}
_AFTER_THE_PASSWORD = {"530", "531", "532", "533", "701", "773"}
"""What Active Directory says only to who gave the right password; 775 (locked) it says to anybody."""
OPENLDAP, ACTIVE_DIRECTORY = "openldap", "active-directory"
_DATA = re.compile(r"\bdata ([0-9a-f]{3}),", re.IGNORECASE)

_POLICY_ERRORS = {0: Reason.PASSWORD_EXPIRED, 1: Reason.ACCOUNT_LOCKED, 2: Reason.PASSWORD_MUST_CHANGE}
_SEQUENCE, _WARNING, _ERROR = 0x30, 0xA0, 0x81  # BER tags
_GRACE = 0x81  # within the warning
_HEADER, _LONG = 2, 0x80  # octets of tag and length; the bit of a long length

_REFUSED_BY_389 = (
    (UNWILLING, "account inactivated", Reason.ACCOUNT_DISABLED),
    (CONSTRAINT_VIOLATION, "exceed password retry limit", Reason.ACCOUNT_LOCKED),
)


@dataclass(frozen=True)
class Result:
    """An LDAPResult (RFC 4511 4.1.9) and the values of its controls, by OID."""

    code: int
    name: str
    message: str = ""
    controls: Mapping[str, bytes] = field(default_factory=dict)

    def __str__(self) -> str:
        """Say it to an administrator."""
        printable = "".join(char if char.isprintable() else " " for char in self.message)
        message = " ".join(printable.split())[:200]
        said = f"{self.name} ({self.code}{f': {message}' if message else ''})"
        if self.code in {STRONGER_AUTH_REQUIRED, CONFIDENTIALITY_REQUIRED}:
            return f"{said}: it demands TLS, so use ldaps:// or starttls = true"
        return said


def verdict(result: Result, directory: str = "") -> Success | Failure | None:
    """Say what the answer to a user's bind means; None: neither yes nor no.

    `directory`: OPENLDAP, ACTIVE_DIRECTORY, or empty: nobody knows what it is.
    """
    try:
        policy = _policy_reason(result)
    except ValueError:
        return None
    if result.code == SUCCESS:  # a user who may only change his password isn't let in
        return Failure(policy, proven=True) if policy else Success()
    if result.code == INVALID_CREDENTIALS:
        return _invalid_credentials(result.message, policy, directory)
    if result.code == NO_SUCH_OBJECT:
        return Failure(Reason.UNKNOWN_USER)
    for code, words, reason in _REFUSED_BY_389:
        if result.code == code and words in result.message.lower():
            return Failure(reason)
    return None


def _invalid_credentials(message: str, policy: str, directory: str) -> Failure:
    if policy:
        # OpenLDAP looks at a password's age once it was right; not every directory does.
        return Failure(policy, proven=policy == Reason.PASSWORD_EXPIRED and directory == OPENLDAP)
    match = _DATA.search(message)
    if not match:
        return Failure(Reason.WRONG_PASSWORD)
    code = match[1].lower()
    reason = _ACTIVE_DIRECTORY.get(code, f"refused by Active Directory: data {code}")
    return Failure(reason, proven=code in _AFTER_THE_PASSWORD)


def _policy_reason(result: Result) -> str:
    """Read what the directory's password policy says against the user; ValueError if it can't be read.

    PasswordPolicyResponseValue ::= SEQUENCE {
        warning [0] CHOICE { timeBeforeExpiration [0] INTEGER, graceAuthNsRemaining [1] INTEGER } OPTIONAL,
        error   [1] ENUMERATED { passwordExpired (0), accountLocked (1), changeAfterReset (2), ... } OPTIONAL }
    """
    if _PASSWORD_EXPIRED in result.controls:
        return Reason.PASSWORD_EXPIRED
    if not (octets := result.controls.get(PASSWORD_POLICY)):
        return ""
    ((tag, content),) = _elements(octets)
    fields = dict(_elements(content))
    if tag != _SEQUENCE or not fields.keys() <= {_WARNING, _ERROR}:
        raise ValueError
    if _ERROR in fields:
        number = int.from_bytes(fields[_ERROR], "big")
        return _POLICY_ERRORS.get(number, f"refused by the password policy: error {number}")
    graced = _WARNING in fields and _GRACE in dict(_elements(fields[_WARNING]))
    return Reason.PASSWORD_EXPIRED if graced else ""


def _elements(octets: bytes) -> list[tuple[int, bytes]]:
    """Split BER into tags and contents; ValueError."""
    elements = []
    while octets:
        if len(octets) < _HEADER:
            raise ValueError
        tag, length, start = octets[0], octets[1], _HEADER
        if length & _LONG:  # then it is the length of the length; some directories write even short ones so
            start += length - _LONG
            length = int.from_bytes(octets[_HEADER:start], "big")
        if len(octets) < start + length:
            raise ValueError
        elements.append((tag, octets[start : start + length]))
        octets = octets[start + length :]
    return elements
