"""Plugins of other packages, installed as anybody would: whole logins through the real daemon."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from aad.core.scrypt import hash_password
from aad.core.secret import Secret
from aad.radius.protocol.constants import ACCESS_ACCEPT, ACCESS_CHALLENGE, ACCESS_REJECT, REPLY_MESSAGE
from tests.parts.alice import RIGHT, state
from tests.parts.authority import Authority
from tests.parts.corp import repository
from tests.parts.daemon import HEAD, Daemon
from tests.parts.directory import Directory, Person
from tests.parts.gateway import TOKEN, Gateway
from tests.parts.installed import installed
from tests.parts.raw import Raw, Request
from tests.parts.waiting import until
from tests.parts.warm import AAD

ROOT = Path(__file__).parent.parent.parent
EXAMPLE = ROOT / "tests" / "plugin"
BARE = HEAD.replace('[chains.both]\nmethods = ["password", "email_otp"]\n', "")
ALICE = """
[users.alice]
password = "{hash}"
email = "alice@example.com"
attributes = {{ mobile = "+49 170 123-4567", employeeNumber = ["4711", "0815"] }}
"""
SMS = """
[repositories.local]
type = "file"
[senders.sms]
type = "sms_gateway"
url = "{url}"
token = "{token}"
[methods.sms]
type = "email_otp"
address_attribute = "mobile"
{more}
[chains.sms]
methods = ["password", "sms"]
"""


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """Return what stands before a command that knows the example package."""
    return installed(EXAMPLE, tmp_path_factory.mktemp("example"))


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    with Gateway() as running:
        yield running


def daemon(folder: Path, rest: str, before: tuple[str, ...]) -> Daemon:
    """Return a daemon that isn't started yet, with one user in a file."""
    made = Daemon(folder / "aad", rest, head=BARE, within=before)
    users = made.folder / "users.toml"
    users.touch(mode=0o600)
    users.write_text(ALICE.format(hash=hash_password(Secret(RIGHT), bytes(16))))
    return made


def with_sms(folder: Path, gateway: Gateway, before: tuple[str, ...], more: str = "") -> Daemon:
    return daemon(folder, SMS.format(url=gateway.url, token=TOKEN, more=more), before)


