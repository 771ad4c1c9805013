"""What a mail server says, and what may be written down of it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aad.senders.smtp.replies import ehlo_name, queue_id, quoted, refuses_address


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("2.0.0 Ok: queued as 4XyZ1234", "4XyZ1234"),
        ("OK id=1tABCD-0000000Gabc-1XyZ", "1tABCD-0000000Gabc-1XyZ"),
        ("2.6.0 <x@y> [InternalId=12345678, Hostname=a.b] Queued mail for delivery", "12345678"),
        ("2.0.0 60e4a6b3 Message accepted for delivery", "60e4a6b3"),
        ("Ok", ""),
        ("2.0.0 queued as \r\n", ""),
        ("", ""),
    ],
)
def test_queue_id(text: str, found: str) -> None:
    assert queue_id(text) == found


def test_only_harmless_words_are_quoted() -> None:
    text = "5.1.1 <jo.doe@example.com>: Recipient address rejected: User Doe, unknown\n\x1b[31m jo=doe 123456 Jo!"
    assert quoted(550, text, "jo.doe@example.com") == "550 5.1.1 Recipient address rejected: User unknown"
    assert quoted(-1, "", "a@b.com") == "-1"


@settings(deadline=None)
@given(st.text(max_size=300), st.sampled_from(["alice@example.com", "a.b@c.de"]))
def test_whatever_it_says_no_part_of_the_address_is_quoted(text: str, recipient: str) -> None:
    said = quoted(550, f"{text} {recipient} {recipient.replace('@', ' at ')} 123456", recipient)
    assert said.isascii()
    assert said.isprintable()
    assert len(said) < 150
    assert "123456" not in said
    for part in recipient.replace("@", ".").split("."):
        assert part not in said.lower().split()


@pytest.mark.parametrize(
    ("code", "text", "about"),
    [
        (552, "5.2.2 mailbox full", True),
        (554, "5.1.1 unknown user", True),
        (552, "5.3.4 too big", False),
        (552, "5.2.3 too big for him", False),
        (554, "5.7.1 spam", False),
        (554, "5.1.8 sender unknown", False),
        (554, "spam", False),
        (452, "4.2.2 full for now", False),
        (500, "5.1.1 what", False),
    ],
)
def test_whose_fault_a_refusal_after_the_mail_is(code: int, text: str, *, about: bool) -> None:
    assert refuses_address(code, text) is about


def test_a_host_without_a_full_name_calls_itself_by_its_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "vpn1")
    assert ehlo_name("192.0.2.1") == "[192.0.2.1]"
    assert ehlo_name("fe80::1%eth0") == "[IPv6:fe80::1]"
    monkeypatch.setattr("socket.gethostname", lambda: "vpn1.example.com")
    assert ehlo_name("192.0.2.1") == "vpn1.example.com"
