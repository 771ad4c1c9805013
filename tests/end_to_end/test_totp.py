"""A phone's app, played by oathtool: enrolled on a terminal, then whole logins over RADIUS, each code once."""

from __future__ import annotations

import itertools
import re
import shutil
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pexpect
import pytest

from aad.core.scrypt import hash_password
from aad.core.secret import Secret
from aad.radius.protocol.constants import ACCESS_ACCEPT, ACCESS_CHALLENGE, ACCESS_REJECT, REPLY_MESSAGE, STATE
from tests.parts import warm
from tests.parts.app import App, uri
from tests.parts.daemon import HEAD, Daemon
from tests.parts.radclient import Radclient
from tests.parts.raw import Raw, Request

NEW_HEAD = (
    HEAD.partition("[chains.both]")[0]
    + """
[repositories.local]
type = "file"
path = "users.toml"
realms = ["CORP"]
[chains.app]
methods = ["password", "totp"]
[chains.fob]
methods = ["password", "hotp"]
[chains.paper]
methods = ["password", "recovery_codes"]
[events.vpn]
"""
)
PASSWORD = "correct horse"
_HASH = hash_password(Secret(PASSWORD), b"s" * 16)
PEOPLE = "\n".join(f'[users.{name}]\npassword = "{_HASH}"' for name in ("alice", "bob"))


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    folder = tmp_path / "aad"
    folder.mkdir()
    (folder / "users.toml").touch(0o600)
    (folder / "users.toml").write_text(PEOPLE)
    with Daemon(folder, "", head=NEW_HEAD) as running:
        yield running
        assert not running.strays()


def aad(daemon: Daemon, *words: str | Path, given: str = "", right: int = 0) -> str:
    done = warm.aad(*words, "-c", daemon.file, given=given)
    assert done.returncode == right, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout + "".join(line for line in done.stderr.splitlines(keepends=True) if line.startswith("aad: "))


def answered(daemon: Daemon, code: str, name: str = "alice") -> int:
    """Log in, and return what became of the first answer."""
    with Raw(daemon.host, daemon.port) as client:
        challenge = client.ask(name, PASSWORD)
        assert challenge.code == ACCESS_CHALLENGE
        return client.ask(name, code, (STATE, challenge.first(STATE) or b"")).code


def enrolled_on_a_terminal(daemon: Daemon) -> tuple[App, str]:
    """Enrol alice as an administrator does, with a wrong code first; return the app, and the code it confirmed by."""
    words = ["-m", "aad", "totp", "enroll", "CORP\\Alice", "--event", "vpn", "--method", "totp", "-c", str(daemon.file)]
    with pexpect.spawn(sys.executable, words, encoding="utf-8", timeout=20, dimensions=(60, 200)) as terminal:
        terminal.expect(r"(otpauth://totp/\S+)\r")
        assert "█" in str(terminal.before), "a QR code"
        assert terminal.match
        app = App(terminal.match[1])
        terminal.expect("or typed: [A-Z2-7]{32}\r")
        terminal.expect("shows now: ")
        terminal.sendline("000000x")
        terminal.expect("Wrong")
        terminal.expect("shows now: ")
        code = app.code()
        terminal.sendline(f"{code[:3]} {code[3:]}")
        terminal.expect("alice: enrolled for totp")
        terminal.expect(pexpect.EOF)
    assert terminal.exitstatus == 0
    return app, code


def test_from_the_qr_code_to_the_accept_and_each_code_once(daemon: Daemon) -> None:
    app, confirmed = enrolled_on_a_terminal(daemon)
    assert answered(daemon, confirmed) == ACCESS_CHALLENGE, "the code that confirmed is a used one"
    code = app.code(seconds=30)  # of the next step: nobody needs to wait for it
    with Radclient(daemon.host, daemon.port, daemon.secret) as client:
        result = client.login("alice", PASSWORD, lambda _: code)
        assert result.accepted, result.transcript
        assert result.prompts == ("Enter the code that your app shows",)
    assert answered(daemon, code) == ACCESS_CHALLENGE
    daemon.kill()
    daemon.start()
    assert answered(daemon, code) == ACCESS_CHALLENGE
    assert daemon.records("code.refused")[-1]["reason"] == "code used before"
    kept = b"".join(file.read_bytes() for file in daemon.folder.glob("state.db*"))
    assert app.told["secret"].encode() not in kept
    assert all(app.told["secret"] not in file.read_text() for file in daemon.folder.glob("*.log"))


