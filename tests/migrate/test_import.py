"""Another server's file becomes an aad.toml that loads; secrets go into files or nowhere."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import stat
import tomllib
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aad.cli import main
from aad.config import Config, load
from aad.core.secret import Secret
from aad.daemon import plugin_registry
from aad.migrate import duo, freeradius
from aad.migrate.toml_writer import BadFileError, Secrets, TomlWriter

HERE = Path(__file__).parent
MORE = 'client more {\n  ipaddr = 192.0.3.1\n  secret = "included secret"\n}\n'
DUO_SECRETS = re.findall(r"(?m)^(?:skey|\w*secret\w*|\w*password\w*)=(.+)$", (HERE / "authproxy.cfg").read_text())
FREERADIUS_SECRETS = [
    'it\'s "quoted" # and é',
    "old-form-secret-of-ours",
    'single "quoted" secret',
    "this-one-is-for-tcp-only",
    "a-second-secret-there",
    "another-secret-of-ours",
    "included secret",
]


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    shutil.copy(HERE / "clients.conf", tmp_path)
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "one").write_text(MORE)
    (tmp_path / "more" / "one~").write_text("client {{{ not read: a backup")
    return tmp_path / "clients.conf"


@pytest.fixture
def cfg(tmp_path: Path) -> Path:
    shutil.copy(HERE / "authproxy.cfg", tmp_path)
    return tmp_path / "authproxy.cfg"


def completed(folder: Path, toml: str) -> Config:
    """Load what was printed, with the essentials filled in: the lines that begin with # and no space."""
    toml = re.sub(r"(?m)^#(?=[\[a-z])", "", toml).replace('networks = ["ADDRESS"]', 'networks = ["198.51.100.77"]')
    for file in re.findall(r'file = "([^"/]+)"', toml):
        (folder / file).write_text("filled in by hand")
        (folder / file).chmod(0o600)
    file = folder / "aad.toml"
    file.write_text(toml)
    file.chmod(0o600)
    return load(file, plugin_registry)


def line_of(file: Path, text: str) -> str:
    lines = file.read_text().splitlines()
    return f"{file}:{next(number for number, line in enumerate(lines, 1) if text in line)}"


# FreeRADIUS.


def test_clients_of_freeradius(
    conf: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["import", str(conf), "--secrets-dir", str(tmp_path / "secrets")]) == 0
    out, err = capsys.readouterr()
    monkeypatch.setenv("NAS_SECRET", "out of the environment")
    config = completed(tmp_path, out)
    assert {name: client.networks for name, client in config.clients.items()} == {
        "localhost": ("127.0.0.1",),
        "switches": ("192.0.2.0/24",),
        "wlan/guests": ("2001:db8:1::/48",),
        "env": ("198.51.100.1",),
        "byname": ("198.51.100.77",),
        "inner": ("203.0.113.0/28",),
        "more": ("192.0.3.1",),
    }
    secrets = {name: client.secret[0].reveal() for name, client in config.clients.items()}
    assert secrets == {
        "localhost": 'it\'s "quoted" # and é'.encode(),
        "switches": b"old-form-secret-of-ours",
        "wlan/guests": b'single "quoted" secret',
        "env": b"out of the environment",
        "byname": b"filled in by hand",
        "inner": b"another-secret-of-ours",
        "more": b"included secret",
    }
    assert [name for name, client in config.clients.items() if not client.require_message_authenticator] == [
        "localhost"
    ]
    assert err.startswith("aad: 7 clients, ")
    assert not config.warnings
    for file in (tmp_path / "secrets").iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("nas_type", "checkrad"),
        ("limit {", "UDP has none"),
        ("auto", "say false"),
        ("virtual_server", "[events.*]"),
        ("nas.example.com", "write the address"),
        ("client tcp", "isn't served"),
        ("client again", ""),
        ("clients per_socket", "its clients are for all"),
        ("colour", "no such thing"),
        ("home_server", "is no client"),
    ],
)
def test_what_of_freeradius_is_not_carried_over_has_a_comment(
    conf: Path, capsys: pytest.CaptureFixture[str], line: str, says: str
) -> None:
    assert main(["import", str(conf)]) == 0
    flat = re.sub(r"\n#   ", " ", capsys.readouterr().out)
    place = line_of(conf, line)
    if line == "client again":
        place, says = line_of(conf, "client again").rpartition(":")[0], "[clients.localhost] already"
    assert any(comment.startswith(f"# {place}") and says in comment for comment in flat.splitlines())


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("client a {\n  secret = x\n", ":1: the { of client a is never closed"),
        ("client a {\n}\n}\n", ":3: a } that closes nothing"),
        ('client a {\n  secret = "x\n}\n', ":2: a quote that isn't closed on its line"),
        ("client a {\n  secret =\n}\n", ":2: secret has no value"),
        ("client a\n{\n}\n", ":1: client needs a = or a { on its line"),
        ("client a {\n  secret = hush words\n}\n", ":2: something follows the value of secret"),
        ("client a {\n  secret = hush=words\n}\n", ":2: something follows the value of secret"),
        ("client a {\n}\n= b\n", ":3: a name is expected, not ="),
        ("client a {\n}\n$INCLUDE none.conf\n", ":3: none.conf can't be read: No such file"),
        ("client a {\n}\n$INCLUDE clients.conf\n", "does the file include itself?"),
    ],
)
def test_a_file_of_freeradius_that_it_would_not_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, says: str
) -> None:
    file = tmp_path / "clients.conf"
    file.write_text(text)
    assert main(["import", str(file)]) == 1
    out, err = capsys.readouterr()
    assert not out
    assert says in err
    assert err.startswith(f"aad: {tmp_path}")
    assert err.count("\n") == 1
    assert "hush" not in err
    assert "words" not in err


