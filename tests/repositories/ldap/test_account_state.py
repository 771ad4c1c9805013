"""What marks hold against an account: by table, by time, by odd values; and read from a real slapd."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aad.core.identity import Bar, User
from aad.core.outcome import Reason
from aad.core.secret import Secret
from aad.ports import Unavailable, Wiring
from aad.repositories.ldap import Ldap
from aad.repositories.ldap import values as ldap_values
from aad.repositories.ldap.account_state import bar, marks
from aad.repositories.ldap.encode import search
from aad.repositories.ldap.result_codes import ACTIVE_DIRECTORY, OPENLDAP
from aad.repositories.ldap.settings import LdapSettings
from aad.repositories.ldap.user_entry import UserReader
from tests.parts.admission import nobody
from tests.parts.authority import Authority
from tests.parts.directory import Directory, Person
from tests.parts.states import BARRED, FINE, HIDDEN, SCHEMA, UNKNOWN, people
from tests.repositories.conftest import within

NOW = datetime(2026, 7, 1, tzinfo=UTC).timestamp()
WELL = {"userAccountControl": "512", "accountExpires": "0", "msDS-User-Account-Control-Computed": "0"}


def held(**marks: str | tuple[str, ...]) -> Bar | None:
    return against({name.replace("_", "-"): value for name, value in marks.items()})


def against(marks: Mapping[str, str | Sequence[str]], directory: str = "") -> Bar | None:
    values = {name.lower(): (value,) if isinstance(value, str) else tuple(value) for name, value in marks.items()}
    return bar(values, NOW, directory)


@pytest.mark.parametrize("name", BARRED)
def test_who_is_barred(name: str) -> None:
    marks, reason = BARRED[name]
    assert against(marks) == Bar(Reason.ACCOUNT_BARRED, reason)


@pytest.mark.parametrize("name", UNKNOWN)
def test_of_whom_nothing_is_known(name: str) -> None:
    marks, reason = UNKNOWN[name]
    assert against(marks) == Bar(Reason.ACCOUNT_UNKNOWN, reason)


@pytest.mark.parametrize("name", FINE)
def test_who_is_fine(name: str) -> None:
    assert against(FINE[name]) is None


@pytest.mark.parametrize("lacking", WELL)
def test_of_active_directory_no_mark_may_be_hidden(lacking: str) -> None:
    assert against(WELL, ACTIVE_DIRECTORY) is None
    rest = {name: value for name, value in WELL.items() if name != lacking}
    assert against(rest, ACTIVE_DIRECTORY) == Bar(Reason.ACCOUNT_UNKNOWN, f"{lacking} is hidden")
    assert against({}, ACTIVE_DIRECTORY) == Bar(Reason.ACCOUNT_UNKNOWN, "userAccountControl is hidden")


def test_who_shows_userAccountControl_shows_when_the_account_expires() -> None:  # noqa: N802 - as AD writes it
    assert held(userAccountControl="512") == Bar(Reason.ACCOUNT_UNKNOWN, "accountExpires is hidden")
    assert held(userAccountControl="512", accountExpires="0") is None


def test_lockout_time_is_as_good_as_what_is_computed() -> None:
    rest = {"userAccountControl": "512", "accountExpires": "0", "lockoutTime": "0"}
    assert against(rest, ACTIVE_DIRECTORY) is None


@pytest.mark.parametrize("directory", ["", OPENLDAP, ACTIVE_DIRECTORY])
def test_what_is_there_and_no_number_is_unknown_in_each_directory(directory: str) -> None:
    for value in ("", " 512", "512 ", "+512", "0x200", "5_1_2", "٥١٢", "512\0", "\ufffd", "1e3", "9" * 30, "512\n"):
        found = against(WELL | {"userAccountControl": value}, directory)
        assert found == Bar(Reason.ACCOUNT_UNKNOWN, "userAccountControl can't be read"), value


def test_of_two_values_the_graver_one_counts() -> None:
    assert held(nsAccountLock=("false", "true")) == Bar(Reason.ACCOUNT_BARRED, "account disabled (nsAccountLock)")
    assert held(nsAccountLock=("false", "x")) == Bar(Reason.ACCOUNT_UNKNOWN, "nsAccountLock can't be read")
    # Two numbers are none: so lockoutTime decides, and no longer what is computed.
    two = WELL | {"msDS-User-Account-Control-Computed": ("0", "0"), "lockoutTime": "1"}
    assert against(two) == Bar(Reason.ACCOUNT_BARRED, "account locked in the directory (lockoutTime)")


def test_what_is_known_goes_before_what_is_not() -> None:
    found = against({"accountExpires": "x", "userAccountControl": "2", "shadowExpire": "x"})
    assert found == Bar(Reason.ACCOUNT_BARRED, "account disabled (userAccountControl)")
    found = against({"pwdReset": "TRUE", "krbPasswordExpiration": "20200101000000Z", "lockedByIntruder": "TRUE"})
    assert found == Bar(Reason.ACCOUNT_BARRED, "account locked in the directory (lockedByIntruder)")


@pytest.mark.parametrize("expires", [1, -1, 2**63 - 2, -(2**63)])
def test_only_two_values_of_account_expires_are_never(expires: int) -> None:
    over = expires < 2**62
    assert bool(against(WELL | {"accountExpires": str(expires)})) == over


def test_an_account_ends_at_the_second_and_not_before() -> None:
    for attribute, value in (("pwdEndTime", "20260701000000Z"), ("loginExpirationTime", "20260701020000+0200")):
        values = {attribute.lower(): (value,)}
        assert bar(values, NOW - 1, "") is None
        assert bar(values, NOW, "") == Bar(Reason.ACCOUNT_BARRED, f"account expired ({attribute})")
    values = {"pwdaccounttmplockoutend": ("20260701000000.5Z",)}
    assert bar(values, NOW + 0.4, "") is not None
    assert bar(values, NOW + 0.6, "") is None


def test_a_lock_for_good_is_not_over_in_1970() -> None:
    assert held(accountUnlockTime="19700101000000Z") is not None
    assert held(accountUnlockTime="20260701000001Z") is not None
    assert held(accountUnlockTime="20260630235959Z") is None


def test_an_intruder_lock_ends_with_its_own_time_only() -> None:
    assert held(lockedByIntruder="TRUE", loginIntruderResetTime="20260701000001Z") is not None
    assert held(lockedByIntruder="TRUE", loginIntruderResetTime=("20200101000000Z", "20300101000000Z")) is not None
    found = held(lockedByIntruder="TRUE", loginIntruderResetTime="soon")
    assert found == Bar(Reason.ACCOUNT_UNKNOWN, "lockedByIntruder can't be read")


@given(st.datetimes(min_value=datetime(1, 1, 1), max_value=datetime(9999, 12, 31)))  # noqa: DTZ001 - UTC is added
def test_every_time_is_read(moment: datetime) -> None:
    moment = moment.replace(tzinfo=UTC)
    seconds = (moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()
    written = f"{moment.year:04}{moment:%m%d%H%M%S}.{moment.microsecond:06}Z"
    assert ldap_values.time(written) == pytest.approx(seconds, abs=1e-3)
    assert ldap_values.time(written[:10] + "Z") == seconds // 3600 * 3600


def test_parts_of_an_hour_and_of_a_minute_are_read() -> None:
    assert ldap_values.time("1970010100,5Z") == 1800
    assert ldap_values.time("197001010001.5Z") == 90
    assert ldap_values.time("19700101000060Z") == 60  # a leap second
    assert ldap_values.time("19700101000000-0130") == ldap_values.time("1970010101.5Z")


NO_TIMES = (
    *("", "2026", "20260701000000", "20260701000000z", "20260701000000Z ", "20260701000000.Z", "20260701000000+2"),
    *("20261301000000Z", "20260001000000Z", "20260229000000Z", "00000101000000Z", "20260701240000Z"),
    *(
        "20260701006000Z",
        "20260701000061Z",
        "1767225600",
        "2026-07-01T00:00:00Z",
        "20260701000000+2400",
        "20260701000000-0060",
        "\u0662\u0660260701000000Z",
    ),
)


@pytest.mark.parametrize("written", NO_TIMES)
def test_what_is_no_time_is_not_guessed(written: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        ldap_values.time(written)
    assert held(pwdEndTime=written) == Bar(Reason.ACCOUNT_UNKNOWN, "pwdEndTime can't be read")


@given(st.dictionaries(st.sampled_from(marks()), st.lists(st.text(max_size=20), min_size=1, max_size=2)))
def test_whatever_stands_there_nobody_is_let_in_by_it(written: dict[str, list[str]]) -> None:
    """Text by chance is no mark that says nothing: what isn't understood bars."""
    numbers = {"shadowExpire", "accountExpires", "userAccountControl", "lockoutTime", "pwdLastSet"}
    odd = [name for name in written if name not in {*numbers, "loginIntruderResetTime", marks()[1]}]
    found = against({name: tuple(values) for name, values in written.items()})
    assert found or not odd
    assert found is None or found.reason in {Reason.ACCOUNT_BARRED, Reason.ACCOUNT_UNKNOWN}


