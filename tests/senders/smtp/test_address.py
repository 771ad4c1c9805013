"""Addresses that a mail may go to: one recipient each, in letters that a mail server can take."""

import email
import email.policy
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aad.senders.smtp.address import parsed

ADDRESS = "alice@example.com"


@pytest.mark.parametrize(
    "address",
    [
        *("a@b", ADDRESS, "o'brien+vpn=x@ex-ample.co.uk", "a.b.c@x_y.example.com", "a" * 64 + "@" + "b" * 60 + ".com"),
        *("zoë@example.com", "用户@example.jp", "ж.ш@xn--e1afmkfd.xn--p1ai", "न\u0940@example.in", "é" * 32 + "@b.com"),
    ],
)
def test_usable_as_it_is(address: str) -> None:
    found = parsed(address)
    assert str(found) == address
    assert found
    assert found.ascii == address.isascii()


@pytest.mark.parametrize(
    ("address", "written"),
    [
        ("a@bücher.de", "a@xn--bcher-kva.de"),
        ("a@BÜCHER.Example.COM", "a@xn--bcher-kva.Example.COM"),
        ("a@straße.de", "a@xn--strae-oqa.de"),  # and not strasse.de, which has another owner
        ("a@bu\u0308cher.de", "a@xn--bcher-kva.de"),
        ("zoe\u0308@пример.рф", "zoë@xn--e1afmkfd.xn--p1ai"),
        ("a@例え.jp", "a@xn--r8jz45g.jp"),
        ("a@\u05d0\u05d1.com", "a@xn--4dbc.com"),
    ],
)
def test_a_domain_is_written_in_ascii_and_the_rest_composed(address: str, written: str) -> None:
    assert str(parsed(address)) == written


@pytest.mark.parametrize(
    "address",
    [
        *("", "@", "a", "a@", "@b.com", "a@b@c.com", "a@x, b@y", "a@x;b@y", "a@b.com\n", "a@b.com\r\nRCPT TO:<eve@b>"),
        *("a@b>", "<a@b.com>", "Alice <a@b.com>", '"a b"@c.com', "a b@c.com", "a@b.com (x)", "a(x)@b.com", "a@b.com\0"),
        *(".a@b.com", "a.@b.com", "a..b@c.com", "a@.b.com", "a@b..com", "a@b.com.", "a@-b.com", "a@b-.com", "a@_b.com"),
        *(
            "a@[192.0.2.1]",
            "a@192.0.2.1",
            "a@b。com",
            "\uff41@b.com",
            "=?utf-8?q?x?=@b.com",
            "é@b。com",
            "é@b\uff0ecom",
        ),
        *("a" * 65 + "@b.com", "a@" + "b" * 64 + ".com", "a@" + "b." * 130 + "com", "a" * 2000, " a@b.com", "a@b.com "),
        *("é" * 33 + "@b.com", "é" * 2000 + "@b.com", "a@" + "é" * 60 + ".com", "a@" + "é." * 60 + "com", "é@"),
    ],
)
def test_not_usable(address: str) -> None:
    assert parsed(address) is None


@pytest.mark.parametrize(
    "odd",
    [
        *(
            "\u202e",
            "\u2066",
            "\u200b",
            "\u200d",
            "\u00ad",
            "\u2060",
            "\ufeff",
            "\u115f",
            "\u3164",
            "\ufe0f",
            "\U000e0100",
        ),
        *(
            "\u0378",
            "\U0001f9ff",
            "\ue000",
            "\ud800",
            "\x85",
            "\u2028",
            "\u00a0",
            "\u3000",
            "\u037e",
            "\uff0c",
            "\uff20",
        ),
        *("ﬁ", "①", "²", "©", "€", "¿", "\u2044"),
    ],
    ids=ascii,
)
def test_nothing_that_is_no_letter_in_either_part(odd: str) -> None:
    for address in (f"a{odd}b@example.com", f"é{odd}@example.com", f"a@é{odd}.com", f"a@b{odd}c.com"):
        assert parsed(address) is None, ascii(address)


@pytest.mark.parametrize("address", ["\u0301a@b.com", "a.\u0301b@c.com", "a@\u0301b.com"])
def test_a_mark_stands_on_something(address: str) -> None:
    assert parsed(address) is None


@settings(deadline=None)
@given(st.text(max_size=20), st.text(max_size=20))
def test_any_text_around_an_at_is_one_address_or_none(local: str, domain: str) -> None:
    one_recipient(f"{local}@{domain}.com")


@settings(deadline=None)
@given(st.text(st.sampled_from("ab@.,;<>()\"\\ \r\n\0éß-_=?+'\u0308\u037e日\u202e\uff0c"), max_size=30))
def test_what_is_usable_is_one_word_with_one_at(address: str) -> None:
    one_recipient(address)


def one_recipient(text: str) -> None:
    """Hold an address, if it is one, against what others make of it."""
    found = parsed(text)
    if not found:
        return
    written = str(found)
    assert written.count("@") == 1
    assert found.domain.isascii()
    assert unicodedata.is_normalized("NFC", written)
    assert len(written.encode()) <= 254
    assert not set(written) & set(' ,;:<>()[]"\\\r\n\0')
    assert {unicodedata.category(c)[0] for c in written if not c.isascii()} <= {"L", "M", "N"}
    assert str(parsed(written)) == written, "it is its own form"
    header = email.message_from_string(f"To: {written}\r\n\r\n", policy=email.policy.SMTPUTF8)
    assert [one.addr_spec for one in header["To"].addresses] == [written]
