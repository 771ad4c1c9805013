"""aad.toml: what is right is read, what is wrong is named by file and key, all at once."""

from __future__ import annotations

import contextlib
import sys
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aad.config import ConfigError, load
from aad.core.secret import Secret
from aad.core.settings import Rate
from aad.daemon import plugin_registry
from tests.parts.configuration import SMALLEST, faults, loaded, written


def test_the_smallest_file_gets_every_default(tmp_path: Path) -> None:
    config = loaded(tmp_path, SMALLEST)
    assert config.radius.listen == ("0.0.0.0:1812", "[::]:1812")
    assert config.events["vpn"].repositories == ("local",)
    assert config.events["vpn"].chains == ("both",)
    assert config.methods["email_otp"].settings.senders == ("mail",)
    assert config.methods["email_otp"].settings.period == 120.0
    assert config.repositories["local"].type == "file"
    assert config.limits.mails_per_user == Rate(10, 600.0)
    assert config.lockout.attempts == 3
    assert config.clients["gw"].require_message_authenticator


def test_drop_ins_come_later_and_win(tmp_path: Path) -> None:
    written(tmp_path, '[lockout]\nattempts = 5\n[clients.gw]\nsecret = {env = "OTHER"}', "aad.toml.d/10-a.toml")
    written(tmp_path, '[lockout]\nattempts = 7\n[clients.gw]\nsecret = "the last word has it"', "aad.toml.d/20-b.toml")
    written(tmp_path, "no TOML", "aad.toml.d/README")
    config = loaded(tmp_path, SMALLEST)
    assert config.lockout.attempts == 7
    assert config.clients["gw"].secret == (Secret("the last word has it"),)


def test_the_log_s_file(tmp_path: Path) -> None:
    assert faults(tmp_path, SMALLEST + '[log]\nto = "file"') == ['log.file: missing: to = "file" needs file = "PATH"']
    (tmp_path / "log").mkdir()
    (fault,) = faults(tmp_path, SMALLEST + '[log]\nfile = "log"')
    assert fault == f"log.file: {tmp_path}/log is a folder; it should be a file in it"
    config = loaded(tmp_path, SMALLEST + '[log]\nto = "file"\nfile = "log/aad.log"')
    assert (config.log.file, config.warnings) == (tmp_path / "log" / "aad.log", ())
    (warning,) = loaded(tmp_path, SMALLEST + '[log]\nfile = "none/aad.log"').warnings
    assert "there is no folder" in warning.what
    (warning,) = loaded(tmp_path, SMALLEST + '[log]\nfile = "log/aad.log"\nto = "stderr"').warnings
    assert warning.what == 'nothing is written to it while to = "stderr"'


def test_a_fault_names_the_file_that_holds_it(tmp_path: Path) -> None:
    drop_in = written(tmp_path, "[lockout]\natempts = 5", "aad.toml.d/10-a.toml")
    with pytest.raises(ConfigError) as raised:
        loaded(tmp_path, SMALLEST)
    assert str(raised.value) == f'{drop_in}: lockout.atempts: unknown key: did you mean "attempts"?'


