"""Users of a real Active Directory domain controller (Samba), over LDAPS: found, grouped, refused with the reason."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from aad.core.group_name import group_key
from aad.core.identity import Bar
from aad.core.outcome import Failure, Reason, Success
from aad.core.secret import Secret
from aad.ports import AmbiguousUserError, Found, GroupLookup, Unavailable, Wiring
from aad.radius.protocol import client_packets, constants
from aad.radius.protocol.constants import ACCESS_ACCEPT, ACCESS_CHALLENGE, ACCESS_REJECT
from aad.repositories.ldap import Ldap, user_entry
from aad.repositories.ldap.settings import LdapSettings
from tests.parts.admission import everybody
from tests.parts.authority import Authority
from tests.parts.corp import sender
from tests.parts.daemon import Daemon
from tests.parts.mailbox import Mailbox, code_in
from tests.parts.raw import Raw
from tests.parts.samba import Account, Samba, dn
from tests.parts.warm import aad

pytestmark = pytest.mark.timeout(400)  # the domain is made by whichever test comes first

RIGHT = "C0rrect horse"
REFUSED = {
    "disabled": Reason.ACCOUNT_DISABLED,
    "expired": Reason.ACCOUNT_EXPIRED,
    "must change": Reason.PASSWORD_MUST_CHANGE,
    "password expired": Reason.PASSWORD_EXPIRED,
    "hours": Reason.LOGIN_HOURS,
    "place": Reason.LOGIN_PLACE,
}
ACCOUNTS = (
    Account(
        "alice",
        attributes={
            "mail": "alice@example.com",
            "userPrincipalName": "alice.liddell@example.com",
            "departmentNumber": "4711",
            "thumbnailPhoto": b"\xff\xd8\xff\xe0",
        },
    ),
    Account("bob", attributes={"mail": "bob@example.com"}),
    Account("cleo", attributes={"userPrincipalName": "dora"}),
    Account("dora"),
    Account("zoe", cn="Doe\\, Zoë (Zürich*)"),
    Account("locked", state="locked"),
    *(Account(state.replace(" ", "-"), state=state, attributes={"mail": "x@example.com"}) for state in REFUSED),
)
GROUPS = {
    "Staff (all)": ["alice", "bob"],
    "Inner": ["alice"],
    "Middle": ["Inner"],
    "VPN": ["Middle", "zoe"],
    "Ring": ["VPN"],
    "Others": ["bob"],
}


@pytest.fixture(scope="module")
def forest(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def domain(tmp_path_factory: pytest.TempPathFactory, forest: Authority) -> Iterator[Samba]:
    """Nobody may stop it or change it."""
    folder = tmp_path_factory.mktemp("samba")
    # Each of pytest-xdist's processes has its folders below the one that all of them share.
    common = folder.parent.parent if "PYTEST_XDIST_WORKER" in os.environ else folder.parent
    with Samba(folder, forest, ACCOUNTS, GROUPS, shared=common / "samba-domain") as running:
        yield running


def settings(domain: Samba, **changes: Any) -> LdapSettings:
    usual: dict[str, Any] = {
        "servers": (domain.ldaps_uri,),
        "ca_file": domain.ca_file,
        "bind_dn": domain.bind_dn,
        "bind_password": Secret(domain.bind_password),
        "base_dn": domain.base_dn,
        "directory": "active-directory",
        "timeout": 10.0,
        "connections": 1,
    }
    return LdapSettings(**(usual | changes))


def ldap(domain: Samba, **changes: Any) -> Ldap:
    return Ldap(settings(domain, **changes), Wiring(name="corp", key=Secret(b"")))


@pytest.fixture
async def corp(domain: Samba) -> AsyncIterator[Ldap]:
    async with ldap(domain) as opened:
        yield opened


async def found(repository: Ldap, name: str, password: str = "") -> Found | None:
    return await repository.find(name, Secret(password), everybody, time.monotonic() + 20)


@pytest.mark.parametrize(
    "name", ["bob", "BOB", "bob@corp.example.com", "Bob@CORP.example.com", "alice.liddell@example.com"]
)
async def test_a_user_has_one_name_whichever_he_types(corp: Ldap, name: str) -> None:
    there = await found(corp, name, RIGHT)
    assert there is not None
    assert there.user.name == there.user.key == ("alice" if "alice" in name else "bob")
    assert there.user.addresses == (f"{there.user.name}@example.com",)
    assert there.proof == Success()


@pytest.mark.parametrize("name", ["alice@corp.example.com", "nobody", "*", "DC1$", "VPN", "alice.liddell"])
async def test_who_is_nobody(corp: Ldap, name: str) -> None:
    assert await found(corp, name, RIGHT) is None


async def test_an_account_name_that_is_the_principal_name_of_another_is_nobodys(corp: Ldap) -> None:
    with pytest.raises(AmbiguousUserError):
        await found(corp, "dora", RIGHT)
    there = await found(corp, "cleo", RIGHT)
    assert there is not None
    assert there.proof == Success()


async def test_the_entry_names_only_the_nearest_groups(corp: Ldap) -> None:
    there = await found(corp, "alice.liddell@example.com")
    assert there is not None
    # Domain Users, his primary group, never stands there.
    assert there.user.groups == {dn("Inner"), dn("Staff (all)")}


async def test_groups_of_groups_count_if_they_are_asked_for(domain: Samba) -> None:
    async with ldap(domain, nested_groups=True) as repository:
        there = await found(repository, "alice.liddell@example.com", RIGHT)
        assert there is not None
        nested = frozenset(dn(name) for name in ("Inner", "Middle", "VPN", "Ring", "Staff (all)"))
        assert (there.user.groups, there.proof) == (nested, Success())
        there = await found(repository, "zoe", RIGHT)
        assert there is not None
        assert (there.user.handle, there.proof) == (dn("Doe\\, Zoë (Zürich*)"), Success())
        assert there.user.groups == {dn("VPN"), dn("Ring")}
        there = await found(repository, "locked")
        assert there is not None
        assert there.user.groups == frozenset()
        assert await repository.probe() == f"{domain.ldaps_uri}: bound as {domain.bind_dn}, base found"


@pytest.mark.parametrize("nested", [False, True])
async def test_a_primary_group_is_looked_up_and_unfit(domain: Samba, *, nested: bool) -> None:
    async with ldap(domain, nested_groups=nested) as repository:
        deadline = time.monotonic() + 20
        for group in (dn("VPN"), dn("vpn").replace(",", " , "), 'cn="Staff (all)"' + dn("x").removeprefix("CN=x")):
            assert await repository.look_up_group(group, deadline) == GroupLookup(found=True)
        users = await repository.look_up_group(dn("Domain Users"), deadline)
        assert users.found
        assert users.note.startswith(
            "it is the primary group of users (primaryGroupID=513), who have no memberOf of it"
        )
        missing = await repository.look_up_group(dn("VPM"), deadline)
        assert (missing.found, "noSuchObject (32" in missing.note) == (False, True)
        there = await found(repository, "alice")
        assert there is not None
        member = {name: there.user.is_member(frozenset({group_key(dn(name))})) for name in ("inner", "Domain Users")}
        assert member == {"inner": True, "Domain Users": False}


async def test_the_root_of_the_domain_refers_to_others_which_are_not_asked(domain: Samba) -> None:
    elsewhere = "DC=other,DC=example,DC=com"
    async with ldap(domain, base_dn=elsewhere) as repository:
        with pytest.raises(Unavailable, match=f"the search in {elsewhere} was answered with"):
            await found(repository, "bob")


async def test_further_attributes_are_texts(domain: Samba) -> None:
    wanted = ("departmentNumber", "objectSid", "thumbnailPhoto", "company", "sAMAccountName")
    async with ldap(domain, attributes=wanted) as repository:
        there = await found(repository, "alice.liddell@example.com")
    assert there is not None
    assert there.user.attributes == {"departmentNumber": ("4711",), "sAMAccountName": ("alice",)}


@pytest.mark.parametrize("state", REFUSED)
async def test_the_reason_is_known_and_told_only_after_the_right_password(corp: Ldap, state: str) -> None:
    for password, proof in ((RIGHT, Failure(REFUSED[state], proven=True)), ("wrong", Failure(Reason.WRONG_PASSWORD))):
        there = await found(corp, state.replace(" ", "-"), password)
        assert there is not None
        assert there.proof == proof


async def test_a_locked_account_is_so_whatever_the_password(corp: Ldap) -> None:
    for password in (RIGHT, "wrong"):
        there = await found(corp, "locked", password)
        assert there is not None
        assert there.proof == Failure(Reason.ACCOUNT_LOCKED)


BARRED = {
    "disabled": "account disabled (userAccountControl)",
    "expired": "account expired (accountExpires)",
    "locked": "account locked in the directory (msDS-User-Account-Control-Computed)",
    "must-change": "password must be changed (msDS-User-Account-Control-Computed)",
    "password-expired": "password expired (msDS-User-Account-Control-Computed)",
}


@pytest.mark.parametrize("computed", [True, False])
async def test_the_marks_say_what_a_bind_would(
    domain: Samba, monkeypatch: pytest.MonkeyPatch, *, computed: bool
) -> None:
    """Where what the controller computes can't be had, what is stored bars as well, but for a password's age."""
    if not computed:
        monkeypatch.setattr(
            user_entry, "marks", lambda _: ("userAccountControl", "accountExpires", "lockoutTime", "pwdLastSet")
        )
    async with Ldap(settings(domain), Wiring(name="corp", key=Secret(b""), account_state=True)) as repository:
        for name in ("disabled", "expired", "locked", "must-change"):
            there = await found(repository, name)
            stored = {"locked": "lockoutTime", "must-change": "pwdLastSet"}
            reason = BARRED[name]
            if not computed:
                reason = reason.replace("msDS-User-Account-Control-Computed", stored.get(name, ""))
            assert there is not None
            assert there.user.barred == Bar(Reason.ACCOUNT_BARRED, reason)
        for name in ("alice.liddell@example.com", "zoe", "hours", "place"):
            there = await found(repository, name)
            assert there is not None
            hidden = None if computed else Bar(Reason.ACCOUNT_UNKNOWN, "msDS-User-Account-Control-Computed is hidden")
            assert there.user.barred == hidden
        there = await found(repository, "password-expired")
        assert there is not None
        assert there.user.barred == (Bar(Reason.ACCOUNT_BARRED, BARRED["password-expired"]) if computed else hidden)


async def test_the_probe_sees_the_marks(domain: Samba) -> None:
    async with Ldap(settings(domain), Wiring(name="corp", key=Secret(b""), account_state=True)) as repository:
        seen = "userAccountControl, msDS-User-Account-Control-Computed, accountExpires, lockoutTime, pwdLastSet"
        assert (await repository.probe()).endswith(f"base found, account states seen ({seen})")


CHAINS = f"""
[chains.members]
methods = ["password", "email_otp"]
groups = ["{dn("VPN").upper()}"]
[chains.alone]
methods = ["password"]
[events.quiet]
[clients.quiet]
networks = ["127.0.0.2"]
secret = "{Daemon.secret}"
event = "quiet"
[chains.code]
methods = ["email_otp"]
[events.codes]
chains = ["code"]
[clients.codes]
networks = ["127.0.0.3"]
secret = "{Daemon.secret}"
event = "codes"
[lockout]
attempts = 2
"""
HEAD = """
[radius]
listen = ["{host}:{port}"]
reject_delay = "50ms"
[log]
to = "stderr"
format = "json"
[store]
path = "{folder}/state.db"
[clients.gateway]
networks = ["127.0.0.1"]
secret = "{secret}"
event = "vpn"
deadline = "20s"
[events.vpn]
tell_reasons = true
"""


@pytest.fixture(scope="module")
def mailbox(forest: Authority) -> Iterator[Mailbox]:
    with Mailbox(forest, "tls", "aad", "mail secret") as running:
        yield running


@pytest.fixture(scope="module")
def daemon(
    tmp_path_factory: pytest.TempPathFactory, domain: Samba, mailbox: Mailbox, forest: Authority
) -> Iterator[Daemon]:
    repository = f"""