def aad(before: tuple[str, ...], *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [*before, *AAD, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


def test_a_code_goes_by_sms(tmp_path: Path, gateway: Gateway, example: tuple[str, ...]) -> None:
    with with_sms(tmp_path, gateway, example) as running, Raw(running.host, running.port) as client:
        asked = client.ask("alice", RIGHT)
        assert asked.code == ACCESS_CHALLENGE
        assert b"Enter the code sent to +49***67 (ref " in (asked.first(REPLY_MESSAGE) or b"")
        message = gateway.wait()
        assert (message["from"], message["to"]) == ("aad", "+491701234567")
        code = re.fullmatch(r"Your one-time password: ([0-9]{6})", message["text"])
        assert code is not None
        assert client.ask("alice", "000000", state(asked)).code == ACCESS_CHALLENGE
        again = client.ask("alice", RIGHT)  # the same challenge, and no second message
        assert client.ask("alice", code[1], state(again)).code == ACCESS_ACCEPT
        (sent,) = running.records("mail.sent")
    assert (sent["recipient"], sent["sender"], sent["queue_id"]) == ("+49***67", "sms", "SMS1")
    assert len(gateway.messages) == 1
    assert not running.strays()


def test_the_number_comes_from_a_real_directory(
    tmp_path: Path, gateway: Gateway, authority: Authority, example: tuple[str, ...]
) -> None:
    extra = {"mobile": "+49 171 7654321", "employeeNumber": "4711"}
    people = (Person("alice", RIGHT, mail=(), extra=extra), Person("bob", RIGHT, mail=("bob@example.com",)))
    rest = SMS.format(url=gateway.url, token=TOKEN, more="").partition("[senders.sms]")
    both = '[methods.employee_number]\n[chains.three]\nmethods = ["password", "sms", "employee_number"]\n'
    folder = tmp_path / "directory"
    folder.mkdir()
    with Directory(folder, authority, people) as directory:
        made = Daemon(
            tmp_path / "aad",
            repository(directory) + "".join(rest[1:]).partition("[chains.sms]")[0] + both,
            head=BARE,
            within=example,
        )
        with made as running, Raw(running.host, running.port) as client:
            asked = client.ask("alice", RIGHT)
            assert gateway.wait()["to"] == "+491717654321"
            asked = client.ask("alice", gateway.wait()["text"][-6:], state(asked))
            assert asked.first(REPLY_MESSAGE) == b"Employee number: "
            assert client.ask("alice", "4711", state(asked)).code == ACCESS_ACCEPT
            assert client.ask("bob", RIGHT).code == ACCESS_REJECT
            assert running.records("login.rejected")[-1]["reason"] == "no usable address"
            assert not running.strays()


def test_a_user_without_the_attribute_has_no_address(
    tmp_path: Path, gateway: Gateway, example: tuple[str, ...]
) -> None:
    made = daemon(tmp_path, SMS.format(url=gateway.url, token=TOKEN, more="").replace('"mobile"', '"pager"'), example)
    with made as running, Raw(running.host, running.port) as client:
        assert client.ask("alice", RIGHT).code == ACCESS_REJECT
        assert running.records("login.rejected")[-1]["reason"] == "no usable address"


@pytest.mark.parametrize(
    ("status", "record", "reason"),
    [(404, "login.rejected", "address refused by the mail server"), (401, "login.unavailable", "the gateway says 401")],
)
def test_what_the_gateway_says_is_in_the_log(
    tmp_path: Path, gateway: Gateway, example: tuple[str, ...], status: int, record: str, reason: str
) -> None:
    gateway.status = status
    with with_sms(tmp_path, gateway, example) as running, Raw(running.host, running.port) as client:
        client.send(Request("alice", RIGHT).octets)
        until(lambda: running.records(record))
        assert running.records(record)[-1]["reason"] == reason
    assert not running.strays()


def test_a_slow_gateway_holds_no_challenge_up(tmp_path: Path, gateway: Gateway, example: tuple[str, ...]) -> None:
    gateway.gate.clear()
    with with_sms(tmp_path, gateway, example) as running, Raw(running.host, running.port) as client:
        asked = client.ask("alice", RIGHT)
        assert asked.code == ACCESS_CHALLENGE
        assert running.records("mail.queued")
        gateway.gate.set()
        until(lambda: running.records("mail.sent"))
        code = gateway.wait()["text"][-6:]
        assert client.ask("alice", code, state(asked)).code == ACCESS_ACCEPT
    assert not running.strays()


def test_the_words_of_an_sms_are_the_administrator_s(
    tmp_path: Path, gateway: Gateway, example: tuple[str, ...]
) -> None:
    words = 'subject = "{otp} is your code for {event} (ref {reference})"'
    with with_sms(tmp_path, gateway, example, words) as running, Raw(running.host, running.port) as client:
        assert client.ask("alice", RIGHT).code == ACCESS_CHALLENGE
    assert re.fullmatch(r"[0-9]{6} is your code for vpn \(ref [A-Z0-9]{6}\)", gateway.wait()["text"])


def test_the_commands_know_a_plugin(tmp_path: Path, gateway: Gateway, example: tuple[str, ...]) -> None:
    file = with_sms(tmp_path, gateway, example).file
    checked = aad(example, "check", "-c", file, "--online")
    assert "sender sms: fine, 127.0.0.1 answers" in checked.stdout
    assert (checked.returncode, checked.stderr) == (0, "")
    tested = aad(example, "test-message", "-c", file, "--to", "+49 170 1", "--message", "Hello {you}")
    assert tested.returncode == 1
    assert "address refused: is no phone number in international form" in tested.stderr
    tested = aad(example, "test-message", "-c", file, "--to", "+49 170 1234567", "--message", "Hello {you}")
    assert "taken for +49***67 as SMS1" in tested.stdout
    assert gateway.wait()["text"] == "Hello {you}"
    explained = aad(example, "explain", "alice", "-c", file, "--event", "vpn").stdout
    assert "Enter the code sent to +49***67" in explained
    file.write_text(file.read_text().replace(gateway.url, "http://sms.example.com/") + "[senders.other]\nurl = 3\n")
    faults = aad(example, "check", "-c", file).stderr
    assert "senders.sms.url: should begin with https://" in faults
    assert "senders.other" in faults


def documented() -> dict[str, str]:
    """Return the code blocks of "Add a method", each by the file that its first line names."""
    text = (ROOT / "docs" / "plugins.md").read_text("utf-8")
    section = text.partition("## Add a method\n")[2].partition("\n## ")[0]
    blocks = re.findall(r"^```\w+\n# (?:a part of )?(\S+)\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    return dict(blocks)


def test_the_method_of_the_docs_is_that_of_the_example_package() -> None:
    assert documented()["aad_employee_number.py"] == (EXAMPLE / "aad_employee_number.py").read_text("utf-8")


def test_the_method_of_the_docs_followed_word_by_word_logs_in(tmp_path: Path) -> None:
    blocks = documented()
    assert list(blocks) == ["pyproject.toml", "aad_employee_number.py", "aad.toml"]
    source = tmp_path / "written"
    source.mkdir()
    for name in ("pyproject.toml", "aad_employee_number.py"):
        (source / name).write_text(blocks[name])
    before = installed(source, tmp_path)
    assert re.search(
        r"^methods +employee_number +aad-employee-number 1\.0 +aad_employee_number:EmployeeNumber$",
        aad(before, "plugins").stdout,
        re.MULTILINE,
    )
    with daemon(tmp_path, blocks["aad.toml"], before) as running, Raw(running.host, running.port) as client:
        asked = client.ask("alice", RIGHT)
        assert (asked.code, asked.first(REPLY_MESSAGE)) == (ACCESS_CHALLENGE, b"Employee number: ")
        wrong = client.ask("alice", "1234", state(asked))
        assert (wrong.code, wrong.first(REPLY_MESSAGE)) == (ACCESS_CHALLENGE, b"Wrong. Employee number: ")
        assert client.ask("alice", "0815", state(wrong)).code == ACCESS_ACCEPT
        asked = client.ask("alice", RIGHT)
        asked = client.ask("alice", "1", state(asked))
        assert client.ask("alice", "2", state(asked)).code == ACCESS_REJECT
        assert [each["reason"] for each in running.records("number.refused")] == ["wrong employee number"] * 3
    assert not running.strays()