def test_of_many_logins_at_once_with_the_same_code_one_gets_in(daemon: Daemon) -> None:
    app = uri(aad(daemon, "totp", "enroll", "alice", "--method", "totp", "--no-confirm"))
    # All spellings are one person, and one login.
    names = ["".join(letters) for letters in itertools.product("aA", "lL", "iI", "cC", "eE")]
    code = app.code()

    def answer(given: tuple[int, str, bytes]) -> int:
        number, name, state = given
        with Raw(daemon.host, daemon.port) as client:
            request = Request(name, code, (STATE, state), identifier=number)
            client.send(request.octets)
            return request.reply(client.receive()).code

    with Raw(daemon.host, daemon.port) as client:
        states = [client.ask(name, PASSWORD).first(STATE) or b"" for name in names]
    assert len(set(states)) == 1
    with ThreadPoolExecutor(32) as pool:
        codes = list(pool.map(answer, zip(range(32), names, states, strict=True)))
    assert sorted(codes) == [ACCESS_ACCEPT, *[ACCESS_REJECT] * 31]
    assert not daemon.records("code.refused")


def test_a_client_that_can_t_ask_sends_both_in_one_field(daemon: Daemon) -> None:
    daemon.stop()  # the other one has its log
    with Daemon(daemon.folder, "", head=NEW_HEAD, client="challenge = false\ncode_length = 6") as other:
        app = uri(aad(other, "totp", "enroll", "bob", "--method", "totp", "--no-confirm"))
        with Raw(other.host, other.port) as client:
            code = app.code()
            assert client.ask("bob", PASSWORD).code == ACCESS_REJECT
            assert client.ask("bob", "wrong horse" + code).code == ACCESS_REJECT
            assert client.ask("bob", PASSWORD + code).code == ACCESS_ACCEPT
            assert client.ask("bob", PASSWORD + code).code == ACCESS_REJECT
            assert client.ask("bob", PASSWORD + app.code(seconds=30)).code == ACCESS_ACCEPT


@pytest.mark.parametrize("field", ["code_length = 6", 'code_separator = ","'])
def test_where_nothing_but_a_code_is_asked_it_stands_in_the_field_alone(daemon: Daemon, field: str) -> None:
    head = NEW_HEAD.replace('methods = ["password", "totp"]', 'methods = ["totp"]')
    with Daemon(daemon.folder, "", head=head, client=f"challenge = false\n{field}") as other:
        app = uri(aad(other, "totp", "enroll", "bob", "--method", "totp", "--no-confirm"))
        with Raw(other.host, other.port) as client:
            assert client.ask("bob", "000000" if app.code() != "000000" else "111111").code == ACCESS_REJECT
            assert client.ask("bob", app.code()).code == ACCESS_ACCEPT
            assert client.ask("bob", app.code()).code == ACCESS_REJECT


def test_a_copied_store_opens_nothing_without_its_key(daemon: Daemon) -> None:
    app = uri(aad(daemon, "totp", "enroll", "alice", "--method", "totp", "--no-confirm"))
    daemon.stop()
    key = daemon.folder / "installation.key"
    shutil.move(key, daemon.folder / "other.key")
    daemon.start()
    with Raw(daemon.host, daemon.port) as client:
        assert client.ask("alice", PASSWORD).code == ACCESS_REJECT
    assert daemon.records("login.rejected")[-1]["reason"] == "enrolled with another installation's key"
    daemon.stop()
    shutil.move(daemon.folder / "other.key", key)
    daemon.start()
    assert answered(daemon, app.code()) == ACCESS_ACCEPT


def test_a_key_fob_from_a_file(daemon: Daemon, tmp_path: Path) -> None:
    file = tmp_path / "fobs.csv"
    secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
    wrong = "bob,GEZDGNBV\nbob,18\nnobody,GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\nbob\n"
    file.write_text(f"# user, secret, counter\n\nALICE,{secret.lower()},5\n{wrong}")
    said = aad(daemon, "totp", "import", file, "--method", "hotp", right=1)
    assert "1 enrolled for hotp, 4 not" in said
    assert re.findall(r"fobs.csv:(\d): (\w+)", said) == [("4", "a"), ("5", "should"), ("6", "nobody"), ("7", "should")]
    assert "enrolled already" in aad(daemon, "totp", "import", file, "--method", "hotp", right=1)
    assert aad(daemon, "totp", "list", "--method", "hotp") == "alice  repository local  method hotp\n"
    app = App(f"otpauth://hotp/x?secret={secret}&digits=6")
    assert answered(daemon, app.code(counter=4)) == ACCESS_CHALLENGE
    assert answered(daemon, app.code(counter=8)) == ACCESS_ACCEPT
    assert answered(daemon, app.code(counter=8)) == ACCESS_CHALLENGE
    assert answered(daemon, app.code(counter=9)) == ACCESS_ACCEPT