def test_every_fault_at_once(tmp_path: Path) -> None:
    text = """
    spelling = 1
    [radius]
    listen = ["127.0.0.1:99999"]
    reject_delay = "soon"
    [client.gw]
    [clients.gw]
    networks = ["192.0.2.300"]
    secret = ""
    event = "vpm"
    deadline = "1h"
    [clients.other]
    networks = "192.0.2.1"
    [repositories.corp]
    type = "ldpa"
    [senders.mail]
    host = 3
    port = true
    [chains.both]
    methods = ["password", "emailotp"]
    [chains.none]
    methods = []
    [methods.email_otp]
    subject = "{opt}"
    [events.vpn]
    [limits]
    mails_per_user = "many"
    """
    macros = "{user} {endpoint} {event} {number} {otp} {reference} {minutes}"
    sections = (
        "radius, lockout, limits, store, log, metrics, https, clients, repositories, senders, methods, chains, events"
    )
    sections += ", replies"
    assert sorted(faults(tmp_path, text)) == sorted(
        [
            'chains.both.methods: "emailotp" is defined nowhere as [methods.emailotp]: did you mean "email_otp"?',
            "chains.none.methods: should name at least one of [methods.*]",
            'client: unknown section: did you mean "clients"?',
            "clients.gw.deadline: 1h should be at least 100ms and at most 1m",
            'clients.gw.event: "vpm" is defined nowhere as [events.vpm]: did you mean "vpn"?',
            "clients.other.event: missing: The event its users log in for.",
            "clients.other.networks: should be a list, is a text",
            "clients.other.secret: missing: The shared secret; or a list, old and new, while it is being changed.",
            'limits.mails_per_user: should be a rate such as "10 per 10m", or "unlimited"',
            f"methods.email_otp.subject: {{opt}} is no macro; there are {macros}",
            'radius.reject_delay: should be a duration such as "500ms", "90s", "5m", "2h", or whole seconds',
            'repositories.corp.type: no type "ldpa": did you mean "ldap"?',
            "senders.mail.host: should be a text in quotes, is a number",
            "senders.mail.port: should be a whole number, is true or false",
            "senders.mail.sender_email: missing: The address that mails come from.",
            f"spelling: unknown section: known here: {sections}",
        ]
    )


def test_what_only_a_whole_section_can_tell(tmp_path: Path) -> None:
    text = SMALLEST.replace("192.0.2.10", "192.0.2.300").replace("a shared secret of this test", "")
    found = faults(tmp_path, text + '[radius]\nlisten = ["127.0.0.1:99999"]')
    assert [fault.partition(":")[0] for fault in found] == [
        "clients.gw.networks[0]",
        "clients.gw.secret",
        "radius.listen[0]",
    ]


def test_two_clients_of_one_network(tmp_path: Path) -> None:
    twice = SMALLEST + '[clients.again]\nnetworks = ["192.0.2.10/32"]\nsecret = "another shared secret"\nevent = "vpn"'
    assert faults(tmp_path, twice) == ["clients.again.networks: 192.0.2.10/32 is in clients.gw already"]
    mapped = twice.replace("192.0.2.10/32", "::ffff:192.0.2.10")
    assert faults(tmp_path, mapped) == ["clients.again.networks: ::ffff:192.0.2.10 is in clients.gw already"]


def test_no_sender_for_a_method_that_sends(tmp_path: Path) -> None:
    text = SMALLEST.replace('[senders.mail]\nhost = "localhost"\nsender_email = "noreply@example.com"\n', "")
    assert faults(tmp_path, text) == ["methods.email_otp.senders: needs at least one [senders.NAME]"]


def test_the_four_ways_to_give_a_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path, "from a file, long enough\n", "gw.secret")
    written(tmp_path, "from systemd, long enough", "credentials/gw")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "credentials"))
    monkeypatch.setenv("GW_SECRET", "from the environment")
    ways = {
        '"in the file, long enough"': "in the file, long enough",
        '{ file = "gw.secret" }': "from a file, long enough",
        '{ credential = "gw" }': "from systemd, long enough",
        '{ env = "GW_SECRET" }': "from the environment",
    }
    for way, secret in ways.items():
        config = loaded(tmp_path, SMALLEST.replace('"a shared secret of this test"', way))
        assert config.clients["gw"].secret == (Secret(secret),)
        assert not config.warnings
    both = SMALLEST.replace('"a shared secret of this test"', f"[{', '.join(ways)}]")
    assert len(loaded(tmp_path, both).clients["gw"].secret) == 4


def test_a_credential_out_of_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = SMALLEST.replace('"a shared secret of this test"', '{ credential = "gw" }')
    written(tmp_path, "read by hand, by root", "credentials/gw")
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    assert loaded(tmp_path, text).clients["gw"].secret == (Secret("read by hand, by root"),)
    written(tmp_path, text, "aad.toml.d/clients.toml")
    assert loaded(tmp_path, "").clients["gw"].secret == (Secret("read by hand, by root"),)
    written(tmp_path, "loaded by systemd, as ID_NAME", "loaded/aad_gw")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "loaded"))
    assert loaded(tmp_path, text).clients["gw"].secret == (Secret("loaded by systemd, as ID_NAME"),)


