"""What the answer to a bind means."""

from __future__ import annotations

import pytest

from aad.core.outcome import Failure, Reason, Success
from aad.repositories.ldap.result_codes import PASSWORD_POLICY, Result, verdict

ACTIVE_DIRECTORY = "80090308: LdapErr: DSID-0C09042A, comment: AcceptSecurityContext error, data {}, v3839\0"
NETSCAPE_EXPIRED = "2.16.840.1.113730.3.4.4"


@pytest.mark.parametrize(
    ("data", "reason", "proven"),
    [
        ("52e", Reason.WRONG_PASSWORD, False),
        ("52E", Reason.WRONG_PASSWORD, False),
        ("525", Reason.UNKNOWN_USER, False),
        ("530", Reason.LOGIN_HOURS, True),
        ("531", Reason.LOGIN_PLACE, True),
        ("532", Reason.PASSWORD_EXPIRED, True),
        ("533", Reason.ACCOUNT_DISABLED, True),
        ("701", Reason.ACCOUNT_EXPIRED, True),
        ("773", Reason.PASSWORD_MUST_CHANGE, True),
        ("775", Reason.ACCOUNT_LOCKED, False),  # whatever the password
        ("568", "refused by Active Directory: data 568", False),
    ],
)
def test_active_directory_writes_the_reason_into_the_message(data: str, reason: str, *, proven: bool) -> None:
    said = verdict(Result(49, "invalidCredentials", ACTIVE_DIRECTORY.format(data)))
    assert said == Failure(reason, proven=proven)


def test_only_openldap_says_that_a_password_has_expired_after_it_was_right() -> None:
    said = Result(49, "invalidCredentials", "", {PASSWORD_POLICY: bytes.fromhex("3003 810100")})
    assert verdict(said, "openldap") == Failure(Reason.PASSWORD_EXPIRED, proven=True)
    assert verdict(said) == verdict(said, "active-directory") == Failure(Reason.PASSWORD_EXPIRED)
    locked = Result(49, "invalidCredentials", "", {PASSWORD_POLICY: bytes.fromhex("3003 810101")})
    assert verdict(locked, "openldap") == Failure(Reason.ACCOUNT_LOCKED)


@pytest.mark.parametrize(
    ("control", "at_success", "at_refusal"),
    [
        ("", Success(), Reason.WRONG_PASSWORD),
        ("3000", Success(), Reason.WRONG_PASSWORD),
        ("3084 00000000", Success(), Reason.WRONG_PASSWORD),
        ("3005 a003 800160", Success(), Reason.WRONG_PASSWORD),  # the password will expire in 96 seconds
        ("3005 a003 810102", Reason.PASSWORD_EXPIRED, Reason.PASSWORD_EXPIRED),  # two grace logins
        ("3003 810100", Reason.PASSWORD_EXPIRED, Reason.PASSWORD_EXPIRED),
        ("3003 810101", Reason.ACCOUNT_LOCKED, Reason.ACCOUNT_LOCKED),
        ("3003 810102", Reason.PASSWORD_MUST_CHANGE, Reason.PASSWORD_MUST_CHANGE),
        ("3008 a003 800160 810102", Reason.PASSWORD_MUST_CHANGE, Reason.PASSWORD_MUST_CHANGE),
        ("3084 00000003 810101", Reason.ACCOUNT_LOCKED, Reason.ACCOUNT_LOCKED),
        ("3003 810107", "refused by the password policy: error 7", "refused by the password policy: error 7"),
        ("30", None, None),
        ("3003 8101", None, None),
        ("3003 8201 01", None, None),
        ("0403 810101", None, None),
        ("3000 3000", None, None),
    ],
)
def test_the_password_policy_speaks_in_a_control(control: str, at_success: object, at_refusal: object) -> None:
    controls = {PASSWORD_POLICY: bytes.fromhex(control)}
    for code, expected in ((0, at_success), (49, at_refusal)):
        said = verdict(Result(code, "", "", controls))
        proven = code == 0  # a bind that succeeds
        assert said == (Failure(expected, proven=proven) if isinstance(expected, str) else expected)


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (Result(0, "success"), Success()),
        (Result(0, "success", "", {NETSCAPE_EXPIRED: b"0"}), Failure(Reason.PASSWORD_EXPIRED, proven=True)),
        (Result(49, "invalidCredentials"), Failure(Reason.WRONG_PASSWORD)),
        (Result(32, "noSuchObject"), Failure(Reason.UNKNOWN_USER)),
        (Result(53, "", "Account inactivated. Contact system administrator."), Failure(Reason.ACCOUNT_DISABLED)),
        (Result(19, "", "Exceed password retry limit. Please try later."), Failure(Reason.ACCOUNT_LOCKED)),
        *((Result(code, ""), None) for code in range(1, 130) if code not in {19, 32, 48, 49, 50, 53}),
    ],
)
def test_everything_else_is_neither_yes_nor_no(result: Result, expected: object) -> None:
    assert verdict(result) == expected


@pytest.mark.parametrize("code", [19, 48, 50, 53])
def test_what_a_directory_says_of_one_account_is_a_refusal(code: int) -> None:
    said = verdict(Result(code, "its name", "not this one"))
    assert said == Failure(f"refused by the directory: its name ({code}: not this one)")
