"""Whole logins of people who read another language, whose address isn't ASCII, or whose NAS shows little."""

from __future__ import annotations

import email
import email.policy
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from aad.core.scrypt import hash_password
from aad.core.secret import Secret
from aad.radius.protocol import constants
from aad.radius.protocol.constants import ACCESS_ACCEPT
from tests.parts.alice import RIGHT, state
from tests.parts.authority import Authority
from tests.parts.corp import Make, repository, sender
from tests.parts.daemon import Daemon
from tests.parts.directory import Directory, Person
from tests.parts.mailbox import Mailbox, code_in
from tests.parts.radclient import Radclient
from tests.parts.raw import Raw
from tests.parts.warm import aad

NARROW = 'prompt = "{prompt}: "\nprompt_charset = "ascii"\nprompt_limit = 60'
PEOPLE = (
    Person("heidi", RIGHT, mail=("heidi@example.com",), extra={"preferredLanguage": "de-CH, fr;q=0.5"}),
    Person("pablo", RIGHT, mail=("pablo@example.com",), extra={"preferredLanguage": "es"}),
    Person("chloe", RIGHT, extra={"preferredLanguage": "fr_FR", "description": "chloé@exämple.com"}),
    Person("carla", RIGHT, mail=("carla@example.com",), extra={"preferredLanguage": "it"}),
)


@pytest.fixture
def directory(tmp_path: Path, authority: Authority) -> Iterator[Directory]:
    (tmp_path / "directory").mkdir()
    with Directory(tmp_path / "directory", authority, PEOPLE) as running:
        yield running


def said(raw: bytes) -> str:
    """Return the subject of a mail and its text."""
    message = email.message_from_bytes(raw, policy=email.policy.default)
    body = message.get_body(("plain",))
    assert body
    return f"{message['Subject']}\n{body.get_content()}"


def test_a_whole_login_in_german(make: Make, mailbox: Mailbox) -> None:
    daemon = make()
    answers = iter(("000000x", ""))
    with Radclient(daemon.host, daemon.port, daemon.secret) as client:
        result = client.login("heidi", RIGHT, lambda _: next(answers) or code_in(mailbox.wait("heidi@example.com")))
    assert result.accepted, result.transcript
    first, second = result.prompts
    assert re.fullmatch(r"Bitte den Code eingeben, gesendet an h\*\*\*@e\*\*\*\.com \(Ref\. [2-9A-Z]{6}\)", first)
    assert second == f"Falscher Code. {first}"
    text = said(mailbox.wait("heidi@example.com").raw)
    assert text.startswith("Ihr Einmalpasswort: ")
    assert "Es ist 2 min lang gültig" in text
    assert len(mailbox.messages) == 1


def test_each_user_in_his_language_and_in_the_administrator_s_words(make: Make, mailbox: Mailbox) -> None:
    method = (
        '[methods.email_otp]\nlanguage = "de"\nsubject = "{otp}"\n[methods.email_otp.texts.es]\nprompt = "¿Código? "'
    )
    daemon = make(method)
    with Raw(daemon.host, daemon.port) as client:
        prompts = {name: client.ask(name, RIGHT).first(constants.REPLY_MESSAGE) for name in ("heidi", "pablo", "carla")}
    assert prompts["pablo"] == "¿Código? ".encode()
    assert (prompts["heidi"] or b"").startswith(b"Bitte den Code")
    assert (prompts["carla"] or b"").startswith(b"Bitte den Code")
    for name, words in (("heidi", "Guten Tag heidi"), ("pablo", "Hola, pablo"), ("carla", "Guten Tag carla")):
        letter = mailbox.wait(f"{name}@example.com")
        assert re.match(rf"\d{{6}}\n{words}", said(letter.raw))


def test_an_address_of_any_letters(
    tmp_path: Path, directory: Directory, mailbox: Mailbox, authority: Authority
) -> None:
    parts = repository(directory) + 'email_attribute = "description"\n' + sender(mailbox.port, authority)
    with Daemon(tmp_path / "aad", parts) as daemon:
        with Radclient(daemon.host, daemon.port, daemon.secret) as client:
            arrived = "chloé@xn--exmple-cua.com"
            result = client.login("chloe", RIGHT, lambda _: code_in(mailbox.wait(arrived)))
        assert result.accepted, result.transcript
        assert result.prompts[0].startswith("Saisissez le code envoyé à c***@e***.com (réf. ")
        assert daemon.records("mail.sent")[0]["recipient"] == "c***@e***.com"
        assert not daemon.strays()


