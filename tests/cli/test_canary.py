"""The canary: a real daemon, Postfix, its Maildir, and Dovecot that shows it over IMAP."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, fields
from itertools import count
from pathlib import Path

import pytest

from aad.canary.mail_matching import MailText
from aad.canary.settings import CanarySettings
from aad.core.scrypt import hash_password
from aad.core.secret import Secret
from tests.parts.authority import Authority
from tests.parts.corp import sender
from tests.parts.daemon import SECRET, Daemon
from tests.parts.dovecot import Dovecot
from tests.parts.ports import free_port
from tests.parts.postfix import Postfix
from tests.parts.waiting import until
from tests.parts.warm import aad

ROOT = Path(__file__).parent.parent.parent
PASSWORD, IMAP_PASSWORD = "a canary's password", "imap secret"
USERS = [f"canary{number:02}" for number in range(40)]
CLIENT = 'deadline = "10s"'
LIMITS = '[lockout]\nattempts = 20\n[methods.email_otp]\nresend_after = "0s"\n'


@dataclass
class World:
    """All that takes part; each test takes users of its own."""

    folder: Path
    authority: Authority
    postfix: Postfix
    dovecot: Dovecot
    daemon: Daemon
    numbers: Iterator[int]

    def user(self) -> str:
        return USERS[next(self.numbers)]

    def daemon_like(self, name: str, rest: str) -> Daemon:
        return Daemon(people(self.folder / name), rest, client=CLIENT)

    def imap(self, security: str = "tls") -> list[str | Path]:
        port = self.dovecot.tls_port if security == "tls" else self.dovecot.port
        how: list[str | Path] = ["--imap", f"localhost:{port}", "--imap-user", "canary", "--imap-security", security]
        return [*how, "--imap-password-file", self.folder / "imap", "--imap-ca-file", self.authority.ca_file]

    @property
    def maildir(self) -> list[str | Path]:
        return ["--maildir", self.postfix.maildir]

    def to(self, server: str = "") -> list[str | Path]:
        known: list[str | Path] = ["--secret-file", self.folder / "secret", "--password-file", self.folder / "password"]
        return [*known, "--server", server or f"{self.daemon.host}:{self.daemon.port}"]


def people(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    hashed = hash_password(Secret(PASSWORD), bytes(16))
    (folder / "users.toml").touch(mode=0o600)
    users = (f'[users.{name}]\npassword = "{hashed}"\nemail = "{name}@example.com"\n' for name in USERS)
    (folder / "users.toml").write_text("".join(users))
    return folder


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("canary")
    authority = Authority(folder / "ca")
    for name, text in (("secret", SECRET), ("password", PASSWORD), ("imap", IMAP_PASSWORD), ("wrong", "wrong")):
        (folder / name).touch(mode=0o600)
        (folder / name).write_text(text + "\n")
    with (
        Postfix(folder / "postfix", authority, "tls", "aad", "mail secret") as postfix,
        Dovecot(folder / "dovecot", postfix.mail, authority, password=IMAP_PASSWORD) as dovecot,
        Daemon(people(folder / "aad"), sender(postfix.port, authority) + LIMITS, client=CLIENT) as daemon,
    ):
        yield World(folder, authority, postfix, dovecot, daemon, count())


def canary(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    done = aad("canary", *arguments)
    said = done.stdout + done.stderr
    assert "Traceback" not in said
    assert not any(secret in said for secret in (PASSWORD, IMAP_PASSWORD, SECRET)), said
    return done


def letters(world: World, user: str) -> int:
    files = [file for sub in ("new", "cur") for file in (world.postfix.maildir / sub).iterdir()]
    return sum(f"To: {user}@example.com".encode() in file.read_bytes() for file in files)


def test_a_maildir_s_mail_is_read_answered_and_removed(world: World) -> None:
    user = world.user()
    done = canary(user, *world.to(), *world.maildir)
    assert done.returncode == 0, done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["password", "mail", "code", "total"]
    seconds = [float(line.split()[1]) for line in done.stdout.splitlines()]
    assert sum(seconds[:3]) <= seconds[3] + 0.01
    assert "challenged: Enter the code sent to c***@e***.com (ref " in done.stdout
    assert not done.stderr
    assert [record["user"] for record in world.daemon.records("login.accepted") if record["user"] == user] == [user]
    assert letters(world, user) == 0


@pytest.mark.parametrize("security", ["tls", "starttls", "none"])
def test_over_imap_too(world: World, security: str) -> None:
    user, other = world.user(), world.postfix.maildir / "cur" / f"{security}:2,T"
    other.write_bytes(b"Subject: another's, marked as deleted\r\n\r\nleft alone\r\n")
    shutil.chown(other, "mail", "mail")
    done = canary(user, *world.to(), *world.imap(security), "--format", "json", "--protocol", "mschapv2")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["accepted"]
    assert ("can be read on the way" in done.stderr) == (security == "none")
    assert list(said["seconds"]) == ["password", "mail", "code", "total"]
    (asked,) = [record for record in world.daemon.records("challenge.sent") if record["user"] == user]
    assert said["reference"] == asked["login"]
    assert letters(world, user) == 0
    assert any("left alone" in file.read_text() for file in (world.postfix.maildir / "cur").iterdir())


def test_keep_keeps_the_mail(world: World) -> None:
    user = world.user()
    done = canary(user, *world.to(), *world.imap(), "--keep")
    assert done.returncode == 0
    assert letters(world, user) == 1
    (file,) = [one for one in world.postfix.maildir.rglob("*:*") if f"{user}@".encode() in one.read_bytes()]
    assert MailText.parse(file.read_bytes()).code("").text() not in done.stdout + done.stderr


def test_a_wrong_password_is_a_refusal_that_names_its_step(world: World) -> None:
    user = world.user()
    done = canary(user, *world.to(), *world.maildir, "--password-file", world.folder / "wrong")
    assert done.returncode == 1
    assert done.stderr == (f"aad: password: refused: Login failed; the daemon knows more: aad log --user {user}\n")


def test_a_mail_that_doesn_t_come_is_said_with_the_reference(world: World, tmp_path: Path) -> None:
    for name in ("new", "cur"):
        (tmp_path / name).mkdir()
    user = world.user()
    done = canary(user, *world.to(), "--maildir", tmp_path, "--timeout", "2s")
    assert done.returncode == 1
    (asked,) = [record for record in world.daemon.records("challenge.sent") if record["user"] == user]
    reference = asked["login"]
    assert done.stderr == (
        f"aad: mail: no mail with the reference {reference} in Maildir {tmp_path} within 2s; "
        f"the daemon knows more: aad log --login {reference}\n"
    )


def test_others_mails_and_old_ones_are_never_taken(world: World) -> None:
    user = world.user()
    old = world.postfix.maildir / "new" / f"1.{user}"
    old.write_text(f"To: {user}@example.com\nSubject: Your code\n\n  123456\n\nIt shows the reference K7QXM2.\n")
    for mailbox in (world.maildir, world.imap()):
        shutil.chown(old, "mail", "mail")
        assert canary(user, *world.to(), *mailbox).returncode == 0
    assert letters(world, user) == 1


def test_two_at_once_don_t_take_each_other_s_code(world: World) -> None:
    commands = [
        [sys.executable, "-m", "aad", "canary", world.user(), *map(str, [*world.to(), *mailbox])]
        for mailbox in (world.maildir, world.maildir, world.imap(), world.imap())
    ]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for command in commands]
    said = [one.communicate(timeout=60) for one in running]
    assert [one.returncode for one in running] == [0, 0, 0, 0], said
    assert [letters(world, command[4]) for command in commands] == [0, 0, 0, 0]


def test_a_login_begun_again_soon_is_answered_by_the_mail_that_is_there(world: World, tmp_path: Path) -> None:
    rest = sender(world.postfix.port, world.authority)
    for name in ("new", "cur"):
        (tmp_path / name).mkdir()
    with world.daemon_like("again", rest) as daemon:
        to = world.to(f"{daemon.host}:{daemon.port}")
        for mailbox in (world.maildir, world.imap()):
            user = world.user()
            assert canary(user, *to, "--maildir", tmp_path, "--timeout", "1s").returncode == 1
            until(lambda user=user: letters(world, user))  # type: ignore[misc]
            done = canary(user, *to, *mailbox)
            assert done.returncode == 0, done.stderr
            assert letters(world, user) == 0
            assert len([record for record in daemon.records("mail.sent") if record["user"] == user]) == 1


def test_without_a_reference_only_mails_after_the_request_count(world: World) -> None:
    rest = sender(world.postfix.port, world.authority) + '[methods.email_otp]\nprompt = "Code"\n'
    user = world.user()
    old = world.postfix.maildir / "new" / f"1.{user}"
    old.write_text(f"To: {user}@example.com\nSubject: Your code\n\n  123456\n")
    shutil.chown(old, "mail", "mail")
    with world.daemon_like("plain", rest) as daemon:
        for mailbox in (world.maildir, world.imap()):
            done = canary(user, *world.to(f"{daemon.host}:{daemon.port}"), *mailbox)
            assert done.returncode == 0, done.stderr
            assert letters(world, user) == 1
        done = canary(user, *world.to(f"{daemon.host}:{daemon.port}"), *world.maildir, "--code-pattern", r"\d minutes")
        assert done.returncode == 1
        assert "aad: code: not accepted" in done.stderr
        assert letters(world, user) == 2  # it might have been anybody's
        assert f"aad log --user {user}" in done.stderr


def test_a_pattern_that_finds_the_wrong_number_is_refused(world: World) -> None:
    user = world.user()
    done = canary(user, *world.to(), *world.maildir, "--code-pattern", r"good for (\d+) minutes")
    assert done.returncode == 1
    assert "aad: code: not accepted but challenged again: Wrong code." in done.stderr
    done = canary(user, *world.to(), *world.maildir, "--code-pattern", "no such words")
    assert done.returncode == 1
    assert "aad: code: the mail arrived, but code_pattern matches nothing in it" in done.stderr
    assert letters(world, user) == 0


def test_a_user_who_isn_t_asked_for_a_code_is_an_alarm(world: World) -> None:
    daemon = world.daemon_like("bare", sender(world.postfix.port, world.authority))
    daemon.file.write_text(daemon.file.read_text().replace('"password", "email_otp"', '"password"'))
    with daemon:
        done = canary(world.user(), *world.to(f"{daemon.host}:{daemon.port}"), *world.maildir)
    assert done.returncode == 1
    assert "accepted without a code" in done.stderr


def test_nagios_gets_its_line_and_status(world: World) -> None:
    line = [world.user(), *world.to(), *world.maildir, "--format", "nagios"]
    done = canary(*line, "--warn", "20s", "--warn-mail", "10s")
    assert done.returncode == 0, done.stdout
    words, _, figures = done.stdout.partition(" | ")
    assert words.startswith(f"AAD CANARY OK - {line[0]} accepted in ")
    total, *steps = figures.split()
    assert total.startswith("total=")
    assert total.endswith("s;20;30;0")
    assert [step.partition("=")[0] for step in steps] == ["code", "mail", "password"]
    assert steps[1].endswith("s;10;;0")
    done = canary(*line, "--warn-password", "1ms")
    assert done.returncode == 1
    assert done.stdout.startswith("AAD CANARY WARNING - ")
    assert "; password 0." in done.stdout
    done = canary(*line, "--password-file", world.folder / "wrong")
    assert done.returncode == 2
    assert done.stdout.startswith("AAD CANARY CRITICAL - password: refused")
    done = canary(*line, "--password-file", world.folder / "nowhere", "--protocol", "eap")
    assert done.returncode == 3
    assert done.stdout.startswith("AAD CANARY UNKNOWN - ")
    assert '"eap" should be one of' in done.stdout


def test_slow_is_said_and_no_failure_of_the_house(world: World) -> None:
    done = canary(world.user(), *world.to(), *world.maildir, "--warn", "1ms")
    assert done.returncode == 0
    assert done.stderr.startswith("aad: slow: total ")


def test_a_server_that_says_nothing_is_unavailable(world: World) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as mute:
        mute.bind(("127.0.0.1", 0))
        done = canary("x", *world.to(f"127.0.0.1:{mute.getsockname()[1]}"), *world.maildir, "--timeout", "1s")
        assert done.returncode == 69
        assert "aad: password: no answer of 127.0.0.1" in done.stderr
    done = canary("x", *world.to(f"127.0.0.1:{free_port('udp')}"), *world.maildir, "--timeout", "1s")
    assert done.returncode == 69
    assert "Connection refused" in done.stderr


def test_a_mail_server_that_is_gone_is_silence_too(world: World) -> None:
    with world.daemon_like("mute", sender(free_port(), world.authority)) as daemon:
        to = world.to(f"{daemon.host}:{daemon.port}")
        done = canary(world.user(), *to, *world.maildir, "--timeout", "1s", "--format", "json")
    assert done.returncode == 69
    said = json.loads(done.stdout)
    assert (said["failed_step"], said["accepted"]) == ("password", False)
    assert "mail is unavailable" in said["reason"]


def test_a_mailbox_that_can_t_be_opened_costs_no_login(world: World, tmp_path: Path) -> None:
    user, other = world.user(), Authority(tmp_path / "other")
    cases: dict[str, list[str | Path]] = {
        "No such file or directory": ["--maildir", tmp_path / "none"],
        "AUTHENTICATIONFAILED": [*world.imap(), "--imap-password-file", world.folder / "wrong"],
        "certificate isn't trusted": [*world.imap(), "--imap-ca-file", other.ca_file],
        "Connection refused": [*world.imap(), "--imap", f"localhost:{free_port()}"],
        "doesn't exist": [*world.imap(), "--imap-folder", 'no "such" \\ folder'],
    }
    for words, mailbox in cases.items():
        done = canary(user, *world.to(), *mailbox)
        assert done.returncode == 69, (words, done.stderr)
        assert "aad: mailbox: " in done.stderr
        assert words in done.stderr
    assert not [record for record in world.daemon.records("login.started") if record["user"] == user]


def test_an_imap_server_that_says_nothing_is_not_waited_for(world: World) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        at = f"127.0.0.1:{mute.getsockname()[1]}"
        for security in ("tls", "starttls"):
            done = canary("x", *world.to(), *world.imap(security), "--imap", at, "--timeout", "1s")
            assert done.returncode == 69
            assert "no answer in time" in done.stderr


def test_prometheus_reads_a_file_that_is_never_half_written(world: World, tmp_path: Path) -> None:
    file, user = tmp_path / "aad.prom", world.user()
    line = [user, *world.to(), *world.maildir, "--format", "prometheus", "--output", file]
    assert canary(*line).returncode == 0
    lines = file.read_text().splitlines()
    assert f'aad_canary_accepted{{user="{user}"}} 1' in lines
    assert any(one.startswith(f'aad_canary_seconds{{user="{user}",step="mail"}} 0.') for one in lines)
    assert file.stat().st_mode & 0o777 == 0o644
    assert canary(*line, "--password-file", world.folder / "wrong").returncode == 1
    assert f'aad_canary_accepted{{user="{user}"}} 0' in file.read_text()
    assert [one.name for one in tmp_path.iterdir()] == ["aad.prom"]
    assert canary(*line[:-1], tmp_path / "nowhere" / "aad.prom").returncode == 1


def written(folder: Path, text: str) -> Path:
    for name in ("secret", "password", "imap"):
        (folder / f"canary.{name}").touch(mode=0o600)
        (folder / f"canary.{name}").write_text("a secret, long enough for everybody")
    (folder / "canary.toml").write_text(text)
    return folder / "canary.toml"


def test_a_file_holds_what_the_options_would(world: World, tmp_path: Path) -> None:
    user = world.user()
    file = written(
        tmp_path,
        f"""
