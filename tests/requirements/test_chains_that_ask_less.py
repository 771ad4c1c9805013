"""Requirement 34: not to be found in a group, a network or an enrolment never leads to fewer proofs unnoticed."""

from __future__ import annotations

from pathlib import Path

import pytest

from aad.core.scrypt import hash_password
from aad.core.secret import Secret
from aad.radius.protocol.constants import ACCESS_ACCEPT, ACCESS_REJECT
from tests.parts.authority import Authority
from tests.parts.daemon import HEAD, Daemon
from tests.parts.raw import Raw
from tests.parts.warm import aad

FIRST = """
[clients.gw]
networks = ["192.0.2.10"]
secret = "a secret, long enough for everybody"
event = "vpn"
[clients.shop]
networks = ["192.0.2.11"]
secret = "another secret, as long as the first"
event = "vpn"
[repositories.local]
path = "users.toml"
[senders.mail]
host = "localhost"
sender_email = "noreply@example.com"
[methods.second_mail]
type = "email_otp"
[methods.sms]
type = "email_otp"
address_attribute = "mobile"
[methods.other_password]
type = "file_password"
path = "users.toml"
"""
HASH = hash_password(Secret("correct horse"), b"s" * 16)
UNENROLLED = "who isn't enrolled for totp"
STAFF = 'whom the directory shows in none of the groups "cn=Staff,dc=example"'
NOWHERE = "whose address is unknown"
NEVER = '"weak" is never asked: "strong", before it, is for all its users'
GROUPS, GROUPS_TOO = 'groups = ["cn=Staff,dc=example"]', 'groups = ["CN=staff,dc=example"]'
OFFICE, ROOM, HOME = 'networks = ["10.0.0.0/8"]', 'networks = ["10.1.0.0/16"]', 'networks = ["2001:db8::/32"]'
MAPPED = 'networks = ["::ffff:10.1.0.0/112"]'
GW, SHOP = 'clients = ["gw"]', 'clients = ["shop"]'


def methods(*names: str) -> str:
    return f"methods = {list(names)}"


APP, MAIL, PASSWORD = methods("password", "totp"), methods("password", "email_otp"), methods("password")


def event(strong: list[str], weak: list[str], *more: str, between: tuple[str, ...] = (), name: str = "vpn") -> str:
    """Return an event and its chains, in order."""
    lines = ["[chains.strong]", *strong, *(["[chains.between]", *between] if between else ())]
    names = ["strong", "between", "weak"] if between else ["strong", "weak"]
    return "\n".join([*lines, "[chains.weak]", *weak, f"[events.{name}]", f"chains = {names}", *more, ""])


def checked(folder: Path, toml: str) -> list[tuple[str, str]]:
    """Return what `aad check` warns of, by key; there is no fault."""
    (folder / "users.toml").touch(mode=0o600)
    file = folder / "aad.toml"
    file.touch(mode=0o600)
    file.write_text(FIRST + toml)
    done = aad("check", "-c", file)
    assert (done.returncode, done.stdout) == (0, f"{file}: fine\n"), done.stderr
    lines = [line.removeprefix(f"warning: {file}: ").partition(": ") for line in done.stderr.splitlines()]
    return [(key, what) for key, _, what in lines]


def less(weak: str, strong: str, *users: str, name: str = "vpn") -> tuple[str, str]:
    """Return the warning of a chain that asks less, as it should be."""
    return f"events.{name}.chains", (
        f'"weak" ({weak}) asks less than "strong" ({strong}) before it, and is asked of a user {", or ".join(users)}; '
        f'should ask as much, or, if it is meant: fewer_proofs = "intended" in [events.{name}]'
    )


