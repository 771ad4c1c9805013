"""Result codes, and what the answer to a user's bind means. Starts from "could not tell"; success is the rarest case.

A result code alone doesn't say why: Active Directory writes the reason into the message, OpenLDAP and 389 put it into
a control (draft-behera-ldap-password-policy) and let a user in whose password is over, if only to change it. Which
answers prove that the password was right was seen on Samba 4.17 and OpenLDAP 2.5, and is what Microsoft's say.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from aad.core.outcome import Failure, Reason, Success
from aad.repositories.ldap.encode import SEQUENCE, elements, unsigned

PASSWORD_POLICY = "1.3.6.1.4.1.42.2.27.8.5.1"  # noqa: S105 - an OID
_PASSWORD_EXPIRED = "2.16.840.1.113730.3.4.4"  # noqa: S105 - an OID; 389, without being asked, on success

SUCCESS = 0
OPERATIONS_ERROR = 1
SIZE_LIMIT = 4
STRONGER_AUTH_REQUIRED = 8
REFERRAL = 10
CONFIDENTIALITY_REQUIRED = 13
CONSTRAINT_VIOLATION = 19
NO_SUCH_OBJECT = 32
INVALID_DN_SYNTAX = 34
INAPPROPRIATE_AUTHENTICATION = 48
INVALID_CREDENTIALS = 49
INSUFFICIENT_ACCESS_RIGHTS = 50
BUSY = 51
UNAVAILABLE = 52
UNWILLING = 53
NAMES = {  # RFC 4511 A.1 and 4.1.9; of what else there may be only the number is known
    0: "success",
    1: "operationsError",
    2: "protocolError",
    3: "timeLimitExceeded",
    4: "sizeLimitExceeded",
    7: "authMethodNotSupported",
    8: "strongerAuthRequired",
    10: "referral",
    11: "adminLimitExceeded",
    12: "unavailableCriticalExtension",
    13: "confidentialityRequired",
    14: "saslBindInProgress",
    16: "noSuchAttribute",
    17: "undefinedAttributeType",
    18: "inappropriateMatching",
    19: "constraintViolation",
    21: "invalidAttributeSyntax",
    32: "noSuchObject",
    33: "aliasProblem",
    34: "invalidDNSyntax",
    36: "aliasDereferencingProblem",
    48: "inappropriateAuthentication",
    49: "invalidCredentials",
    50: "insufficientAccessRights",
    51: "busy",
    52: "unavailable",
    53: "unwillingToPerform",
    54: "loopDetected",
    80: "other",
    118: "canceled",
    123: "authorizationDenied",
}

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
"""What Active Directory says only after the right password; 775 (locked) it says after any."""
OPENLDAP, ACTIVE_DIRECTORY = "openldap", "active-directory"
_DATA = re.compile(r"\bdata ([0-9a-f]{3}),", re.IGNORECASE)

_POLICY_ERRORS = {0: Reason.PASSWORD_EXPIRED, 1: Reason.ACCOUNT_LOCKED, 2: Reason.PASSWORD_MUST_CHANGE}
_WARNING, _ERROR = 0xA0, 0x81  # BER tags
_GRACE = 0x81  # within the warning

_REFUSED_BY_389 = (
    (UNWILLING, "account inactivated", Reason.ACCOUNT_DISABLED),
    (CONSTRAINT_VIOLATION, "exceed password retry limit", Reason.ACCOUNT_LOCKED),
)
OURS = {
    *(OPERATIONS_ERROR, STRONGER_AUTH_REQUIRED, REFERRAL, CONFIDENTIALITY_REQUIRED),
    *(NO_SUCH_OBJECT, INVALID_DN_SYNTAX, INAPPROPRIATE_AUTHENTICATION, INSUFFICIENT_ACCESS_RIGHTS),
}
"""What a directory says to a search when it means the account that searches, or the base, for any user.

Active Directory says "operationsError" on a connection that isn't bound.
"""
_OF_THE_USER = {CONSTRAINT_VIOLATION, INAPPROPRIATE_AUTHENTICATION, INSUFFICIENT_ACCESS_RIGHTS, UNWILLING}
"""What a directory says of one account: there is no password, or it may not be tried."""


@dataclass(frozen=True)
class Result:
    """An LDAPResult (RFC 4511 4.1.9) and the values of its controls, by OID."""

    code: int
    name: str
    message: str = ""
    controls: Mapping[str, bytes] = field(default_factory=dict)

    def __str__(self) -> str:
        """Write it for an administrator, with 200 characters of the server's message at most."""
        printable = "".join(char if char.isprintable() else " " for char in self.message)
        message = " ".join(printable.split())[:200]
        text = f"{self.name} ({self.code}{f': {message}' if message else ''})"
        if self.code in {STRONGER_AUTH_REQUIRED, CONFIDENTIALITY_REQUIRED}:
            return f"{text}: it demands TLS, so use ldaps:// or starttls = true"
        return text


def verdict(result: Result, directory: str = "") -> Success | Failure | None:
    """Return what the answer to a user's bind means; None: neither yes nor no.

    `directory`: OPENLDAP, ACTIVE_DIRECTORY, or empty: not known.
    """
    try:
        policy = _policy_reason(result)
    except ValueError:
        return None
    if result.code == SUCCESS:  # a user who may only change their password isn't let in
        return Failure(policy, proven=True) if policy else Success()
    if result.code == INVALID_CREDENTIALS:
        return _invalid_credentials(result.message, policy, directory)
    if result.code == NO_SUCH_OBJECT:
        return Failure(Reason.UNKNOWN_USER)
    for code, phrase, reason in _REFUSED_BY_389:
        if result.code == code and phrase in result.message.lower():
            return Failure(reason)
    return Failure(f"refused by the directory: {result}") if result.code in _OF_THE_USER else None


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
    """Return what the directory's password policy says against the user; "": nothing. ValueError: it can't be read.

    PasswordPolicyResponseValue ::= SEQUENCE {
        warning [0] CHOICE { timeBeforeExpiration [0] INTEGER, graceAuthNsRemaining [1] INTEGER } OPTIONAL,
        error   [1] ENUMERATED { passwordExpired (0), accountLocked (1), changeAfterReset (2), ... } OPTIONAL }
    """
    if _PASSWORD_EXPIRED in result.controls:
        return Reason.PASSWORD_EXPIRED
    if not (octets := result.controls.get(PASSWORD_POLICY)):
        return ""
    ((tag, content),) = _fields(octets)
    fields = dict(_fields(content))
    if tag != SEQUENCE or not fields.keys() <= {_WARNING, _ERROR}:
        raise ValueError
    if _ERROR in fields:
        number = unsigned(fields[_ERROR])
        return _POLICY_ERRORS.get(number, f"refused by the password policy: error {number}")
    graced = _WARNING in fields and _GRACE in dict(_fields(fields[_WARNING]))
    return Reason.PASSWORD_EXPIRED if graced else ""


def _fields(octets: bytes) -> list[tuple[int, bytes]]:
    """Split octets into tags and contents, two at most. ValueError."""
    return [(tag, octets[start:end]) for tag, start, end in elements(octets, 0, len(octets), 2)]