@pytest.mark.parametrize(
    ("way", "says"),
    [
        ('{ file = "nowhere" }', "/nowhere can't be read: No such file or directory"),
        ('{ credential = "gw" }', "credentials/gw, for root only, or the unit needs LoadCredential=gw:PATH"),
        ('{ env = "NOWHERE" }', "NOWHERE is not in the environment"),
        ("{ env = 3 }", "env should be a name in quotes"),
        ('{ file = "a", env = "b" }', "{ credential = "),
        ("3", "{ credential = "),
    ],
)
def test_a_secret_nobody_can_read(tmp_path: Path, way: str, says: str) -> None:
    (found,) = faults(tmp_path, SMALLEST.replace('"a shared secret of this test"', way))
    assert says in found


def test_a_literal_secret_in_a_file_everybody_may_read(tmp_path: Path) -> None:
    (tmp_path / "users.toml").touch(mode=0o600)
    with pytest.raises(ConfigError, match="chmod o-r") as raised:
        load(written(tmp_path, SMALLEST, mode=0o644), plugin_registry)
    assert "a shared secret" not in str(raised.value)


def test_unwise_but_allowed(tmp_path: Path) -> None:
    written(tmp_path, "short", "gw.secret", mode=0o644)
    config = loaded(tmp_path, SMALLEST.replace('"a shared secret of this test"', '{ file = "gw.secret" }'))
    said = [str(warning) for warning in config.warnings]
    assert len(said) == 2
    assert any("may be read by others" in line for line in said)
    assert any("12 octets or fewer" in line for line in said)


@pytest.mark.parametrize(
    ("octets", "says"),
    [(b"[radius", "not TOML"), (b"\xff\xfe", "not UTF-8"), (None, "can't be read: No such file or directory")],
)
def test_a_file_that_is_none(tmp_path: Path, octets: bytes | None, says: str) -> None:
    file = tmp_path / "aad.toml"
    if octets is not None:
        file.write_bytes(octets)
    with pytest.raises(ConfigError, match=says):
        load(file, plugin_registry)


@pytest.mark.parametrize("section", ["radius", "clients", "methods", "store", "lockout", "events"])
def test_a_value_where_a_table_should_be(tmp_path: Path, section: str) -> None:
    found = faults(tmp_path, f"{section} = 3\n")
    assert any(fault.startswith(f"{section}: should be a table") for fault in found), found


def test_a_value_where_a_named_table_should_be(tmp_path: Path) -> None:
    assert "clients.gw: should be a table: [clients.gw]" in faults(tmp_path, "[clients]\ngw = 3\n")


