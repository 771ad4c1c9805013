"""The client behind a proxy: X-Forwarded-For and Forwarded are read strictly; it is never the proxy itself."""

from __future__ import annotations

import time
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aad.core.user_address import Networks, Unknown, written
from aad.https.client_address import caller

TRUSTED = Networks(["10.0.0.0/8", "2001:db8:aaaa::/48"])
PROXY, STRANGER = "10.0.0.1", "198.51.100.1"


def asks(peer: str = PROXY, **headers: str) -> str:
    return written(caller(peer, {name.replace("_", "-"): text for name, text in headers.items()}, TRUSTED))


def why(headers: Mapping[str, str]) -> str:
    found = caller(PROXY, headers, TRUSTED)
    assert isinstance(found, Unknown)
    return found.told


@pytest.mark.parametrize(
    ("peer", "forwarded", "found"),
    [
        ("192.0.2.9", STRANGER, "192.0.2.9"),  # a stranger says what they like
        ("192.0.2.9", "nonsense", "192.0.2.9"),
        ("fe80::1%eth0", STRANGER, "fe80::1"),
        (PROXY, STRANGER, STRANGER),
        ("::ffff:10.0.0.1", STRANGER, STRANGER),
        ("2001:db8:aaaa::1", STRANGER, STRANGER),
        (PROXY, f"203.0.113.5, {STRANGER}, 10.0.0.2", STRANGER),  # what a stranger wrote stands to the left
        (PROXY, f"nonsense, {STRANGER}", STRANGER),
        (PROXY, f'", {STRANGER}', STRANGER),
        (PROXY, f",,{STRANGER}", STRANGER),
        (PROXY, f"{STRANGER}:443", STRANGER),
        (PROXY, f"{STRANGER}:443, 10.0.0.2:8080", STRANGER),
        (PROXY, "[2001:db8::7]:443", "2001:db8::7"),
        (PROXY, "[2001:db8::7]", "2001:db8::7"),
        (PROXY, '"[2001:db8::7]:443"', "2001:db8::7"),
        (PROXY, f'"{STRANGER}"', STRANGER),
        (PROXY, "2001:db8::1%eth0", "2001:db8::1"),
        (PROXY, f"::ffff:{STRANGER}", STRANGER),
        (PROXY, f"{STRANGER}, ::ffff:10.0.0.2", STRANGER),
    ],
)
def test_x_forwarded_for_says_it(peer: str, forwarded: str, found: str) -> None:
    assert asks(peer, x_forwarded_for=forwarded) == found


@pytest.mark.parametrize(
    "forwarded",
    [
        *("", ",", " ", f"{STRANGER},", f"{STRANGER}, ", f"{STRANGER}, , 10.0.0.2"),
        *("unknown", f"{STRANGER}, unknown", "_hidden", "_hidden:_port", f"{STRANGER}, nonsense", f"{STRANGER}, -"),
        *("10.0.0.2", "10.0.0.3, 10.0.0.2", "10.0.0.2:443", "[2001:db8:aaaa::2]", '"10.0.0.2"'),
        *(f"{STRANGER}:99999", f"{STRANGER}:", f"[{STRANGER}]", "[2001:db8::7", f"{STRANGER}/32", f'"{STRANGER}'),
        *(
            "198.051.100.001",
            "0.0.0.0",
            "::",
            f"for={STRANGER}",
            f"{STRANGER} 10.0.0.2",
            f"{STRANGER};10.0.0.2",
            "unix:",
        ),
    ],
)
def test_what_x_forwarded_for_does_not_say_is_unknown(forwarded: str) -> None:
    assert asks(x_forwarded_for=forwarded) == ""
    assert why({"x-forwarded-for": forwarded}).startswith("X-Forwarded-For ")


@pytest.mark.parametrize(
    ("forwarded", "found"),
    [
        (f"for={STRANGER}", STRANGER),
        (f"For={STRANGER}", STRANGER),
        (f"FOR={STRANGER};proto=https;by=10.0.0.1", STRANGER),
        (f'proto=https;by="[2001:db8::1]:443";for={STRANGER};host=aad.example.com', STRANGER),
        (f'for="{STRANGER}"', STRANGER),
        (f'for="{STRANGER}:443"', STRANGER),
        (f'for="{STRANGER}:_port"', STRANGER),
        ('for="[2001:db8::7]"', "2001:db8::7"),
        ('for="[2001:DB8::7]:443"', "2001:db8::7"),
        (f'for="\\1{STRANGER[1:]}"', STRANGER),  # RFC 9110 5.6.4: a backslash before any character
        (f"for=203.0.113.5, for={STRANGER}, for=10.0.0.2", STRANGER),
        (f"for=203.0.113.5,for={STRANGER};by=_a,for=10.0.0.2", STRANGER),
        (f"for=_hidden, for={STRANGER}", STRANGER),
        (f'for={STRANGER};secret="a, b; for=10.0.0.9"', STRANGER),
        (f'for={STRANGER};secret="a\\", for=203.0.113.9"', STRANGER),
        (f"for={STRANGER} ; proto=https", STRANGER),
        (f"for={STRANGER};;proto=https;", STRANGER),
        (f", for={STRANGER}", STRANGER),
    ],
)
def test_forwarded_says_it(forwarded: str, found: str) -> None:
    assert asks(forwarded=forwarded) == found
    assert asks("192.0.2.9", forwarded=forwarded) == "192.0.2.9"


