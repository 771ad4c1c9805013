"""Requirement 24: whatever the directory or a client says, a mail has one recipient, and no line is broken open."""

from __future__ import annotations

import email
import email.policy
import json
import unicodedata
from collections.abc import Iterator
from email.utils import getaddresses
from pathlib import Path

import pytest

from aad.radius.protocol import constants as names
from aad.radius.protocol.constants import ACCESS_ACCEPT, ACCESS_CHALLENGE, ACCESS_REJECT
from tests.parts.alice import RIGHT, state
from tests.parts.authority import Authority
from tests.parts.corp import repository, sender
from tests.parts.daemon import HEAD, Daemon
from tests.parts.directory import Directory, Person
from tests.parts.letter import Letter
from tests.parts.mailbox import Mailbox, code_in
from tests.parts.raw import Raw, Request

BAD = (
    "a@example.com, b@example.com",
    "a@example.com,b@example.com",
    "a@example.com b@example.com",
    "a@example.com; b@example.com",
    "a@example.com\r\nBcc: b@example.com",
    "a@example.com\r\n.\r\nMAIL FROM:<x@example.com>",
    "a@example.com>\r\nRCPT TO:<b@example.com",
    "a@example.com\n",
    "a@example.com\0",
    "a@example.com\tb@example.com",
    "<a@example.com>,<b@example.com>",
    "A <a@example.com>",
    '"a,b"@example.com',
    '"a@example.com\\" b"@example.com',
    "a@example.com (b@example.com)",
    "friends:a@example.com,b@example.com;",
    "a%b@c@example.com",
    "@relay.example.com:a@example.com",
    "a" * 2000 + "@example.com",
    "a@" + "b" * 2000 + ".com",
    "zoë@example.com, b@example.com",
    "zoë\u037eb@example.com",
    "zoë\u200d@example.com",
    "zoë\uff0cb@example.com",
    "a@exämple.com\u3002b@example.com",
    "a@exämple\u202e.com",
    "a@ex\u00admple.com",
    "a@example.com\u2028b@example.com",
    "a\u202e@example.com",
    "=?utf-8?q?a=40example.com,_b?=@example.com",
    "a@[127.0.0.1]",
    "a@example.com.",
    "-",
)
GOOD = {  # and what stands on the wire
    **{
        each: each
        for each in (
            "o'brien+vpn@example.com",
            "x_y-z.1@sub.example.co",
            "{curly}@example.com",
            "%s@example.com",
            "zoë@example.com",
        )
    },
    "a@exämple.com": "a@xn--exmple-cua.com",
    "zoe\u0308@EXÄMPLE.com": "zoë@xn--exmple-cua.com",
}
ODD_NAMES = (
    "eve\r\nBcc: b@example.com",
    "eve\n\n.\nQUIT",
    "eve\0\x1b[2J\x07",
    "eve\x85\u2028x",
    "eve\u202e\u200b\x7f",
    "{otp}{user.__class__}",
    "=?utf-8?q?eve=0ABcc:_b?=",
)
INJECTED = "\r\nX-Evil: 1\r\n\r\n<3>login.accepted: eve \x1b[31m\0\x85"
ATTRIBUTES = 'email_attribute = "description"\nname_attribute = "displayName"\n'
MAILS = """
[methods.email_otp]
subject = "{user} at {endpoint}: {otp}"
body_file = "body.txt"
html_file = "body.html"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "aad"
    made.mkdir()
    (made / "body.txt").write_text("{user} {endpoint} {event} {reference}: {otp}\n")
    (made / "body.html").write_text("<p>{user} {endpoint}: <b>{otp}</b>\n")
    return made


@pytest.fixture
def odd(tmp_path: Path, authority: Authority) -> Iterator[Directory]:
    """Start a directory whose people have odd addresses (in description, as that may hold any text) or odd names."""
    texts = [*BAD, *GOOD]
    people = [Person(f"user{n:02}", RIGHT, extra={"description": text}) for n, text in enumerate(texts)]
    for number, name in enumerate(ODD_NAMES):
        extra = {"description": f"odd{number}@example.com", "displayName": name}
        people.append(Person(f"odd{number}", RIGHT, extra=extra))
    (tmp_path / "odd").mkdir()
    with Directory(tmp_path / "odd", authority, people) as running:
        yield running


def rest(directory: Directory, mailbox: Mailbox, authority: Authority) -> str:
    return repository(directory) + ATTRIBUTES + sender(mailbox.port, authority) + MAILS


def whole(letter: Letter) -> str:
    """Hold a letter against the rules, and return what its recipient reads."""
    (recipient,) = letter.recipients
    message = email.message_from_bytes(letter.raw, policy=email.policy.default)
    assert [address for _, address in getaddresses([shown_as(to) for to in message.get_all("To", [])])] == [recipient]
    assert sorted(message.keys()) == sorted(
        ["From", "MIME-Version", "Auto-Submitted", "To", "Subject", "Date", "Message-ID", "Content-Type"]
    )
    texts = [str(part.get_content()) for part in message.walk() if not part.is_multipart()]
    assert len(texts) == 2
    shown = "".join(text.removesuffix("\n").removesuffix("\r") for text in [str(message["Subject"]), *texts])
    assert shown.count("\n") == 0  # each text is one line, whoever the user is
    assert not controls(shown)
    return shown


def shown_as(header: str) -> str:
    """Return what a reader shows: UTF-8 as it is (RFC 6532), which Python's parser keeps as lone surrogates."""
    return header.encode(errors="surrogateescape").decode()