def test_tables_of_a_table(tmp_path: Path) -> None:
    written(tmp_path, '[methods.email_otp.texts.de]\nprompt = "Code (de): "', "aad.toml.d/10-de.toml")
    texts = SMALLEST + '[methods.email_otp.texts.de]\nsubject = "{otp} (de)"\n[methods.email_otp.texts.fr]\n'
    settings = loaded(tmp_path, texts).methods["email_otp"].settings
    assert list(settings.texts) == ["de", "fr"]
    assert (settings.texts["de"].subject, settings.texts["de"].prompt) == ("{otp} (de)", "Code (de): ")
    assert not loaded(tmp_path, SMALLEST).methods["email_otp"].settings.texts["de"].subject


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("texts = 3", "methods.email_otp.texts: should be tables: [methods.email_otp.texts.NAME]"),
        ("texts.de = 3", "methods.email_otp.texts.de: should be a table: [methods.email_otp.texts.de]"),
        ("texts.de.promt = 'x'", 'methods.email_otp.texts.de.promt: unknown key: did you mean "prompt"?'),
        ("texts.de.prompt = 3", "methods.email_otp.texts.de.prompt: should be a text in quotes, is a number"),
        (
            "texts.de.prompt = '{otp}'",
            "methods.email_otp.texts.de.prompt: {otp} is no macro; there are {recipient} {reference} {user} {minutes}",
        ),
        (
            "texts.it = {prompt = 'x', wrong_prompt = 'x', subject = '{otp}'}",
            "methods.email_otp.texts.it.body_file: missing: there are shipped texts in en, de, fr, es only",
        ),
    ],
)
def test_a_fault_in_a_table_of_a_table_names_its_whole_path_and_file(tmp_path: Path, text: str, fault: str) -> None:
    drop_in = written(tmp_path, f"[methods.email_otp]\n{text}", "aad.toml.d/10-de.toml")
    with pytest.raises(ConfigError) as raised:
        loaded(tmp_path, SMALLEST)
    assert str(raised.value) == f"{drop_in}: {fault}"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("prompt = '{otp}'", "prompt: {otp} is no macro; there are {recipient} {reference} {user} {minutes} {prompt}"),
        ("prompt = ' '", "prompt: should be words; without the key it is the method's own"),
        ("prompt_limit = 19", "prompt_limit: 19 should be at least 20 and at most 250"),
        ("prompt_charset = 'latin1'", 'prompt_charset: "latin1" should be one of "utf-8", "ascii"'),
    ],
)
def test_a_client_s_wording(tmp_path: Path, text: str, fault: str) -> None:
    written(tmp_path, f"[clients.gw]\n{text}", "aad.toml.d/10-gw.toml")
    assert faults(tmp_path, SMALLEST) == [f"clients.gw.{fault}"]


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)


def as_toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return '"' + "".join(f"\\U{ord(c):08x}" for c in value if not 0xD800 <= ord(c) < 0xE000) + '"'
    if isinstance(value, list):
        return "[" + ", ".join(as_toml(one) for one in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{as_toml(key)} = {as_toml(one)}" for key, one in value.items()) + "}"
    return str(value) if value is not None else "0.5"


KEYS = [
    "methods.email_otp.texts",
    "methods.email_otp.texts.de",
    "radius.listen",
    "clients.gw.networks",
    "clients.gw",
    "senders.mail.port",
    "methods.email_otp.period",
    "store",
]
KEYS += [
    "chains.both.methods",
    "events.vpn.chains",
    "methods",
    "log.level",
    "store.path",
    "limits",
    "repositories.local",
]


@settings(max_examples=40)  # each reads a whole file
@given(key=st.sampled_from(KEYS), value=values)
def test_any_value_anywhere_is_a_configuration_or_a_fault(
    tmp_path_factory: pytest.TempPathFactory, key: str, value: object
) -> None:
    file = written(tmp_path_factory.mktemp("any"), SMALLEST)
    (file.parent / "users.toml").touch(mode=0o600)
    written(file.parent, f"{key} = {as_toml(value)}", "aad.toml.d/x.toml")
    with contextlib.suppress(ConfigError):  # anything else fails the test
        load(file, plugin_registry)


@pytest.mark.parametrize("listen", ["", "127.0.0.1:9812", "[::1]:9812", "127.3.2.1:1", "unix:/run/aad/metrics.sock"])
def test_where_metrics_may_be_had(tmp_path: Path, listen: str) -> None:
    assert loaded(tmp_path, SMALLEST + f'[metrics]\nlisten = "{listen}"').metrics.listen == listen


