"""Requests as octets: what ldap3's own decoder reads out of them, whatever the name."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ldap3.protocol.rfc4511 import LDAPMessage
from pyasn1.codec.ber import decoder

from aad.repositories.ldap.encode import Search, bind, filled, integer, search, tlv
from aad.repositories.ldap.filter import compiled

MARKER = b"\x01marker\x01"
FILTERS = [
    "(uid={})",
    "(&(objectClass=person)(|(uid={})(mail={}@example.com)))",
    "(memberOf:1.2.840.113556.1.4.1941:={})",
    "(!(uid={}*))",
]


def read(octets: bytes) -> Any:
    message, rest = decoder.decode(octets, asn1Spec=LDAPMessage())
    assert not rest
    return message


@given(name=st.binary(min_size=1, max_size=400))
@pytest.mark.parametrize("template", FILTERS)
def test_whatever_the_name_it_is_one_value(template: str, name: bytes) -> None:
    escaped = "".join(f"\\{octet:02x}" for octet in name)
    octets = compiled(template.replace("{}", MARKER.decode()))
    assert filled(octets, MARKER, name) == compiled(template.replace("{}", escaped))


@given(name=st.binary(min_size=1, max_size=400), number=st.integers(1, 2**31 - 1))
def test_a_search_asks_for_two_entries_at_most(name: bytes, number: int) -> None:
    octets = filled(compiled(f"(uid={MARKER.decode()})"), MARKER, name)
    request = read(search(number, Search("dc=example,dc=com", octets, ("uid", "mail"), 2), 3))
    assert int(request["messageID"]) == number
    inner = request["protocolOp"]["searchRequest"]
    assert [str(each) for each in inner["attributes"]] == ["uid", "mail"]
    assert (int(inner["scope"]), int(inner["sizeLimit"]), int(inner["derefAliases"])) == (2, 2, 0)
    assert int(inner["timeLimit"]) == 3
    assert bytes(inner["filter"]["equalityMatch"]["assertionValue"]) == name


@given(dn=st.text(max_size=300), password=st.binary(min_size=1, max_size=300))
def test_a_bind_carries_dn_and_password_as_they_are(dn: str, password: bytes) -> None:
    request = read(bind(7, dn, password, ["1.3.6.1.4.1.42.2.27.8.5.1"]))
    inner = request["protocolOp"]["bindRequest"]
    assert bytes(inner["name"]) == dn.encode()
    assert bytes(inner["authentication"]["simple"]) == password
    assert int(inner["version"]) == 3
    (control,) = request["controls"]
    assert (str(control["controlType"]), bool(control["criticality"])) == ("1.3.6.1.4.1.42.2.27.8.5.1", False)


@given(value=st.integers(0, 2**40))
def test_integers_are_as_short_as_can_be(value: int) -> None:
    octets = integer(value)
    assert decoder.decode(octets)[0] == value
    assert len(octets) == 3 or octets[2] or octets[3] >= 0x80


@pytest.mark.parametrize("size", [0, 127, 128, 255, 256, 65536])
def test_lengths(size: int) -> None:
    assert len(decoder.decode(tlv(4, b"x" * size))[0]) == size


@pytest.mark.parametrize("wrong", ["uid=x", "(uid=x", "", "(&)", "((uid=x))"])
def test_what_is_no_filter(wrong: str) -> None:
    with pytest.raises(ValueError, match="no search filter"):
        compiled(wrong)