def controls(text: str) -> str:
    """Return what begins a line, moves a cursor or turns text round."""
    return "".join(c for c in text if unicodedata.category(c) in {"Cc", "Cf", "Zl", "Zp"})


def test_24_one_mail_has_exactly_one_recipient_whatever_the_directory_holds(
    folder: Path, odd: Directory, mailbox: Mailbox, authority: Authority
) -> None:
    with Daemon(folder, rest(odd, mailbox, authority)) as daemon, Raw(daemon.host, daemon.port) as client:
        for number, text in enumerate(BAD):
            assert client.ask(f"user{number:02}", RIGHT).code == ACCESS_REJECT, text
        assert not mailbox.messages
        for number, (text, written) in enumerate(GOOD.items(), len(BAD)):
            reply = client.ask(f"user{number:02}", RIGHT)
            assert reply.code == ACCESS_CHALLENGE, text
            letter = mailbox.wait(written)
            whole(letter)
            assert client.ask(f"user{number:02}", code_in(letter), state(reply)).code == ACCESS_ACCEPT
        assert len(mailbox.messages) == len(GOOD)
        assert not daemon.strays()
        assert not daemon.records("fault")
        for line in daemon.child.output().splitlines():
            assert not controls("".join(map(str, json.loads(line).values())))


@pytest.mark.parametrize("layout", ["json", "text"])
def test_24_no_control_character_of_a_client_reaches_a_mail_or_the_log(
    folder: Path, odd: Directory, mailbox: Mailbox, authority: Authority, layout: str
) -> None:
    head = HEAD.replace('format = "json"', f'format = "{layout}"')
    with Scribe(folder, rest(odd, mailbox, authority), head=head) as daemon, Raw(daemon.host, daemon.port) as client:
        said = [(names.NAS_IDENTIFIER, INJECTED.encode()), (names.CALLING_STATION_ID, INJECTED.encode())]
        for number, name in enumerate(ODD_NAMES):
            assert client.ask(name, RIGHT, *said).code == ACCESS_REJECT
            assert client.ask(f"odd{number}", RIGHT, *said).code == ACCESS_CHALLENGE  # the directory has the odd name
            assert client.ask(f"nobody{INJECTED}{name}"[:60], RIGHT, *said).code == ACCESS_REJECT
            bare = Request("nobody", "x")
            client.send(bare.signed([(names.USER_NAME, b"\xff\r\n\0" + name.encode()), *said]))
            assert bare.reply(client.receive()).code == ACCESS_REJECT
        assert len(mailbox.messages) == len(ODD_NAMES)
        for letter in mailbox.messages:
            assert "X-Evil" not in whole(letter)
        output = daemon.child.output().rstrip("\n")
        assert "X-Evil" in output
        # Split at nothing but the line's end, so that a character that others take for one is seen.
        for line in output.split("\n"):
            assert not controls(line), line
            assert line.startswith("<" if layout == "text" else "{")


class Scribe(Daemon):
    """Writes its log in any layout."""

    def start(self) -> None:
        self.layout = "text" if 'format = "text"' in self.file.read_text() else "json"
        super().start()

    def records(self, *names: str) -> list[dict[str, object]]:
        """Return what is enough to see that it started."""
        if self.layout == "json":
            return super().records(*names)
        return [{}] * self.child.output().count("daemon.started")
