"""Whether an account is disabled, expired, locked or its password to be changed, by its attributes. Pure.

These attributes ("marks") decide where no bind asks the directory for the password, and say what its answer to a bind
would. A mark that is there and can't be read is unknown, and so is an account of Active Directory whose marks are
hidden from the account that searches.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from aad.core.identity import Bar
from aad.core.outcome import Reason
from aad.repositories.ldap.result_codes import ACTIVE_DIRECTORY
from aad.repositories.ldap.values import file_time, flag, number, time

Values = Mapping[str, tuple[str, ...]]  # by the attribute's name in lower case

_CONTROL, _COMPUTED = "userAccountControl", "msDS-User-Account-Control-Computed"
_LDS_DISABLED = "msDS-UserAccountDisabled"  # AD LDS has this instead of userAccountControl
_DISABLED, _LOCKED, _EXPIRED_PASSWORD = 0x2, 0x10, 0x80_0000  # MS-ADTS 2.2.16 and 3.1.1.4.5.17
_PASSWORD_NEVER_EXPIRES = 0x1_0000 | 0x4_0000  # the second: only with a smart card
_NEVER = (0, 0x7FFF_FFFF_FFFF_FFFF)  # MS-ADTS, accountExpires
_DAY = 86_400  # seconds
_GRAVEST = (
    Reason.ACCOUNT_DISABLED,
    Reason.ACCOUNT_EXPIRED,
    Reason.ACCOUNT_LOCKED,
    Reason.PASSWORD_MUST_CHANGE,
    Reason.PASSWORD_EXPIRED,
)
SAMPLE = 20  # users that are looked at by `aad check --online`
_SIGNS = ("pwdChangedTime", "krbLastPwdChange", "passwordExpirationTime", "shadowLastChange", "loginTime")
"""No marks; but an account that may read these may most likely read the marks beside them."""


@dataclass(frozen=True)
class _Account:
    """The marks of one user, and `now`: the wall clock's seconds since 1970."""

    values: Values
    now: float

    def held(self, attribute: str) -> int | None:
        """Return the one number that an attribute holds; None: it is hidden, or no number."""
        try:
            (value,) = self.values.get(attribute.lower(), ())
            return number(value)
        except ValueError:
            return None

    def seen(self, *attributes: str) -> bool:
        """Say whether one of them is there."""
        return any(self.values.get(attribute.lower()) for attribute in attributes)


Judge = Callable[[str, _Account], Reason | None]


def _if_true(reason: Reason) -> Judge:
    return lambda value, _account: reason if flag(value) else None


def _from(reason: Reason) -> Judge:
    return lambda value, account: reason if time(value) <= account.now else None


def _until(reason: Reason) -> Judge:
    return lambda value, account: reason if account.now < time(value) else None


def _control(value: str, _account: _Account) -> Reason | None:
    bits = number(value)
    if bits & _DISABLED:
        return Reason.ACCOUNT_DISABLED
    if bits & _LOCKED:
        return Reason.ACCOUNT_LOCKED
    return Reason.PASSWORD_EXPIRED if bits & _EXPIRED_PASSWORD else None


def _computed(value: str, account: _Account) -> Reason | None:
    """Read what the domain controller computes, which knows how long a lockout and a password last."""
    reason = _control(value, account)
    must = reason is Reason.PASSWORD_EXPIRED and account.held("pwdLastSet") == 0
    return Reason.PASSWORD_MUST_CHANGE if must else reason


def _locked_at(value: str, account: _Account) -> Reason | None:
    """Read lockoutTime. How long the domain locks isn't known here: without `_COMPUTED`, for good."""
    locked = number(value) != 0 and account.held(_COMPUTED) is None
    return Reason.ACCOUNT_LOCKED if locked else None


def _set_at(value: str, account: _Account) -> Reason | None:
    """Read pwdLastSet: 0 is to be changed, unless it is one that never expires (MS-ADTS 3.1.1.4.5.17)."""
    kept = (account.held(_CONTROL) or 0) & _PASSWORD_NEVER_EXPIRES
    must = number(value) == 0 and not kept and account.held(_COMPUTED) is None
    return Reason.PASSWORD_MUST_CHANGE if must else None


def _expires_at(value: str, account: _Account) -> Reason | None:
    over = number(value) not in _NEVER and file_time(value) <= account.now
    return Reason.ACCOUNT_EXPIRED if over else None


def _always_locked(_value: str, _account: _Account) -> Reason | None:
    """Read pwdAccountLockedTime. How long the policy locks isn't known here, so: till it is gone."""
    return Reason.ACCOUNT_LOCKED


def _unlocked_at(value: str, account: _Account) -> Reason | None:
    """Read 389's accountUnlockTime; 1970 stands for never."""
    return Reason.ACCOUNT_LOCKED if not 0 < time(value) <= account.now else None


def _intruder(value: str, account: _Account) -> Reason | None:
    """Read eDirectory's lockedByIntruder, which stays till the next bind: the time of the reset goes before."""
    if not flag(value):
        return None
    resets = [time(reset) for reset in account.values.get("loginintruderresettime", ())]
    return None if resets and max(resets) <= account.now else Reason.ACCOUNT_LOCKED