@pytest.mark.parametrize(
    ("listen", "says"),
    [
        ("9812", "should be such as"),
        ("localhost:9812", "should be such as"),
        ("unix:metrics.sock", "should be such as"),
        ("unix:", "should be such as"),
        (f"unix:/{'x' * 107}", "should be such as"),
        ("0.0.0.0:9812", "can be reached by others: should be a loopback address, or beyond_loopback = true"),
        ("[::]:9812", "can be reached by others"),
        ("192.0.2.1:9812", "can be reached by others"),
    ],
)
def test_where_metrics_may_not_be_had(tmp_path: Path, listen: str, says: str) -> None:
    (found,) = faults(tmp_path, SMALLEST + f'[metrics]\nlisten = "{listen}"')
    assert found.startswith("metrics.listen: ")
    assert says in found
    if "reached" in says:
        text = SMALLEST + f'[metrics]\nlisten = "{listen}"\nbeyond_loopback = true'
        assert loaded(tmp_path, text).metrics.beyond_loopback


def test_accounting_has_ports_of_its_own(tmp_path: Path) -> None:
    radius = '[radius]\nlisten = ["127.0.0.1:1812"]\naccounting_listen = '
    assert loaded(tmp_path, SMALLEST).radius.accounting_listen == ()
    assert loaded(tmp_path, f'{SMALLEST}{radius}["127.0.0.1:1813"]').radius.accounting_listen == ("127.0.0.1:1813",)
    for listen, says in (("127.0.0.1:1812", "in listen already"), ("here", '"0.0.0.0:1813"')):
        (fault,) = faults(tmp_path, f'{SMALLEST}{radius}["{listen}"]')
        assert fault.startswith("radius.accounting_listen")
        assert says in fault


def test_accounting_that_no_log_holds_is_warned_about(tmp_path: Path) -> None:
    text = SMALLEST + '[radius]\naccounting_listen = ["127.0.0.1:1813"]\n[log]\nlevel = '
    assert not loaded(tmp_path, f'{text}"info"').warnings
    (warning,) = loaded(tmp_path, f'{text}"warning"').warnings
    assert warning.key == "log.level"


def calls(folder: Path, clients: int) -> int:
    """Return how many functions are called, those in C included, until so many clients are read."""
    more = "".join(
        f'[clients.c{n}]\nnetworks = ["10.0.{n // 256}.{n % 256}"]\nsecret = "a secret of number {n}"\nevent = "vpn"\n'
        for n in range(clients)
    )
    (folder / "users.toml").touch()
    file, number = written(folder, SMALLEST + more), count()
    before = sys.getprofile()
    sys.setprofile(lambda *_: next(number) and None)
    try:
        config = load(file, plugin_registry)
    finally:
        sys.setprofile(before)
    assert len(config.clients) == clients + 1
    return next(number)


def test_twice_as_many_clients_are_twice_the_work(tmp_path: Path) -> None:
    calls(tmp_path, 0)  # what is done but once
    few, many = calls(tmp_path, 200), calls(tmp_path, 400)
    assert many < 2.1 * few


def test_what_a_later_file_replaces_is_gone_with_all_below_it(tmp_path: Path) -> None:
    file = written(tmp_path, SMALLEST + "[clients.gw.secret]\nfile = 3\nrest = 4\n".replace("gw", "other"))
    written(tmp_path / "aad.toml.d", '[clients.other]\nsecret = { env = "NOWHERE" }\n', "1.toml")
    with pytest.raises(ConfigError) as error:
        load(file, plugin_registry)
    secrets = [fault for fault in error.value.faults if fault.key.startswith("clients.other.secret")]
    assert [fault.file.name for fault in secrets] == ["1.toml"]


def test_the_daemon_s_user_is_of_use_without_a_folder_only(tmp_path: Path) -> None:
    text = '[store]\ntype = "valkey"\nurl = "valkey://localhost"\nkey = "0123456789abcdef"\n'
    assert loaded(tmp_path, SMALLEST + text).daemon_user == "aad"
    config = loaded(tmp_path, SMALLEST + text + 'daemon_user = "radius"\n')
    assert (config.daemon_user, config.state_folder) == ("radius", None)
    config = loaded(tmp_path, SMALLEST + '[store]\npath = "s/state.db"\ndaemon_user = "radius"\n')
    assert config.state_folder == tmp_path / "s"
    assert "store.daemon_user: isn't used: it is the owner of the folder" in str(config.warnings[-1])