user = "{user}"
server = "{world.daemon.host}:{world.daemon.port}"
secret = {{ file = "{world.folder}/secret" }}
password = {{ file = "{world.folder}/password" }}
maildir = "{world.postfix.maildir}"
warn = "30s"
format = "json"
""",
    )
    done = canary("--file", file)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["user"] == user
    assert canary("--file", file, "--format", "text").stdout.startswith("password ")


def test_a_file_is_read_strictly(tmp_path: Path, world: World) -> None:
    file = written(tmp_path, 'user = "x"\nserver = "a:b"\nsecret = "x"\nmail_dir = "y"\ntimeout = "soon"\n')
    done = canary("--file", file)
    assert done.returncode == 78
    for words in (
        f'{file}: mail_dir: unknown key: did you mean "maildir"?',
        f"{file}: password: missing: The test user's password.",
        f"{file}: secret: a secret in a file that everybody may read",
        f"{file}: timeout: should be a duration",
    ):
        assert words in done.stderr
    assert canary("--file", tmp_path / "none").returncode == 78
    done = canary("x", *world.to("a:b"), *world.maildir, *world.imap(), "--code-pattern", "(")
    assert done.returncode == 2
    for words in ("a:b should be HOST or HOST:PORT", "one mailbox: maildir or imap", "regular expression"):
        assert words in done.stderr


def test_the_example_names_every_key_and_its_default(tmp_path: Path) -> None:
    text = (ROOT / "conf" / "canary.toml").read_text()
    told = [line.removeprefix("# ").partition(" = ") for line in text.splitlines() if " = " in line]
    defaults = {key: tomllib.loads(f"x = {rest}")["x"] for key, _, rest in told}
    assert set(defaults) == {field.name for field in fields(CanarySettings)}
    for key in ("imap_user", "imap_security", "imap_folder", "protocol", "keep", "format"):
        (field,) = [field for field in fields(CanarySettings) if field.name == key]
        assert defaults[key] == field.default
    done = canary("--file", written(tmp_path, text + 'timeout = "1s"\n'), "--imap", f"127.0.0.1:{free_port()}")
    assert done.returncode == 69
    assert "aad: mailbox: imap 127.0.0.1" in done.stderr


def test_systemd_understands_the_units(tmp_path: Path) -> None:
    for unit in (ROOT / "systemd").glob("aad-canary.*"):
        text = unit.read_text().replace("/usr/bin/aad ", f"{sys.executable} -m aad ")
        (tmp_path / unit.name).write_text(text)
    units = sorted(tmp_path.iterdir())
    assert [unit.name for unit in units] == ["aad-canary.service", "aad-canary.timer"]
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *units], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "aad-canary" not in done.stderr
    command = ["systemd-analyze", "security", "--offline=true", "--threshold=12", str(units[0])]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-200:]


def test_an_interrupted_canary_ends_quietly(world: World, tmp_path: Path) -> None:
    for name in ("new", "cur"):
        (tmp_path / name).mkdir()
    user = world.user()
    line = [sys.executable, "-m", "aad", "canary", user, *map(str, [*world.to(), "--maildir", tmp_path])]
    process = subprocess.Popen(line, stderr=subprocess.PIPE, text=True)
    until(lambda: [one for one in world.daemon.records("challenge.sent") if one["user"] == user])
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=20)
    assert (process.returncode, said) == (130, "")