def _day(value: str, account: _Account) -> Reason | None:
    """Read shadowExpire, the first day (since 1970) that an account isn't good for; -1 is never (shadow(5))."""
    day = number(value)
    return Reason.ACCOUNT_EXPIRED if day != -1 and day * _DAY <= account.now else None


def _nothing(_value: str, _account: _Account) -> None:
    """Read what another mark's judge reads."""


_OF_ACTIVE_DIRECTORY: Mapping[str, Judge] = {
    _CONTROL: _control,
    _COMPUTED: _computed,
    "accountExpires": _expires_at,
    "lockoutTime": _locked_at,
    "pwdLastSet": _set_at,
}
_OF_ANY: Mapping[str, Judge] = {
    **_OF_ACTIVE_DIRECTORY,
    _LDS_DISABLED: _if_true(Reason.ACCOUNT_DISABLED),
    "ms-DS-UserAccountAutoLocked": _if_true(Reason.ACCOUNT_LOCKED),
    # OpenLDAP's overlay ppolicy (draft-behera-ldap-password-policy 5.3)
    "pwdAccountLockedTime": _always_locked,
    "pwdAccountTmpLockoutEnd": _until(Reason.ACCOUNT_LOCKED),
    "pwdReset": _if_true(Reason.PASSWORD_MUST_CHANGE),
    "pwdStartTime": _until(Reason.ACCOUNT_DISABLED),
    "pwdEndTime": _from(Reason.ACCOUNT_EXPIRED),
    # 389 and FreeIPA
    "nsAccountLock": _if_true(Reason.ACCOUNT_DISABLED),
    "accountUnlockTime": _unlocked_at,
    "krbPrincipalExpiration": _from(Reason.ACCOUNT_EXPIRED),
    "krbPasswordExpiration": _from(Reason.PASSWORD_EXPIRED),
    # eDirectory
    "loginDisabled": _if_true(Reason.ACCOUNT_DISABLED),
    "loginExpirationTime": _from(Reason.ACCOUNT_EXPIRED),
    "lockedByIntruder": _intruder,
    "loginIntruderResetTime": _nothing,
    # RFC 2307
    "shadowExpire": _day,
}


def marks(directory: str = "") -> tuple[str, ...]:
    """Return the attributes that are asked for; `directory` as in the settings."""
    return tuple(_OF_ACTIVE_DIRECTORY if directory == ACTIVE_DIRECTORY else _OF_ANY)


def sampled(directory: str = "") -> tuple[str, ...]:
    """Return what is asked for of a sample of users."""
    return marks(directory) if directory == ACTIVE_DIRECTORY else (*marks(directory), *_SIGNS)


def bar(values: Values, now: float, directory: str = "") -> Bar | None:
    """Return what a user's marks hold against the account, the gravest first; None: nothing. `now`: since 1970."""
    account, found, unread = _Account(values, now), dict[Reason, str](), list[str]()
    for attribute, judge in (_OF_ACTIVE_DIRECTORY if directory == ACTIVE_DIRECTORY else _OF_ANY).items():
        for value in values.get(attribute.lower(), ()):
            try:
                reason = judge(value, account)
            except ValueError:
                unread.append(attribute)
            else:
                found |= {reason: attribute} if reason and reason not in found else {}
    for reason in _GRAVEST:
        if reason in found:
            return Bar(Reason.ACCOUNT_BARRED, f"{reason} ({found[reason]})")
    if unread:
        return Bar(Reason.ACCOUNT_UNKNOWN, f"{unread[0]} can't be read")
    lacking = hidden(values, directory)
    return Bar(Reason.ACCOUNT_UNKNOWN, f"{lacking} is hidden") if lacking else None


def hidden(values: Values, directory: str = "") -> str:
    """Return a mark that Active Directory has of every user and that can't be seen here; "": none, or it is another."""
    account = _Account(values, 0.0)
    if directory == ACTIVE_DIRECTORY:
        wanted: tuple[tuple[str, ...], ...] = ((_CONTROL,), ("accountExpires",), (_COMPUTED, "lockoutTime"))
    else:  # other directories don't have these, whatever `directory` says
        wanted = ((_CONTROL, _LDS_DISABLED),) if account.seen(*_OF_ACTIVE_DIRECTORY) else ()
        wanted += (("accountExpires",),) if account.seen(_CONTROL) else ()
    return next((each[0] for each in wanted if not account.seen(*each)), "")


def sight(users: Sequence[Values], directory: str, reader: str) -> tuple[str, bool]:
    """Say which marks `reader` sees on a sample of users; False: so few that they let none of these users in."""
    if not users:
        return "no user to see account states of", True
    blind = [lacking for values in users if (lacking := hidden(values, directory))]
    if blind:
        whose = "every user" if len(blind) == len(users) else f"{len(blind)} of {len(users)} users"
        what = f"{blind[0]} of {whose} is hidden from {reader}: a chain that asks for no password of this directory"
        return f"{what} refuses them", len(blind) < len(users)
    seen = [name for name in sampled(directory) if any(values.get(name.lower()) for values in users)]
    if seen:
        return f"account states seen ({', '.join(seen)})", True
    what = f"but of {len(users)} users {reader} sees no attribute that tells of disabled, locked or expired accounts"
    return f"{what}: a chain that asks for no password of this directory lets them in", True