@pytest.mark.parametrize(
    "forwarded",
    [
        *("", ",", ";", f"for={STRANGER},", f"for={STRANGER}, , for=10.0.0.2", f"for={STRANGER}, by=10.0.0.1"),
        *("for=unknown", 'for="unknown:443"', "for=_hidden", 'for="_hidden:_port"', "FOR=Unknown"),
        *("for=10.0.0.2", "for=10.0.0.3, for=10.0.0.2", "by=10.0.0.1;proto=https", "proto=https"),
        *(STRANGER, "for=", 'for=""', f"for = {STRANGER}", f"for:{STRANGER}", f"for={STRANGER}:443"),
        *("for=[2001:db8::7]", "for=2001:db8::7", 'for="2001:db8::7"', 'for="2001:db8::7:443"'),
        *(f'for="{STRANGER}', f'for={STRANGER}"', f"for={STRANGER} x", f"for='{STRANGER}'", f'for="\\"{STRANGER}\\""'),
        *(f"for={STRANGER};for=10.0.0.2", f"for=10.0.0.2;For={STRANGER}", f"for={STRANGER};by=a;BY=b"),
        f'a=", for={STRANGER}',  # a quote that a stranger opened, and didn't close
    ],
)
def test_what_forwarded_does_not_say_is_unknown(forwarded: str) -> None:
    assert asks(forwarded=forwarded) == ""
    assert why({"forwarded": forwarded}).startswith("Forwarded ")


@given(st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=60))
def test_what_a_stranger_writes_first_changes_nothing_but_to_unknown(written_first: str) -> None:
    """A proxy adds to it behind a comma: the address found is the stranger's own, or unknown."""
    assert asks(x_forwarded_for=f"{written_first}, {STRANGER}") == STRANGER
    for added in (f"for={STRANGER}", f'for="{STRANGER}:443"', f'by="_a";for="{STRANGER}"'):
        assert asks(forwarded=f"{written_first}, {added}") in {STRANGER, ""}


def test_the_two_headers_say_the_same_or_nothing() -> None:
    assert asks(x_forwarded_for=f"{STRANGER}:443", forwarded=f"for={STRANGER}") == STRANGER
    assert asks(x_forwarded_for=f"{STRANGER}, 10.0.0.2", forwarded=f"for={STRANGER}") == STRANGER
    for one, other in (
        (STRANGER, "for=198.51.100.2"),
        (STRANGER, "for=unknown"),
        (STRANGER, "nonsense"),
        (STRANGER, ""),
        ("unknown", f"for={STRANGER}"),
        ("", f"for={STRANGER}"),
        ("unknown", "for=unknown"),
    ):
        assert asks(x_forwarded_for=one, forwarded=other) == ""
    said = why({"x-forwarded-for": STRANGER, "forwarded": "for=198.51.100.2"})
    assert said == f'X-Forwarded-For and Forwarded don\'t say the same: "{STRANGER} / 198.51.100.2"'


def test_a_trusted_proxy_that_says_nothing_is_not_the_client() -> None:
    assert asks() == ""
    assert why({}) == "it sends neither X-Forwarded-For nor Forwarded"
    assert asks(x_real_ip=STRANGER, true_client_ip=STRANGER) == ""
    assert why({"x-forwarded-for": "10.0.0.3, 10.0.0.2"}) == 'X-Forwarded-For names trusted proxies alone: "10.0.0.3"'


def test_what_was_found_is_shown_printable_and_short() -> None:
    shown = why({"x-forwarded-for": "\x1b[2J" + "x" * 5000})
    assert shown == 'X-Forwarded-For holds no address: "\ufffd[2J' + "x" * 56 + '"'


@pytest.mark.parametrize(
    "long", ["," * 16_000, " " * 16_000 + "x", "a" * 16_000, '"' + "\\" * 15_999, '"' + "\\a" * 8000, "a=b;" * 4000]
)
def test_no_header_takes_long_to_read(long: str) -> None:
    """A quadratic reading of 16 KiB would take a second and more."""
    began = time.process_time()
    asks(forwarded=long, x_forwarded_for=long)
    assert time.process_time() - began < 0.5
