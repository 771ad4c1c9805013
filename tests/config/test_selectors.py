"""What selects something: a realm, a short name, a client's name, an event. There is such a thing, and one only."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.parts.authority import Authority
from tests.parts.configuration import SMALLEST, faults, loaded

OTHER = '[repositories.other]\npath = "users.toml"\n'
CLIENT = '[clients.other]\nnetworks = ["192.0.2.11"]\nsecret = "another secret of this test"\n'
SHORT = '[chains.one]\nmethods = ["password"]\nshort_name = "Mail"\n[chains.two]\nmethods = ["password", "email_otp"]\n'


def realms(*of_each: str) -> str:
    """Return repositories, each with realms."""
    names = ("local", "other")
    said = [
        f"[repositories.{name}]\npath = 'users.toml'\nrealms = {of}\n" for name, of in zip(names, of_each, strict=True)
    ]
    return SMALLEST.replace("[repositories.local]\n", "".join(said))


SPELLINGS = [
    ("CORP", "corp"),
    ("corp", "\uff23ORP"),
    ("Straße", "STRASSE"),
    ("Zo\u00eb", "Zoe\u0308"),
    ("istanbul", "\u0130stanbul"),
    ("corp", "cor\u0332p"),
]


@pytest.mark.parametrize(("one", "other"), SPELLINGS)
def test_a_realm_is_one_repository_s_in_an_event(tmp_path: Path, one: str, other: str) -> None:
    text = realms(f'["{one}"]', f'["x", "{other}"]')
    what = f'repositories.other.realms: "{other}" stands for repositories.local already, in [events.vpn]'
    assert faults(tmp_path, text) == [what]
    assert not loaded(tmp_path, text.replace("[events.vpn]", '[events.vpn]\nrepositories = ["other"]')).warnings


def test_a_realm_twice_of_one_repository_is_no_fault(tmp_path: Path) -> None:
    (warning,) = loaded(tmp_path, realms('["CORP", "corp"]', "[]")).warnings
    assert (warning.key, warning.what.partition(",")[0]) == (
        "repositories.local.realms[1]",
        '"corp" is "CORP" in another spelling',
    )


@pytest.mark.parametrize(
    "realm",
    ["", " ", "my corp", "@corp.example.com", "corp\\\\", "a@b", "\uff20corp", "\u0301", "a\u00a8b", "c\\u200borp"],
)
def test_a_realm_that_could_not_be_typed_is_a_fault(tmp_path: Path, realm: str) -> None:
    (fault,) = faults(tmp_path, realms(f'["good", "{realm}"]', "[]"))
    assert fault.startswith("repositories.local.realms[1]: ")
    assert "should be the realm alone" in fault
    assert fault.isprintable()


@pytest.mark.parametrize("short", ["two words", "a@b", "a\\\\b", "\u0301", "\u00a8", "\\u200b"])
def test_a_short_name_that_could_not_be_typed_is_a_fault(tmp_path: Path, short: str) -> None:
    (fault,) = faults(tmp_path, f'{SMALLEST}[chains.one]\nmethods = ["password"]\nshort_name = "{short}"\n')
    assert fault.startswith("chains.one.short_name: should be one word")


@pytest.mark.parametrize("spelling", ["Mail", "MAIL", "mail", "\uff4dail", "ma\u0332il"])
def test_a_short_name_is_one_chain_s_in_an_event(tmp_path: Path, spelling: str) -> None:
    text = f'{SMALLEST}{SHORT}short_name = "{spelling}"\n'
    assert faults(tmp_path, text) == [
        f'chains.two.short_name: "{spelling}" is what chains.one is called already, in [events.vpn]'
    ]
    assert loaded(tmp_path, text.replace("[events.vpn]", '[events.vpn]\nchains = ["two"]'))


@pytest.mark.parametrize(
    ("first", "second", "says"),
    [
        ("", "ONE", '"ONE" is what chains.one is called already'),
        ("two", "", '"two" is what chains.one is called already'),
        ("2", "", '"2" is the number of a chain'),
        ("\uff12", "", '"\uff12" is the number of a chain'),
        ("2\u0332", "", '"2\u0332" is the number of a chain'),
        ("\u00b2", "", '"\u00b2" is the number of a chain'),
        ("3", "", ""),
        ("app", "", ""),
    ],
)
def test_where_the_user_picks_a_chain_its_name_is_one_and_no_number(
    tmp_path: Path, first: str, second: str, says: str
) -> None:
    short = SHORT.replace('"Mail"', f'"{first}"') + f'short_name = "{second}"\n'
    text = SMALLEST.replace("[events.vpn]", '[events.vpn]\nchoose = true\nchains = ["one", "two"]') + short
    if says:
        (fault,) = faults(tmp_path, text)
        assert says in fault
    else:
        loaded(tmp_path, text)
    loaded(tmp_path, text.replace("choose = true", ""))


@pytest.fixture(scope="module")
def https(tmp_path_factory: pytest.TempPathFactory) -> str:
    made = Authority(tmp_path_factory.mktemp("ca")).certificate()
    return f'[https]\ncertificate = "{made.cert_file}"\nkey = {{ file = "{made.key_file}" }}\n'


def test_a_key_is_one_website_s(tmp_path: Path, https: str) -> None:
    text = SMALLEST + https
    for name, hashes in {"one": 'hash = "AA"\nold_hash = "BB"', "two": 'hash = "CC"\nold_hash = "AA"'}.items():
        text += f'[https.keys.{name}]\nevent = "vpn"\n{hashes}\n'
    for each in "ABC":
        text = text.replace(each * 2, each.lower() * 64)
    assert faults(tmp_path, text) == [
        "https.keys.two.old_hash: is that of https.keys.one already; should be one of its own"
    ]


def test_a_network_is_one_client_s_however_it_is_written(tmp_path: Path) -> None:
    text = f'{SMALLEST}{CLIENT}event = "vpn"\n'.replace('"192.0.2.11"', '"::ffff:192.0.2.10"')
    assert faults(tmp_path, text) == ["clients.other.networks: ::ffff:192.0.2.10 is in clients.gw already"]


def warned(folder: Path, text: str) -> list[str]:
    return [f"{warning.key}: {warning.what}" for warning in loaded(folder, text).warnings]


WEB = '[events.web]\nchains = ["both"]\n'


def test_an_event_that_nobody_asks_for(tmp_path: Path, https: str) -> None:
    assert warned(tmp_path, SMALLEST + WEB) == ["events.web: no client, website or portal asks for it"]
    key = f'{https}[https.keys.shop]\nhash = "{"a" * 64}"\n'
    for asks in (f'{CLIENT}event = "web"\n', f'{https}[https.portal]\nevent = "web"\n', f'{key}event = "web"\n'):
        assert warned(tmp_path, SMALLEST + WEB + asks) == []
    assert warned(tmp_path, f'{SMALLEST}{WEB}{key}event = "vpn"\nfurther_events = ["web"]\n') == []


def test_a_condition_that_can_not_be_met(tmp_path: Path) -> None:
    other = f'{CLIENT}event = "web"\n[events.web]\nchains = ["web"]\n[chains.web]\nmethods = ["password"]\n'
    text = SMALLEST.replace("[events.vpn]", '[events.vpn]\nchains = ["both"]') + other
    assert warned(tmp_path, text) == []
    assert warned(tmp_path, text + 'clients = ["other", "gw"]\n') == [
        'chains.web.clients: "gw" asks for no event that has this chain'
    ]
    assert warned(tmp_path, text + 'clients = ["gw"]\n') == [
        "events.web.chains: none of them is for users who come through other",
        'chains.web.clients: "gw" asks for no event that has this chain',
    ]
    reply = '[replies.web]\nevents = ["web"]\nclients = ["gw", "other"]\nattributes = { Class = "web" }\n'
    assert warned(tmp_path, text + reply) == ['replies.web.clients: "gw" asks for none of the events of this table']


def test_a_client_that_is_defined_nowhere_is_a_fault(tmp_path: Path) -> None:
    for name in ("GW", "gw ", "\uff47w", "portal"):
        text = f'{SMALLEST}[chains.one]\nmethods = ["password"]\nclients = ["{name}"]\n'
        (fault,) = faults(tmp_path, text)
        assert fault.startswith(f'chains.one.clients: "{name}" is defined nowhere')


@pytest.mark.parametrize("other", ["GW", "\uff47w", "gw\u0332"])
def test_names_that_read_as_one(tmp_path: Path, other: str) -> None:
    assert warned(tmp_path, f'{SMALLEST}{CLIENT}event = "vpn"\n'.replace("clients.other", f'clients."{other}"')) == [
        f'clients.{other}: is easily taken for "gw": only the spelling tells them apart'
    ]


ONE_FIELD = 'challenge = false\ncode_separator = ","\nevent = "vpn"\n'
SERVES_NOBODY = "clients.gw.challenge: is false, and no chain of [events.vpn] can be answered in one field: "


@pytest.mark.parametrize(
    ("methods", "served"),
    [
        (['["password", "email_otp"]'], True),
        (['["password", "totp"]'], True),
        (['["totp"]'], True),
        (['["email_otp", "password"]', '["password", "totp"]'], True),
        (['["email_otp", "password"]'], False),
        (['["email_otp"]'], False),
        (['["totp", "password"]', '["email_otp", "totp"]'], False),
        (['["password", "totp", "email_otp"]'], False),
        (['["password", "file_password"]'], False),
    ],
)
def test_a_client_without_challenges_is_served_by_one_chain_at_least(
    tmp_path: Path, methods: list[str], *, served: bool
) -> None:
    text = SMALLEST.replace('event = "vpn"\n', ONE_FIELD).replace(
        '[chains.both]\nmethods = ["password", "email_otp"]\n', ""
    )
    text += "".join(f"[chains.c{number}]\nmethods = {each}\n" for number, each in enumerate(methods))
    text = text.replace("[events.vpn]", '[methods.file_password]\npath = "users.toml"\n[events.vpn]\nchoose = true')
    if served:
        loaded(tmp_path, text)
    else:
        (fault,) = faults(tmp_path, text)
        assert fault.startswith(SERVES_NOBODY)
        loaded(tmp_path, text.replace("challenge = false", ""))


def test_only_the_chains_that_are_for_it_count(tmp_path: Path) -> None:
    text = SMALLEST.replace('event = "vpn"\n', ONE_FIELD).replace("[events.vpn]", 'clients = ["other"]\n[events.vpn]')
    (fault,) = faults(tmp_path, f'{text}{CLIENT}event = "vpn"\n')
    assert fault.startswith(f"{SERVES_NOBODY}it has none for this client")


def test_one_event_that_is_meant_to_ask_less(tmp_path: Path) -> None:
    for value in ('"Intended"', '"yes"', "true"):
        (fault,) = faults(tmp_path, f"{SMALLEST}fewer_proofs = {value}\n")
        assert fault.startswith("events.vpn.fewer_proofs: ")
