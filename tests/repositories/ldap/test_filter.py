"""Search filters as octets: what is relied on in ldap3, whose functions for it are inside it."""

from __future__ import annotations

import inspect

import pytest
from ldap3.operation.search import compile_filter, parse_filter

from aad.repositories.ldap.encode import OCTETS, tlv
from aad.repositories.ldap.filter import compiled
from aad.repositories.ldap.settings import DN_MARKER, MARKER


def equal(attribute: str, value: str) -> bytes:
    return tlv(0xA3, tlv(OCTETS, attribute.encode()) + tlv(OCTETS, value.encode()))


def test_ldap3_has_the_functions_that_are_called() -> None:
    parameters = ["search_filter", "schema", "auto_escape", "auto_encode", "validator", "check_names"]
    assert list(inspect.signature(parse_filter).parameters) == parameters
    assert list(inspect.signature(compile_filter).parameters) == ["filter_node"]


@pytest.mark.parametrize(
    ("text", "octets"),
    [
        ("(uid=alice)", b"\xa3\x0c\x04\x03uid\x04\x05alice"),
        ("(mail=*)", b"\x87\x04mail"),
        ("(!(a>=1))", b"\xa2\x08\xa5\x06\x04\x01a\x04\x011"),
        ("(&(a=b)(|(c=d)(e=f)))", b"\xa0\x1a" + equal("a", "b") + b"\xa1\x10" + equal("c", "d") + equal("e", "f")),
        ("(cn=\\2a\\28z*ö)", b"\xa4\x0f\x04\x02cn0\t\x80\x03*(z\x82\x02\xc3\xb6"),
        ("(a:1.2.3:=b)", b"\xa9\x0d\x81\x051.2.3\x82\x01a\x83\x01b"),
    ],
)
def test_filters_of_rfc_4511_octet_for_octet(text: str, octets: bytes) -> None:
    assert compiled(text) == octets


def test_a_marker_goes_through_as_it_is() -> None:
    for marker in (MARKER, DN_MARKER):
        assert (
            compiled(f"(uid={marker.decode()})")
            == b"\xa3" + bytes((7 + len(marker),)) + b"\x04\x03uid\x04" + bytes((len(marker),)) + marker
        )


@pytest.mark.parametrize("text", ["", "uid=a", "(uid=a", "()", "(uid=a))", "(&)", "(uid=a)(uid=b)"])
def test_what_is_no_filter(text: str) -> None:
    with pytest.raises(ValueError, match="no search filter"):
        compiled(text)
