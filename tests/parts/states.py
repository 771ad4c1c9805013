"""Accounts in every state that a directory can hold them in, and a schema with which slapd plays other directories."""

from __future__ import annotations

from tests.parts.directory import Person

LONG_AGO, FAR_AHEAD = "20200101000000Z", "21060101000000Z"
_FILETIME_2012, _FILETIME_2106 = "130000000000000000", "159000000000000000"
_TEXTS = (
    *("userAccountControl", "msDS-User-Account-Control-Computed", "accountExpires", "lockoutTime", "pwdLastSet"),
    *("msDS-UserAccountDisabled", "ms-DS-UserAccountAutoLocked", "nsAccountLock", "accountUnlockTime"),
    *("krbPrincipalExpiration", "krbPasswordExpiration", "krbLastPwdChange", "passwordExpirationTime", "loginTime"),
    *("loginDisabled", "loginExpirationTime", "lockedByIntruder", "loginIntruderResetTime"),
    *("shadowExpire", "shadowLastChange"),
)
OF_PPOLICY = ("pwdAccountLockedTime", "pwdAccountTmpLockoutEnd", "pwdReset", "pwdStartTime", "pwdEndTime")
SCHEMA = "\n".join(  # texts, so that anything may stand there; the number is of those for examples (RFC 5612)
    f"attributetype ( 1.3.6.1.4.1.32473.1.{number} NAME '{name}' SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )"
    for number, name in enumerate(_TEXTS)
)
HIDDEN = f"access to attrs={','.join((*_TEXTS, *OF_PPOLICY, 'pwdChangedTime'))} by * none"
"""The rule of access by which nobody sees any of them."""

_AD = {"userAccountControl": "512", "accountExpires": "9223372036854775807", "pwdLastSet": _FILETIME_2012}
_COMPUTED = {"msDS-User-Account-Control-Computed": "0"}
DISABLED, EXPIRED = "account disabled", "account expired"
LOCKED, MUST, OLD = "account locked in the directory", "password must be changed", "password expired"
BARRED: dict[str, tuple[dict[str, str], str]] = {
    "ad-disabled": ({**_AD, **_COMPUTED, "userAccountControl": "514"}, f"{DISABLED} (userAccountControl)"),
    "ad-expired": ({**_AD, **_COMPUTED, "accountExpires": _FILETIME_2012}, f"{EXPIRED} (accountExpires)"),
    "ad-locked": ({**_AD, "lockoutTime": _FILETIME_2012}, f"{LOCKED} (lockoutTime)"),
    "ad-computed": (
        {**_AD, "msDS-User-Account-Control-Computed": "16"},
        f"{LOCKED} (msDS-User-Account-Control-Computed)",
    ),
    "ad-must-change": ({**_AD, "pwdLastSet": "0"}, f"{MUST} (pwdLastSet)"),
    "lds-disabled": ({"msDS-UserAccountDisabled": "TRUE"}, f"{DISABLED} (msDS-UserAccountDisabled)"),
    "lds-locked": (
        {"msDS-UserAccountDisabled": "FALSE", "ms-DS-UserAccountAutoLocked": "TRUE"},
        f"{LOCKED} (ms-DS-UserAccountAutoLocked)",
    ),
    "ppolicy-locked": ({"pwdAccountLockedTime": "000001010000Z"}, f"{LOCKED} (pwdAccountLockedTime)"),
    "ppolicy-locked-once": ({"pwdAccountLockedTime": LONG_AGO}, f"{LOCKED} (pwdAccountLockedTime)"),
    "ppolicy-reset": ({"pwdReset": "TRUE"}, f"{MUST} (pwdReset)"),
    "ppolicy-not-yet": ({"pwdStartTime": FAR_AHEAD}, f"{DISABLED} (pwdStartTime)"),
    "ppolicy-over": ({"pwdEndTime": LONG_AGO}, f"{EXPIRED} (pwdEndTime)"),
    "389-disabled": ({"nsAccountLock": "true"}, f"{DISABLED} (nsAccountLock)"),
    "389-locked": ({"accountUnlockTime": "19700101000000Z"}, f"{LOCKED} (accountUnlockTime)"),
    "ipa-disabled": ({"nsAccountLock": "TRUE"}, f"{DISABLED} (nsAccountLock)"),
    "ipa-expired": ({"krbPrincipalExpiration": LONG_AGO}, f"{EXPIRED} (krbPrincipalExpiration)"),
    "ipa-password": ({"krbPasswordExpiration": LONG_AGO}, f"{OLD} (krbPasswordExpiration)"),
    "edir-disabled": ({"loginDisabled": "TRUE"}, f"{DISABLED} (loginDisabled)"),
    "edir-expired": ({"loginExpirationTime": LONG_AGO}, f"{EXPIRED} (loginExpirationTime)"),
    "edir-locked": ({"lockedByIntruder": "TRUE"}, f"{LOCKED} (lockedByIntruder)"),
    "shadow-expired": ({"shadowExpire": "18262"}, f"{EXPIRED} (shadowExpire)"),
}
"""By name: the attributes of somebody who may not get in, and the reason."""

UNKNOWN: dict[str, tuple[dict[str, str], str]] = {
    "garbage": ({**_AD, **_COMPUTED, "accountExpires": "tomorrow"}, "accountExpires can't be read"),
    "huge": ({**_AD, **_COMPUTED, "accountExpires": "9" * 19}, "accountExpires can't be read"),
    "maybe": ({"nsAccountLock": "yes"}, "nsAccountLock can't be read"),
    "no-such-day": ({"krbPrincipalExpiration": "21060230000000Z"}, "krbPrincipalExpiration can't be read"),
    "half-of-ad": ({"pwdLastSet": _FILETIME_2012, "accountExpires": "0"}, "userAccountControl is hidden"),
}
"""The same for what can't be told."""

FINE: dict[str, dict[str, str]] = {
    "plain": {},
    "ad-fine": {**_AD, **_COMPUTED, "lockoutTime": "0"},
    "ad-temporary": {**_AD, **_COMPUTED, "accountExpires": _FILETIME_2106},
    "ad-zero": {**_AD, **_COMPUTED, "accountExpires": "0"},
    "ad-unlocked": {**_AD, **_COMPUTED, "lockoutTime": _FILETIME_2012},
    "ad-never-changes": {**_AD, **_COMPUTED, "userAccountControl": "66048", "pwdLastSet": "0"},
    "ppolicy-fine": {"pwdReset": "FALSE", "pwdStartTime": LONG_AGO, "pwdEndTime": FAR_AHEAD},
    "389-fine": {"nsAccountLock": "false", "accountUnlockTime": LONG_AGO},
    "ipa-fine": {"krbPrincipalExpiration": FAR_AHEAD, "krbPasswordExpiration": FAR_AHEAD, "nsAccountLock": "FALSE"},
    "edir-fine": {"loginDisabled": "FALSE", "lockedByIntruder": "TRUE", "loginIntruderResetTime": LONG_AGO},
    "shadow-fine": {"shadowExpire": "-1"},
    "shadow-ahead": {"shadowExpire": "49673"},
}
"""By name: the attributes of somebody who gets in."""


def people(password: str) -> list[Person]:
    """Return all of them."""
    held = {name: attributes for name, (attributes, _) in (*BARRED.items(), *UNKNOWN.items())} | FINE
    return [
        Person(name, password, mail=(f"{name}@example.com",), extra=attributes) for name, attributes in held.items()
    ]