def test_an_optional_include_may_be_missing(tmp_path: Path) -> None:
    (tmp_path / "clients.conf").write_text("client a {\n  ipaddr = *\n}\n$-INCLUDE none.conf\n")
    assert main(["import", str(tmp_path / "clients.conf")]) == 0


def test_octets_that_are_no_text_stay_what_they_are(tmp_path: Path) -> None:
    file = tmp_path / "clients.conf"
    file.write_bytes(b'client a {\n  ipaddr = 192.0.2.1\n  secret = "\xff\\376 and more of it"\n}\n')
    assert main(["import", str(file), "--secrets-dir", str(tmp_path / "s")]) == 0
    assert (tmp_path / "s" / "a.secret").read_bytes() == b"\xff\xfe and more of it\n"


# Duo.


def test_a_proxy_of_duo(cfg: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["import", str(cfg), "--secrets-dir", str(tmp_path / "secrets")]) == 0
    out, err = capsys.readouterr()
    config = completed(tmp_path, out)
    assert set(config.radius.listen) == {"0.0.0.0:1812", "[::]:1812", "0.0.0.0:18120", "[::]:18120"}
    staff = config.repositories["ad-client"].settings
    assert staff.servers == ("ldap://dc1.corp.example.com:3890", "ldap://10.0.0.6:3890")
    assert staff.starttls
    assert staff.bind_dn == "duosvc@corp.example.com"
    assert staff.bind_password == Secret("the account's password")
    assert staff.user_filter == "(&(sAMAccountName={name})(!(cn=guest)))"
    other = config.repositories["ad-client2"].settings
    assert other.servers == ("ldaps://dc1.other.example.com",), "never in the clear, whatever it was"
    assert other.bind_dn == "CN=duo,DC=other,DC=example,DC=com"
    assert config.chains["ad-client"].groups == ("CN=VPN Users,OU=Groups,DC=corp,DC=example,DC=com",)
    event = config.events["radius-server-auto"]
    assert (event.repositories, event.chains) == (("ad-client",), ("ad-client",))
    clients = {name: (client.networks, client.event, client.secret[0]) for name, client in config.clients.items()}
    assert clients == {
        "radius-server-auto-1": (("192.0.2.10",), "radius-server-auto", Secret("first shared secret")),
        "radius-server-auto-2": (("198.51.100.0/24",), "radius-server-auto", Secret("second shared secret")),
        "radius-server-concat-1": (
            ("203.0.113.1", "203.0.113.2/31", "203.0.113.4/31", "203.0.113.6"),
            "radius-server-concat",
            Secret("third shared secret"),
        ),
        "radius-server-concat-2": (("2001:db8::/64",), "radius-server-concat", Secret("filled in by hand")),
        "radius-server-challenge-2": (("192.0.2.11",), "radius-server-challenge", Secret("fifth shared secret")),
    }
    field = config.clients["radius-server-concat-1"]
    assert (field.challenge, field.code_separator) == (False, ",")
    assert err.startswith("aad: 5 clients, ")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("ikey", "no cloud is asked"),
        ("failmode=safe", "no letting in on the password alone"),
        ("pass_through_all", "no attributes are passed on"),
        ("exempt_username_1", "no user is exempt"),
        ("timeout=5", "timeout of the repository"),
        ("radius_secret_protected_2", "only the old machine can read it"),
        ("client=radius_client", "name those that are meant"),
        ("[radius_client]", "write [methods.radius]"),
        ("[ldap_server_auto]", "LDAP isn't served"),
        ("[main]", "aad log"),
    ],
)
def test_what_of_duo_is_not_carried_over_has_a_comment(
    cfg: Path, capsys: pytest.CaptureFixture[str], line: str, says: str
) -> None:
    assert main(["import", str(cfg)]) == 0
    flat = re.sub(r"\n#   ", " ", capsys.readouterr().out)
    place = line_of(cfg, line)
    assert any(comment.startswith(f"# {place}") and says in comment for comment in flat.splitlines())
    assert "failmode=secure" not in flat


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[main]\nhush words\n", ":2: neither [section] nor key=value"),
        ("skey=hush words\n[main]\n", ":1: skey stands before any [section]"),
        ("[main]\n[ad_client]\n[main]\n", ":3: [main] is there twice"),
    ],
)
def test_a_file_of_duo_that_it_would_not_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, says: str
) -> None:
    file = tmp_path / "authproxy.cfg"
    file.write_text(text)
    assert main(["import", str(file)]) == 1
    err = capsys.readouterr().err
    assert f"{file}{says}" in err
    assert "hush" not in err