BY_APP, BY_MAIL = "password, then totp", "password, then email_otp"
LESS = {
    "an enrolment": (event([APP], [PASSWORD]), less("password", BY_APP, UNENROLLED)),
    "a group": (event([MAIL, GROUPS], [PASSWORD]), less("password", BY_MAIL, STAFF)),
    "a network": (event([MAIL, OFFICE], [PASSWORD]), less("password", BY_MAIL, NOWHERE)),
    "a client": (event([MAIL, GW], [PASSWORD]), less("password", BY_MAIL, "who comes through shop")),
    "all at once": (event([APP, OFFICE, GROUPS], [PASSWORD]), less("password", BY_APP, STAFF, NOWHERE, UNENROLLED)),
    "another group": (event([MAIL, GROUPS], [PASSWORD, 'groups = ["all"]']), less("password", BY_MAIL, STAFF)),
    "a group, at a network": (event([MAIL, GROUPS], [PASSWORD, OFFICE]), less("password", BY_MAIL, STAFF)),
    "a network, for a group": (event([MAIL, OFFICE], [PASSWORD, GROUPS]), less("password", BY_MAIL, NOWHERE)),
    "a choice": (
        event([APP], [methods("totp")], "choose = true"),
        less("totp", BY_APP, "who picks it, as choose = true allows"),
    ),
    "a short name": (
        event([MAIL], [PASSWORD, 'short_name = "quick"']),
        less("password", BY_MAIL, 'who types its short name, "quick"'),
    ),
    "another password": (event([APP], [methods("other_password")]), less("other_password", BY_APP, UNENROLLED)),
    "a password twice": (
        event([methods("password", "other_password"), GROUPS], [PASSWORD]),
        less("password", "password, then other_password", STAFF),
    ),
    "a code alone": (event([APP, GROUPS], [methods("totp")]), less("totp", BY_APP, STAFF)),
    "another code alone": (
        event([APP], [methods("recovery_codes")]),
        less("recovery_codes", BY_APP, UNENROLLED),
    ),
    "two codes and no password": (
        event([APP, GROUPS], [methods("totp", "hotp")]),
        less("totp, then hotp", BY_APP, STAFF),
    ),
    "three proofs": (
        event([methods("password", "email_otp", "sms"), GROUPS], [methods("password", "sms")]),
        less("password, then sms", "password, then email_otp, then sms", STAFF),
    ),
    "one mailbox, twice": (
        event([methods("password", "email_otp", "second_mail"), GROUPS], [methods("password", "second_mail")]),
        less("password, then second_mail", "password, then email_otp, then second_mail", STAFF),
    ),
    "one mailbox for two": (
        event([methods("password", "email_otp", "sms"), GROUPS], [methods("password", "email_otp", "second_mail")]),
        less("password, then email_otp, then second_mail", "password, then email_otp, then sms", STAFF),
    ),
    "fewer, and others": (
        event([methods("password", "email_otp", "sms"), GROUPS], [methods("password", "recovery_codes")]),
        less("password, then recovery_codes", "password, then email_otp, then sms", STAFF),
    ),
    "past a third one": (
        event([MAIL, GROUPS], [PASSWORD], between=(MAIL, HOME)),
        less("password", BY_MAIL, STAFF),
    ),
}
"""What the user is not found in -> the configuration, and the one warning; "past a third one" has another one."""


@pytest.mark.parametrize("what", LESS)
def test_34_a_chain_that_asks_less_is_warned_about(what: str, tmp_path: Path) -> None:
    toml, warning = LESS[what]
    found = checked(tmp_path, toml)
    assert warning in found
    assert len(found) == (2 if what == "past a third one" else 1)


@pytest.mark.parametrize("what", ["all at once", "a client", "a choice", "a short name"])
def test_34_what_is_intended_is_not_warned_about(what: str, tmp_path: Path) -> None:
    toml, _ = LESS[what]
    assert checked(tmp_path, toml.replace("[events.vpn]", '[events.vpn]\nfewer_proofs = "intended"')) == []


NOTHING = {
    "one that stands in": event([APP], [MAIL]),
    "a sheet that stands in": event([APP], [methods("password", "recovery_codes")]),
    "the lesser one first, where it is meant": event([PASSWORD, OFFICE], [MAIL]),
    "each has its own clients": event([MAIL, GW], [PASSWORD, SHOP]),
    "each has its own networks": event([APP, OFFICE, GROUPS], [PASSWORD, HOME]),
    "no choice is asked for": event([MAIL], [PASSWORD], "choose = true"),
    "the same mailbox": event([methods("password", "email_otp"), GROUPS], [methods("password", "second_mail")]),
    "more": event([MAIL, GROUPS], [methods("password", "email_otp", "sms")]),
}


@pytest.mark.parametrize("what", NOTHING)
def test_34_what_is_no_less_or_not_reached_is_not_warned_about(what: str, tmp_path: Path) -> None:
    assert checked(tmp_path, NOTHING[what]) == []


HIDDEN = {
    "for everybody": event([MAIL], [PASSWORD]),
    "for the same group": event([MAIL, GROUPS], [PASSWORD, GROUPS_TOO]),
    "for a part of the networks": event([MAIL, OFFICE], [PASSWORD, ROOM]),
    "for a part of the networks, as IPv6": event([MAIL, OFFICE], [PASSWORD, MAPPED]),
    "for those enrolled": event([APP], [methods("totp")]),
}


@pytest.mark.parametrize("what", HIDDEN)
def test_34_a_lesser_chain_that_is_never_asked_is_only_said_to_be(what: str, tmp_path: Path) -> None:
    assert checked(tmp_path, HIDDEN[what]) == [("events.vpn.chains", NEVER)]