[repositories.corp]
type = "ldap"
directory = "active-directory"
servers = ["{domain.ldaps_uri}"]
ca_file = "{domain.ca_file}"
bind_dn = "{domain.bind_dn}"
bind_password = "{domain.bind_password}"
base_dn = "{domain.base_dn}"
nested_groups = true
realms = ["CORP"]
timeout = "10s"
"""
    rest = repository + sender(mailbox.port, forest) + CHAINS
    with Daemon(tmp_path_factory.mktemp("daemon"), rest, head=HEAD) as running:
        yield running
        assert not running.strays()


def asked(daemon: Daemon, name: str, password: str, *, quiet: bool = False) -> client_packets.Reply:
    with Raw(daemon.host, daemon.port, source="127.0.0.2" if quiet else "127.0.0.1", timeout=30) as client:
        return client.ask(name, password)


def message(reply: client_packets.Reply) -> str:
    return (reply.first(constants.REPLY_MESSAGE) or b"").decode()


def last_reason(daemon: Daemon, user: str) -> str:
    return str([record for record in daemon.records("login.rejected") if record["user"] == user][-1]["reason"])


@pytest.mark.parametrize("name", ["alice.liddell@example.com", "alice"])
def test_a_nested_group_decides_the_chain(daemon: Daemon, mailbox: Mailbox, name: str) -> None:
    before = len(mailbox.letters("alice@example.com"))
    with Raw(daemon.host, daemon.port, source="127.0.0.1", timeout=30) as client:
        challenge = client.ask(name, RIGHT)
        assert challenge.code == ACCESS_CHALLENGE
        code = code_in(mailbox.wait("alice@example.com", before + 1))
        state = challenge.first(constants.STATE)
        assert state is not None
        assert client.ask(name, code, (constants.STATE, state)).code == ACCESS_ACCEPT


@pytest.mark.parametrize("name", ["bob", "bob@corp.example.com", "CORP\\bob", "corp\\BOB"])
def test_who_is_in_none_of_these_groups_gets_the_other_chain(daemon: Daemon, name: str) -> None:
    assert asked(daemon, name, RIGHT).code == ACCESS_ACCEPT


def test_explain_shows_nested_groups(daemon: Daemon) -> None:
    done = aad("explain", "alice.liddell@example.com", "--event", "vpn", "-c", daemon.file)
    assert done.returncode == 0, done.stderr
    assert dn("Ring") in done.stdout
    assert "chain: members" in done.stdout


TOLD = {
    "disabled": "Login failed. Your account is disabled.",
    "expired": "Login failed. Your account has expired.",
    "must change": "Login failed. Your password must be changed.",
    "password expired": "Login failed. Your password has expired.",
    "hours": "Login failed. You may not log in at this time.",
    "place": "Login failed. You may not log in from here.",
}


@pytest.mark.parametrize("state", REFUSED)
def test_a_refused_account_learns_why_where_the_event_says_so(daemon: Daemon, state: str) -> None:
    name = state.replace(" ", "-")
    for _ in range(3):  # whoever knows the password guesses nothing: he isn't locked out
        reply = asked(daemon, name, RIGHT)
        assert (reply.code, message(reply)) == (ACCESS_REJECT, TOLD[state])
        assert last_reason(daemon, name) == REFUSED[state]
    quiet = asked(daemon, name, RIGHT, quiet=True)
    assert (quiet.code, message(quiet)) == (ACCESS_REJECT, "Login failed.")
    assert last_reason(daemon, name) == REFUSED[state]
    for number, reason in enumerate((Reason.WRONG_PASSWORD, Reason.WRONG_PASSWORD, Reason.LOCKED)):
        assert message(asked(daemon, name, f"wrong {number}")) == "Login failed."
        assert last_reason(daemon, name) == reason
    assert message(asked(daemon, name, RIGHT)) == "Login failed."  # locked out, whatever he knows


def test_a_stranger_learns_nothing(daemon: Daemon) -> None:
    replies = [asked(daemon, name, "wrong") for name in ("nobody", "bob", "locked")]
    replies += [asked(daemon, "locked", RIGHT)]
    assert {(reply.code, message(reply)) for reply in replies} == {(ACCESS_REJECT, "Login failed.")}
    # Apart from what signs it, a reject is the same octets.
    assert len({tuple(kind for kind, _ in reply.attributes) for reply in replies}) == 1
    assert last_reason(daemon, "locked") == Reason.ACCOUNT_LOCKED


def test_without_a_password_the_marks_decide(daemon: Daemon, mailbox: Mailbox) -> None:
    with Raw(daemon.host, daemon.port, source="127.0.0.3", timeout=30) as client:
        assert client.ask("bob", "").code == ACCESS_CHALLENGE
        for name, reason in BARRED.items():
            reply = client.ask(name, RIGHT)
            assert (reply.code, message(reply)) == (ACCESS_REJECT, "Login failed.")
            assert last_reason(daemon, name) == f"{Reason.ACCOUNT_BARRED}: {reason}"
    assert not mailbox.letters("x@example.com")