# Secrets.


@pytest.mark.parametrize("options", [[], ["--secrets-dir", "s"]])
def test_no_secret_is_printed(
    conf: Path, cfg: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str]
) -> None:
    given = [str(tmp_path / each) if each == "s" else each for each in options]
    assert main(["import", str(conf), *given]) == 0
    assert main(["import", str(cfg), *given]) == 0
    out, err = capsys.readouterr()
    assert len(DUO_SECRETS) > 8
    for secret in (*FREERADIUS_SECRETS, *DUO_SECRETS):
        assert secret not in out + err


def test_secrets_are_shown_where_that_is_wanted(cfg: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["import", str(cfg), "--show-secrets"]) == 0
    out = capsys.readouterr().out
    assert 'secret = "first shared secret"' in out
    assert "the integration's secret key" not in out, "nobody needs Duo's own"


def test_a_secret_that_is_there_is_not_replaced(cfg: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "secrets"
    command = ["import", str(cfg), "--secrets-dir", str(folder)]
    assert main(command) == 0
    assert main(command) == 0, "the same again does no harm"
    file = folder / "radius-server-auto-1.secret"
    file.write_text("in use")
    capsys.readouterr()
    assert main(command) == 1
    out, err = capsys.readouterr()
    assert not out
    assert str(file) in err
    assert file.read_text() == "in use"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_secrets_are_not_led_elsewhere(cfg: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    theirs, roots = tmp_path / "theirs", tmp_path / "roots"
    for each in (theirs, roots):
        each.mkdir()
    os.chown(theirs, 4321, 4321)
    (theirs / "secrets").symlink_to(roots)
    os.chown(theirs / "secrets", 4321, 4321, follow_symlinks=False)
    for folder in (theirs / "secrets", theirs / "secrets" / "new"):
        assert main(["import", str(cfg), "--secrets-dir", str(folder)]) == 1
        assert "lead root elsewhere" in capsys.readouterr().err
    name = "radius-server-auto-1.secret"
    (roots / "secret").write_text("of root's")
    (theirs / name).symlink_to(roots / "secret")
    assert main(["import", str(cfg), "--secrets-dir", str(theirs)]) == 1
    assert f"{theirs / name}: " in capsys.readouterr().err
    assert [(each.name, each.read_text()) for each in roots.iterdir()] == [("secret", "of root's")]


def test_what_is_neither_is_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "something.conf"
    file.write_text("listen = 1812\n")
    assert main(["import", str(file)]) == 2
    assert "--from" in capsys.readouterr().err
    assert main(["import", str(tmp_path / "none.conf")]) == 1
    assert "No such file" in capsys.readouterr().err


# Whatever it is.

FREERADIUS_WORDS = ("client", "{", "}", "=", '"', "'", "\\", "#", "ipaddr", "192.0.2.1/24", "*", "\x00")
DUO_WORDS = ("[radius_server_auto]", "[ad_client]", "radius_ip_1=", "radius_secret_1=", "host=", "client=", "\x7f")
WORDS = st.sampled_from((*FREERADIUS_WORDS, *DUO_WORDS, "\n", " ", "secret", "a", "é", "\udcff"))


def nothing(path: str, by: str) -> list[tuple[str, str]]:
    raise FileNotFoundError(2, path, by)


@given(st.lists(WORDS, max_size=40).map("".join), st.sampled_from(Secrets))
def test_any_text_is_toml_or_a_bad_file(text: str, keeping: Secrets) -> None:
    for read in (duo.imported, partial(freeradius.imported, include=nothing)):
        page = TomlWriter(keeping, "/secrets")
        with contextlib.suppress(BadFileError):
            read("file", text, page=page)
            tomllib.loads(page.text())