def test_where_no_server_takes_her_letters_the_next_address_is_tried(tmp_path: Path, authority: Authority) -> None:
    folder = tmp_path / "aad"
    folder.mkdir()
    users = folder / "users.toml"
    users.touch(mode=0o600)
    hashed = hash_password(Secret(RIGHT), bytes(16))
    users.write_text(f'[users.zoe]\npassword = "{hashed}"\nemail = ["zoë@example.com", "zoe@example.com"]\n')
    with Mailbox(authority, "tls", "aad", "mail secret", smtputf8=False) as mailbox:
        with Daemon(folder, "[repositories.local]\n" + sender(mailbox.port, authority)) as daemon:
            with Radclient(daemon.host, daemon.port, daemon.secret) as client:
                result = client.login("zoe", RIGHT, lambda _: code_in(mailbox.wait("zoe@example.com")))
            assert result.accepted, result.transcript
            (failed,) = daemon.records("mail.failed")
            assert "can't take an address with non-ASCII letters (SMTPUTF8)" in failed["reason"]
        assert len(mailbox.messages) == 1


def test_what_a_client_can_t_show(make: Make, mailbox: Mailbox) -> None:
    daemon = make(client=NARROW)
    with Raw(daemon.host, daemon.port) as client:
        first = client.ask("pablo", RIGHT)
        prompt = first.first(constants.REPLY_MESSAGE) or b""
        # Begun again, it is the same challenge out of the store, and in the same words.
        again = client.ask("pablo", RIGHT)
        assert again.first(constants.REPLY_MESSAGE) == prompt
        code = code_in(mailbox.wait("pablo@example.com"))
        assert client.ask("pablo", code, state(again)).code == ACCESS_ACCEPT
    assert prompt.isascii()
    assert len(prompt) <= 60
    assert prompt.startswith(b"Introduzca el codigo enviado a p***@e***.com (ref. ")
    assert len(mailbox.messages) == 1


def test_aad_check_says_what_a_client_would_cut(make: Make) -> None:
    daemon = make(client=NARROW)
    done = aad("check", "-c", daemon.file)
    assert done.returncode == 0
    (line,) = done.stderr.splitlines()
    assert line.startswith(
        f"warning: {daemon.file}: clients.gateway.prompt_limit: cuts what may have more than 60 octets"
    )
    assert re.search(r"methods\.email_otp\.prompt in fr \(\d\d\)", line)
    daemon = make('[methods.email_otp]\nprompt = "Код: "\nwrong_prompt = "No: "', client='prompt_charset = "ascii"')
    (line,) = aad("check", "-c", daemon.file).stderr.splitlines()
    assert 'clients.gateway.prompt_charset: sends "?" for' in line
    assert "methods.email_otp.prompt in de (Код)" in line
    assert line.endswith("or give this client words of its own: clients.gateway.prompt")
    daemon = make(client='prompt = "Code: "\nprompt_limit = 20\nprompt_charset = "ascii"')
    assert not aad("check", "-c", daemon.file).stderr
    daemon = make(
        '[methods.password]\nprompt = "{ж}"\n[chains.odd]\nmethods = ["email_otp", "password"]',
        client='prompt = "Code: "\nprompt_charset = "ascii"',
    )
    lines = aad("check", "-c", daemon.file).stderr.splitlines()  # besides, such a chain mails to strangers
    assert any(line.endswith("in ASCII: methods.password.prompt (ж); reword it") for line in lines)
    daemon = make(client='prompt = "Code for {user}: "\nprompt_limit = 20')
    assert "clients.gateway.prompt (75)" in aad("check", "-c", daemon.file).stderr


def test_aad_explain_shows_language_and_prompt(make: Make) -> None:
    daemon = make(client=NARROW)
    done = aad("explain", "heidi", "--event", "vpn", "-c", daemon.file)
    assert 'language of email_otp: de, by "de-CH, fr;q=0.5" in the repository' in done.stdout
    assert 'email_otp: "Bitte den Code eingeben, gesendet an h***@e***.com (Ref. K7QD2M)" (64 octets)' in done.stdout
    done = aad("explain", "heidi", "--event", "vpn", "--client", "gateway", "-c", daemon.file)
    assert (
        '"Bitte den Code eingeben, gesendet an h***@e***.com (Ref. : " (59 octets, as gateway gets it)' in done.stdout
    )
    assert "language of email_otp: en, by " in aad("explain", "carla", "--event", "vpn", "-c", daemon.file).stdout
    done = aad("explain", "chloe", "--event", "vpn", "-c", daemon.file)
    assert "prompt of email_otp: none, as no address is usable" in done.stdout
    assert done.returncode == 0, done.stderr