def test_34_intended_is_said_of_one_event(tmp_path: Path) -> None:
    toml = event([MAIL, GROUPS], [PASSWORD], 'fewer_proofs = "intended"').replace("[clients.shop]", "[clients.shop]")
    toml += '[clients.other]\nnetworks = ["192.0.2.12"]\nsecret = "a third secret, as long as those"\nevent = "other"\n'
    toml += "[events.other]\n"  # all chains
    assert checked(tmp_path, toml) == [less("password", BY_MAIL, STAFF, name="other")]
    with_all = toml.replace("[events.other]", '[events.other]\nfewer_proofs = "intended"')
    assert checked(tmp_path, with_all) == []


def https(authority: Authority, more: str) -> str:
    made = authority.certificate()
    return f'[https]\ncertificate = "{made.cert_file}"\nkey = {{ file = "{made.key_file}" }}\n{more}'


WEBSITE = f'[https.keys.web]\nhash = "{"0" * 64}"\nevent = "vpn"\nfurther_events = ["quick"]\n'
QUICK = (
    '"quick" asks less, by chain "weak" (password), than "vpn" does, by "strong" (password, then email_otp), and the '
)
FURTHER = (
    "https.keys.web.further_events",
    f"{QUICK}website may name it instead; should ask as much, or, if it is meant: ",
)


@pytest.mark.parametrize(
    ("own", "further", "more", "warned"),
    [
        ('["strong"]', '["weak"]', "", True),
        ('["strong", "weak"]\nfewer_proofs = "intended"', '["weak"]', "", True),
        ('["strong"]', '["weak", "strong"]', "", True),
        ('["strong"]', '["weak"]', 'fewer_proofs = "intended"', False),
        ('["strong"]', '["strong"]', "", False),
        ('["weak"]', '["strong"]', "", False),
        ('["weak"]', '["weak"]', "", False),
    ],
)
def test_34_a_website_that_may_name_an_event_that_asks_less(
    tmp_path: Path, authority: Authority, own: str, further: str, more: str, *, warned: bool
) -> None:
    chains = f"[chains.strong]\n{MAIL}\n{GROUPS}\n[chains.weak]\n{PASSWORD}\n{OFFICE if own == '[]' else ''}\n"
    events = f"[events.vpn]\nchains = {own}\n[events.quick]\nchains = {further}\n{more}\n"
    found = checked(tmp_path, chains + events + https(authority, WEBSITE))
    key, what = FURTHER
    said = [(key, f'{what}fewer_proofs = "intended" in [events.quick]')] if warned else []
    assert [each for each in found if each[0] == key] == said


ALONE = '"vpn" takes a password alone, by chain "{}" ({}): a stranger who learnt it could enrol an app; '


@pytest.mark.parametrize(
    ("toml", "chain"),
    [
        (event([MAIL, GW], [PASSWORD]), ("weak", "password")),
        (event([MAIL, 'clients = ["portal"]'], [PASSWORD, 'clients = ["gw", "shop"]']), None),
        (event([methods("other_password", "password"), GROUPS], [MAIL]), ("strong", "other_password, then password")),
        (event([APP], [MAIL]), None),
        (event([PASSWORD, GW], [MAIL], 'fewer_proofs = "intended"'), None),
    ],
)
def test_34_a_portal_that_takes_a_password_alone(
    tmp_path: Path, authority: Authority, toml: str, chain: tuple[str, str] | None
) -> None:
    found = checked(tmp_path, toml + https(authority, '[https.portal]\nevent = "vpn"\n'))
    said = [what for key, what in found if key == "https.portal.event"]
    assert [what.partition("should")[0] for what in said] == ([ALONE.format(*chain)] if chain else [])


SENDS = "begins with {}, which sends before anything is proved: any stranger can make it send to any user; "


@pytest.mark.parametrize("first", ["email_otp", "sms"])
@pytest.mark.parametrize("others", [(), ("password",), ("totp",)])
def test_a_chain_that_sends_before_any_proof_is_warned_about(
    tmp_path: Path, first: str, others: tuple[str, ...]
) -> None:
    found = checked(tmp_path, event([PASSWORD, GW], [methods(first, *others), SHOP]))
    assert found == [("chains.weak.methods", f"{SENDS.format(first)}should begin with a password or an app")]


SPELLINGS = (
    *("alice@corp", "Alice\uff20CORP", "alice\ufe6bcorp", "alice@\uff43orp", "alice@corp ", "corp\uff3calice"),
    "co\u0332rp\\alice",
)