def test_they_cost_few_octets() -> None:
    """And nothing where each chain asks the directory for the password: then they aren't asked for."""

    def octets(directory: str, *, account_state: bool) -> int:
        settings = LdapSettings(servers=("ldap://x",), base_dn="dc=x", directory=directory)
        wanted = UserReader(settings, "corp", account_state=account_state).user_search("alice")
        assert wanted is not None
        return len(search(1, wanted, 1))

    for directory, most in (("", 420), (OPENLDAP, 420), (ACTIVE_DIRECTORY, 110)):
        assert 0 < octets(directory, account_state=True) - octets(directory, account_state=False) <= most


@pytest.fixture(scope="module")
def states(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[Directory]:
    folder = tmp_path_factory.mktemp("states")
    with Directory(folder, authority, people("pw"), schema=SCHEMA) as running:
        yield running


@pytest.fixture(scope="module")
def blind(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[Directory]:
    """Return the same, of which the account that searches sees nothing."""
    folder = tmp_path_factory.mktemp("blind")
    with Directory(folder, authority, people("pw"), schema=SCHEMA, access=HIDDEN) as running:
        yield running


def ldap(where: Directory, *, account_state: bool = True, **changes: Any) -> Ldap:
    settings = LdapSettings(
        servers=(where.ldap_uri,),
        bind_dn=where.bind_dn,
        bind_password=Secret(where.bind_password),
        base_dn=where.base_dn,
        connections=1,
        **changes,
    )
    return Ldap(settings, Wiring(name="corp", key=Secret(b""), account_state=account_state))


async def found(repository: Ldap, name: str) -> User:
    there = await repository.find(name, None, nobody, within(10))
    assert there is not None
    return there.user


async def test_each_state_is_read_from_the_directory(states: Directory) -> None:
    async with ldap(states) as repository:
        for name, (_, reason) in BARRED.items():
            assert (await found(repository, name)).barred == Bar(Reason.ACCOUNT_BARRED, reason), name
        for name, (_, reason) in UNKNOWN.items():
            assert (await found(repository, name)).barred == Bar(Reason.ACCOUNT_UNKNOWN, reason), name
        for name in FINE:
            assert (await found(repository, name)).barred is None, name


async def test_what_was_not_asked_for_is_unknown(states: Directory) -> None:
    async with ldap(states, account_state=False) as repository:
        user = await found(repository, "plain")
        assert user.barred == Bar(Reason.ACCOUNT_UNKNOWN, "its state was not asked for")
        assert await repository.probe() == f"{states.ldap_uri}: bound as {states.bind_dn}, base found"


async def test_the_wall_clock_decides(states: Directory, monkeypatch: pytest.MonkeyPatch) -> None:
    async with ldap(states) as repository:
        monkeypatch.setattr(time, "time", lambda: 0.0)
        assert (await found(repository, "shadow-expired")).barred is None
        monkeypatch.setattr(time, "time", lambda: 5e9)
        assert (await found(repository, "shadow-ahead")).barred is not None


async def test_the_probe_says_what_is_seen(states: Directory, blind: Directory) -> None:
    async with ldap(states, user_filter="(uid=ipa-{name})") as repository:
        assert ", account states seen (nsAccountLock, krbPrincipalExpiration," in await repository.probe()
    for directory in ("", OPENLDAP):
        async with ldap(blind, directory=directory, user_filter="(&(uid={name})(uid=389*))") as repository:
            words = await repository.probe()
        what = f"but of 3 users {blind.bind_dn} sees no attribute that tells of disabled, locked or expired accounts"
        assert words.endswith(f", base found, {what}: a chain that asks for no password of this directory lets them in")
        async with ldap(blind, directory=directory, user_filter="(uid=nobody{name})") as repository:
            assert (await repository.probe()).endswith("no user to see account states of")


async def test_active_directory_that_hides_them_fails_the_probe(states: Directory, blind: Directory) -> None:
    ad: dict[str, Any] = {"directory": ACTIVE_DIRECTORY, "name_attribute": "uid"}
    async with ldap(blind, user_filter="(uid={name})", **ad) as repository:
        assert (await found(repository, "ad-fine")).barred == Bar(
            Reason.ACCOUNT_UNKNOWN, "userAccountControl is hidden"
        )
        with pytest.raises(Unavailable, match=f"userAccountControl of every user is hidden from {blind.bind_dn}"):
            await repository.probe()
    async with ldap(
        states, user_filter="(&(uid={name})(|(uid=ad-fine)(uid=ad-disabled)(uid=half*)))", **ad
    ) as repository:
        assert f"userAccountControl of 1 of 3 users is hidden from {states.bind_dn}" in await repository.probe()
        assert (await found(repository, "ad-fine")).barred is None


@pytest.mark.parametrize(
    "filter_", ["(uid=*{name}*)", "(uid:caseExactMatch:={name})", "(|(uid={name})(mail={name}@x))"]
)
async def test_the_probe_bears_any_filter(states: Directory, filter_: str) -> None:
    async with ldap(states, user_filter=filter_) as repository:
        assert "account states" in await repository.probe()


async def test_nobody_is_nobody(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("plain")
    with Directory(folder, authority, [Person("alice", "pw")]) as directory:
        async with ldap(directory) as repository:
            assert "but of 1 users" in await repository.probe()
            assert (await found(repository, "alice")).barred is None
