"""Which mail is meant, and which of its numbers is the code."""

from __future__ import annotations

import pytest

from aad.canary.mail_matching import MailText, NoCodeError, reference_in
from aad.texts import LANGUAGES, shipped

REFERENCE = "K7QXM2"


@pytest.mark.parametrize(
    ("prompt", "reference"),
    [
        ("Enter the code sent to a***@e***.com (ref K7QXM2)", REFERENCE),
        ("ENTER THE NUMBER SENT TO YOU (REF K7QXM2)", REFERENCE),  # NUMBER could be a reference too
        ("Code eingeben (Referenz: K7QXM2)", REFERENCE),
        ("Saisissez le code (réf. K7QXM2)", REFERENCE),
        ("Ref #K7QXM2: code?", REFERENCE),
        ("K7QXM2: code?", REFERENCE),
        ("(ref 234567)", "234567"),
        ("Code please", ""),
        ("NUMBER of K7QXM2?", ""),  # which of them?
        ("(ref K7QXM23)", ""),
        ("prefer K7QXM-22", ""),
    ],
)
def test_a_reference_is_found_in_a_prompt(prompt: str, reference: str) -> None:
    assert reference_in(prompt) == reference


def letter(body: str, subject: str = "Your code") -> MailText:
    return MailText(subject, body)


def test_a_letter_mentions_only_whole_references() -> None:
    assert letter("It shows the reference K7QXM2.").mentions(REFERENCE)
    assert letter("none", f"Code ({REFERENCE})").mentions(REFERENCE)
    assert not letter("AK7QXM2 K7QXM22 K7QXM-2 k7qxm2").mentions(REFERENCE)


@pytest.mark.parametrize(
    ("body", "subject", "code"),
    [
        ("Call 0305551234 if you need help.\n\n    482913\n\nOffice 4711, 2024.", "Code", "482913"),
        ("Your code is 482913. Office 4711.", "Your code: 482913", "482913"),
        ("Your code is 482913.", "Code", "482913"),
        ("Look above.", "Your code: 4829", "4829"),
        (f"{REFERENCE}\n1234567890\n", "Code", "1234567890"),
        ("At 12:30:4711 and 10.1.2.3456 you got 482913", "Code", "482913"),
    ],
)
def test_the_code_is_the_number_that_is_plainly_meant(body: str, subject: str, code: str) -> None:
    assert letter(body, subject).code(REFERENCE).text() == code


def test_a_reference_of_digits_is_no_code() -> None:
    assert letter("ref 234567\n\n482913\n\n234567\n").code("234567").text() == "482913"


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_usual_mail_has_its_code_in_plain_sight(language: str) -> None:
    values = {"user": "canary4711", "event": "vpn", "endpoint": "nas-2024", "minutes": "2", "otp": "482913"}
    values |= {"reference": REFERENCE, "recipient": "a***@e***.com"}
    body = shipped(language).body.format_map(values)
    for prompt in (shipped(language).prompt, shipped(language).wrong_prompt):
        assert reference_in(prompt.format_map(values)) == REFERENCE
    assert letter(body).mentions(REFERENCE)
    assert letter(body, "Welcome 2024").code(REFERENCE).text() == "482913"


@pytest.mark.parametrize("body", ["no number", "123", "12345678901", "482913 or 4711", "1111\n2222\n"])
def test_nobody_guesses_and_nobody_tells_what_might_be_the_code(body: str) -> None:
    with pytest.raises(NoCodeError) as raised:
        letter(body).code(REFERENCE)
    assert "code_pattern" in str(raised.value)
    assert not any(number in str(raised.value) for number in ("482913", "4711", "1111"))


def test_a_pattern_says_which() -> None:
    body = "PIN 4711\nCode: 482-913\n"
    assert letter(body).code(REFERENCE, r"Code: ([\d-]+)").text() == "482-913"
    assert letter(body).code(REFERENCE, r"^\d*4711|(?<=PIN )\d+").text() == "4711"
    for pattern in ("Token: (.*)", "PIN (x?)"):
        with pytest.raises(NoCodeError, match="matches nothing"):
            letter(body).code(REFERENCE, pattern)


def test_mails_are_read_whatever_they_are() -> None:
    encoded = b"Subject: =?utf-8?b?Q29kZSBLN1FYTTI=?=\r\nContent-Transfer-Encoding: base64\r\n\r\nNDgyOTEz\r\n"
    assert MailText.parse(encoded) == MailText("Code K7QXM2", "482913")
    html = b"Content-Type: text/html\r\n\r\n<p>482913</p>"
    strange = b"Subject: x\r\nContent-Type: text/plain; charset=klingon\r\n\r\n\xff"
    for octets in (b"", b"\0\xff" * 500, html, strange, b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x"):
        MailText.parse(octets)