def test_no_spelling_of_a_realm_leads_to_another_repository(tmp_path: Path) -> None:
    people = {"local": ("alice@corp", "corp\\\\alice"), "ad": ("alice",)}
    rest, chain = "[repositories.local]\npath = 'local.toml'\n", f"[chains.one]\n{PASSWORD}\n[events.vpn]\n"
    rest += "[repositories.ad]\npath = 'ad.toml'\nrealms = ['corp']\n"
    daemon = Daemon(tmp_path / "aad", rest, head=HEAD.partition("[chains.both]")[0] + chain)
    for name, users in people.items():
        file, hashed = daemon.folder / f"{name}.toml", hash_password(Secret(f"of {name}"), b"s" * 16)
        file.touch(mode=0o600)
        file.write_text("".join(f'[users."{user}"]\npassword = "{hashed}"\n' for user in users))
    with daemon, Raw(daemon.host, daemon.port) as client:
        for spelling in SPELLINGS:
            assert client.ask(spelling, "of local").code == ACCESS_REJECT, spelling
            assert client.ask(spelling, "of ad").code == ACCESS_ACCEPT, spelling
        assert {record["user"] for record in daemon.records("login.accepted")} == {"alice"}


def test_the_daemon_says_so_at_its_start_and_after_a_reload(tmp_path: Path) -> None:
    chains = event([MAIL, GROUPS], [PASSWORD])
    head = (
        HEAD.partition("[chains.both]")[0]
        + "[clients.shop]\nnetworks = ['192.0.2.1']\nsecret = '{secret}'\nevent = 'vpn'\n"
    )
    rest = FIRST.partition("[repositories.local]")[1] + FIRST.partition("[repositories.local]")[2]
    daemon = Daemon(tmp_path / "aad", rest + chains, head=head)
    (daemon.folder / "users.toml").touch(mode=0o600)
    warning = ": ".join(less("password", BY_MAIL, STAFF))
    with daemon:
        assert daemon.records("configuration.warning")[0]["reason"] == f"{daemon.file}: {warning}"
        daemon.configure(rest + chains.replace(PASSWORD, methods("password", "totp")))
        daemon.reload()
        assert len(daemon.records("configuration.warning")) == daemon.workers
        daemon.configure(rest + chains.replace(GROUPS, OFFICE))
        daemon.reload()
        assert STAFF not in daemon.records("configuration.warning")[-1]["reason"]
        assert NOWHERE in daemon.records("configuration.warning")[-1]["reason"]


PASSED_OVER = {
    "a group": (
        event([MAIL, GROUPS], [PASSWORD]),
        "alice",
        "is only for members of cn=Staff,dc=example: no group of alice is known",
    ),
    "another group": (event([MAIL, GROUPS], [PASSWORD]), "bob", "is only for members of cn=Staff,dc=example"),
    "a network": (
        event([MAIL, OFFICE], [PASSWORD]),
        "alice",
        "is only from 10.0.0.0/8",
    ),
    "an enrolment": (event([APP], [PASSWORD]), "alice", "alice is not enrolled for totp"),
    "a short name": (
        event([MAIL], [PASSWORD, 'short_name = "quick"']),
        "alice quick",
        "is not the one whose short name was typed",
    ),
    "behind an enrolment": (
        event([APP], [PASSWORD], between=(MAIL, GROUPS)),
        "alice",
        "is only for members of cn=Staff,dc=example: no group of alice is known",
    ),
}


@pytest.mark.parametrize("what", PASSED_OVER)
def test_34_explain_says_where_less_is_asked_as_something_is_unknown(what: str, tmp_path: Path) -> None:
    toml, name, why = PASSED_OVER[what]
    file = tmp_path / "aad.toml"
    checked(tmp_path, toml + f'[store]\npath = "{tmp_path}/state.db"\n')
    (tmp_path / "users.toml").write_text(
        f'[users.alice]\npassword = "{HASH}"\n[users.bob]\npassword = "{HASH}"\ngroups = ["others"]\n'
    )
    done = aad("explain", name, "--event", "vpn", "--client", "gw", "-c", file)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [line for line in done.stdout.splitlines() if line.startswith("asks less: ")]
    more = {
        "an enrolment": "strong asks for more (password, then totp)",
        "behind an enrolment": "between asks for more (password, then email_otp)",
    }
    said = more.get(what, "strong asks for more (password, then email_otp)")
    why, _, unknown = why.partition(": ")
    assert lines[-1].startswith(f"asks less: chain {said}, and {why}")
    assert lines[-1].endswith(unknown)
    assert "no group" in lines[-1] or not unknown
    assert len(lines) == (2 if what == "behind an enrolment" else 1)


def test_34_explain_says_nothing_where_no_less_is_asked(tmp_path: Path) -> None:
    checked(tmp_path, event([APP], [MAIL]) + f'[store]\npath = "{tmp_path}/state.db"\n')
    (tmp_path / "users.toml").write_text(f'[users.alice]\npassword = "{HASH}"\n')
    done = aad("explain", "alice", "--event", "vpn", "--client", "gw", "-c", tmp_path / "aad.toml")
    assert "chain: weak" in done.stdout
    assert "asks less" not in done.stdout