def test_recovery_codes_on_paper(daemon: Daemon) -> None:
    before = aad(daemon, "recovery", "make", "alice").splitlines()[0]
    codes = aad(daemon, "recovery", "make", "Alice").splitlines()[:10]
    assert len(set(codes)) == 10
    assert answered(daemon, before) == ACCESS_CHALLENGE
    assert answered(daemon, codes[3]) == ACCESS_ACCEPT
    assert answered(daemon, codes[3]) == ACCESS_CHALLENGE
    assert daemon.records("recovery.used")[0]["left"] == "9"
    assert aad(daemon, "recovery", "list") == "alice  repository local  method recovery_codes  9 codes left\n"
    assert "no longer" in aad(daemon, "recovery", "remove", "alice")
    assert "not enrolled" in aad(daemon, "recovery", "remove", "alice", right=1)
    with Raw(daemon.host, daemon.port) as client:
        assert client.ask("alice", PASSWORD).code == ACCESS_REJECT
    assert daemon.records("login.rejected")[-1]["reason"] == "not enrolled for this method"


def test_whoever_has_another_method_is_asked_for_that(daemon: Daemon) -> None:
    aad(daemon, "totp", "enroll", "alice", "--method", "hotp", "--no-confirm")
    with Raw(daemon.host, daemon.port) as client:
        assert client.ask("alice", PASSWORD).first(REPLY_MESSAGE) == b"Enter the next code of your token"
    said = aad(daemon, "explain", "alice", "--event", "vpn")
    assert "chain app: alice is not enrolled for totp, so it isn't asked" in said
    assert "chain: fob (password, then hotp), the first that fits" in said
    said = aad(daemon, "explain", "bob", "--event", "vpn")
    assert "chain app: bob is not enrolled for totp, so they are refused there" in said


def test_a_wrong_code_or_none_keeps_nothing(daemon: Daemon) -> None:
    for typed in ("", "000000x\n" * 3):
        said = aad(daemon, "totp", "enroll", "alice", "--method", "totp", given=typed, right=1)
        assert said.endswith("aad: no right code, so alice is not enrolled\n")
        assert "█" not in said, "no QR code where there is no terminal"
    assert not aad(daemon, "totp", "list", "--method", "totp")


def test_who_is_enrolled_stays_so_unless_forced(daemon: Daemon) -> None:
    words = ("totp", "enroll", "alice", "--method", "totp", "--no-confirm")
    first = uri(aad(daemon, *words))
    assert "--force" in aad(daemon, *words, right=1)
    second = uri(aad(daemon, *words, "--force", "--qr"))
    assert answered(daemon, first.code()) == ACCESS_CHALLENGE
    assert answered(daemon, second.code()) == ACCESS_ACCEPT
    assert "no longer enrolled" in aad(daemon, "totp", "remove", "alice", "--method", "totp")
    assert "not enrolled" in aad(daemon, "totp", "remove", "alice", "--method", "totp", right=1)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("totp", "enroll", "nobody", "--method", "totp"), 1, "nobody is in none of the repositories local"),
        (("totp", "enroll", "alice"), 2, "say --method totp or hotp"),
        (("totp", "enroll", "alice", "--method", "topt"), 2, "totp"),
        (("totp", "enroll", "alice", "--method", "totp", "--event", "vpm"), 2, "vpn"),
        (("totp", "enroll", "alice", "--method", "totp", "--repository", "corp"), 2, "local"),
        (("totp", "enroll", "--method", "totp"), 2, "enroll takes USER"),
        (("totp", "list", "alice", "--method", "totp"), 2, "list takes no USER"),
        (("totp", "import", "/nowhere.csv", "--method", "totp"), 1, "No such file"),
        (("recovery", "make"), 2, "make takes a USER"),
    ],
)
def test_what_is_asked_for_wrongly(daemon: Daemon, words: tuple[str, ...], code: int, said: str) -> None:
    assert said in aad(daemon, *words, right=code)
