"""A DN is the same in every spelling, another DN never is, and what is none is an error with its place."""

from __future__ import annotations

from contextlib import suppress
from random import Random

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from aad.core.distinguished_name import LONGEST, Ava, DnError, dn_key, parsed, respelled
from aad.core.string_preparation import prepared
from aad.repositories.ldap.encode import tlv

VPN = "cn=vpn,ou=groups,dc=example,dc=com"
SPELLINGS = (
    VPN,
    "cn=vpn, ou=groups,dc=example,dc=com",
    "CN = VPN , OU = Groups , DC = Example , DC = com",
    "  cn=vpn,ou=groups,dc=example,dc=com  ",
    "cn=vpn\t,\r\n ou=groups,dc=example,dc=com",
    "cn=vpn;ou=groups;dc=example;dc=com",
    "2.5.4.3=vpn,2.5.4.11=groups,0.9.2342.19200300.100.1.25=example,dc=com",
    "OID.2.5.4.3=vpn,oid.2.5.4.11=groups,dc=example,dc=com",
    "commonName=vpn,organizationalUnitName=groups,domainComponent=example,dc=com",
    r"cn=\76\70\6E,ou=groups,dc=example,dc=com",
    r"cn=v\70n,ou=\67roups,dc=example,dc=com",
    r"cn=\20vpn\ ,ou=groups,dc=example,dc=com",
    'cn="vpn",ou="groups" , dc=example,dc=com',
    "cn=#040376706e,ou=groups,dc=example,dc=com",
    "cn=#0C0376706E , ou=groups,dc=example,dc=com",
    "cn=#1303767 06e,ou=groups,dc=example,dc=com".replace(" ", ""),
    "cn=#1e060076 0070006e,ou=groups,dc=example,dc=com".replace(" ", ""),
    "cn=#1c0c000000760000007000 00006e,ou=groups,dc=example,dc=com".replace(" ", ""),
    "cn=#04810376706e,ou=groups,dc=example,dc=com",
    r"cn=v\e2\80\8bpn,ou=groups,dc=example,dc=com",
    "cn=v\xadpn,ou=groups,dc=example,dc=com",
    "cn=\uff56\uff50\uff4e,ou=groups,dc=example,dc=com",
)


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_spellings_of_one_dn(spelling: str) -> None:
    assert dn_key(spelling) == VPN
    assert dn_key(respelled(parsed(spelling))) == VPN


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (r"cn=Sales\, West,dc=x", r"cn=sales\2C west,dc=x"),
        (r"cn=Sales\, West,dc=x", 'cn="Sales, West",dc=x'),
        (r"cn=a\+b\"\\\<\>\;\=\#,dc=x", r'cn="a+b\"\\<>;=#",dc=x'),
        (r"cn=\#1,dc=x", r"cn=\231,dc=x"),
        ("cn=a#1=b,dc=x", r"cn=a\#1\=b,dc=x"),
        ("cn=a+ou=b,dc=x", "OU = B + CN = A,dc=x"),
        ("cn=a  b,dc=x", r"cn=a \20 b,dc=x"),
        ("cn=Zürich,dc=x", r"cn=Zu\cc\88RICH,dc=x"),
        ("cn=STRASSE,dc=x", "cn=straße,dc=x"),
        ("cn=#0203012345,dc=x", "cn=#0203012345 ,dc=X"),
        ("cn=#04023dff,dc=x", "cn=#04023DFF,dc=x"),
    ],
)
def test_two_spellings(one: str, other: str) -> None:
    assert dn_key(one) == dn_key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (r"cn=a\,ou=b,dc=x", "cn=a,ou=b,dc=x"),
        (r"cn=a\+ou=b,dc=x", "cn=a+ou=b,dc=x"),
        ("cn=a,ou=b", "ou=b,cn=a"),
        ("cn=a,dc=x", "uid=a,dc=x"),
        ("cn=a,dc=x", "cn=a"),
        ("cn=a b,dc=x", "cn=ab,dc=x"),
        (r"cn=\#0500,dc=x", "cn=#0500,dc=x"),
        (r"cn=a\\,dc=x", "cn=a,dc=x"),
        ("cn=a\uff0cou=b,dc=x", "cn=a,ou=b,dc=x"),  # a comma of full width is none
        ("cn=a\uff0bou=b,dc=x", "cn=a+ou=b,dc=x"),
        ("cn=#04023dff,dc=x", r"cn=\#04023dff,dc=x"),
    ],
)
def test_two_dns(one: str, other: str) -> None:
    assert dn_key(one) != dn_key(other)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", 'its end should be a type and "="'),
        ("vpn", '"vpn" should be a type and "=", such as "cn="'),
        ("cn", '"cn" should be a type'),
        ("cn=vpn,", "its end should be a type"),
        ("cn=vpn,ou", '"ou" should be a type'),
        (",cn=vpn", '",cn=vpn" should be a type'),
        ("cn=vpn,,dc=x", '",dc=x" should be a type'),
        ("cn=vpn+,dc=x", '",dc=x" should be a type'),
        ("cn;lang-en=vpn,dc=x", "should be a type"),
        ("1=vpn", "should be a type"),
        ("2.05.4=vpn", "should be a type"),
        ("<GUID=4ac8>;cn=vpn", "should be a type"),
        ("cn=,dc=x", "cn= has no value"),
        ('cn="",dc=x', "cn= has no value"),
        ("cn=#0400,dc=x", "cn= has no value"),
        ('cn=v"p"n', '"v"p"n" isn\'t a value: , + " \\ < > ; and a first # stand behind a backslash'),
        ('cn="vpn', "isn't a value"),
        ('cn="vpn"x', "isn't a value"),
        ("cn=v<p>n", "isn't a value"),
        ("cn=#vpn", "isn't a value"),
        ("cn=#041,dc=x", "isn't a value"),
        (r"cn=v\pn", "isn't a value"),
        (r'cn="v\70n"', "isn't a value"),
        ("cn=vpn\\", "isn't a value"),
        ("cn=v\0pn", "isn't a value"),
        ("cn=#0480", "should be followed by the hex digits of BER"),
        ("cn=#0480" + "61" * 128, "should be followed by the hex digits of BER"),
        ("cn=#04", "should be followed by the hex digits of BER"),
        ("cn=#0405767076", "should be followed by the hex digits of BER"),
        ("cn=#0484767076", "should be followed by the hex digits of BER"),
        (r"cn=\ff,dc=x", "holds octets that aren't UTF-8"),
        (r"cn=\76\ed\a0\80,dc=x", "holds octets that aren't UTF-8"),
        ("cn=a\\,\ud800", "holds octets that aren't UTF-8"),
        (r"cn=\ef\bf\bd,dc=x", "holds U+FFFD"),
        ("cn=v\ufffdpn,dc=x", "holds U+FFFD"),
        ("cn=a+cn=b,dc=x", "has cn twice in one part"),
        ("cn=a+2.5.4.3=a,dc=x", "has cn twice in one part"),
        ("cn=" + "x" * LONGEST, f"has more than {LONGEST} characters"),
    ],
)
def test_what_is_no_dn_is_said(text: str, what: str) -> None:
    with pytest.raises(DnError) as raised:
        dn_key(text)
    assert what in str(raised.value)


def test_what_is_said_is_short_and_can_be_printed() -> None:
    with pytest.raises(DnError) as raised:
        dn_key("cn=a,\x1b[31m\n" + "x" * 500)
    assert str(raised.value).isprintable()
    assert len(str(raised.value)) < 130


def test_a_dn_taken_apart() -> None:
    dn = parsed(r"CN=Sales\, West\C3\A9 +uid=7,dc=x,2.999=#0500")
    assert dn == ((Ava("cn", "Sales, Westé"), Ava("uid", "7")), (Ava("dc", "x"),), (Ava("2.999", "0500", opaque=True),))
    assert respelled(dn) == r"cn=Sales\, Westé+uid=7,dc=x,2.999=#0500"
    assert respelled(parsed(r"cn=\00\20\#a\ ")) == r"cn=\00 #a\ "


NAMES = {
    "cn": ("2.5.4.3", "commonName"),
    "l": ("2.5.4.7", "localityName"),
    "st": ("2.5.4.8", "stateOrProvinceName"),
    "o": ("2.5.4.10", "organizationName"),
    "ou": ("2.5.4.11", "organizationalUnitName"),
    "c": ("2.5.4.6", "countryName"),
    "street": ("2.5.4.9", "streetAddress"),
    "dc": ("0.9.2342.19200300.100.1.25", "domainComponent"),
    "uid": ("0.9.2342.19200300.100.1.1", "userId"),
    "gidnumber": (),
}
Parts = list[dict[str, str]]
# Two values of these letters are the same only if they fold to the same; no word begins with a combining mark.
LETTERS = [*"aZ09=#,+\"\\<>;'()*/éßж漢", "हि", "ही"]
WORDS = st.lists(st.sampled_from(LETTERS), min_size=1, max_size=4).map("".join)
VALUES = st.lists(WORDS, min_size=1, max_size=2).map(" ".join)
PARTS = st.dictionaries(st.sampled_from(sorted(NAMES)), VALUES, min_size=1, max_size=2)
DNS = st.lists(PARTS, min_size=1, max_size=4)
RANDOMS = st.integers(0, 2**32).map(Random)


def spelled(dn: Parts, random: Random) -> str:
    """Return a DN in any of its spellings."""
    written = []
    for part in dn:
        avas = []
        for kind, value in random.sample(sorted(part.items()), len(part)):
            name = random.choice([kind, kind.upper(), *NAMES[kind], *(f"OID.{oid}" for oid in NAMES[kind][:1])])
            pieces = ["", name, "=", spelled_value(value, random), ""]
            avas.append("".join(random.choice(["", " ", "  ", "\t"]).join(pieces[at : at + 2]) for at in (0, 2, 4)))
        written.append("+".join(avas))
    return random.choice(",;").join(written)


def spelled_value(value: str, random: Random) -> str:
    value = random.choice([value, value.upper(), value.casefold(), f" {value}", value.replace(" ", "   ")])
    form = random.choice(["string", "quoted", "octets"])
    if form == "octets":
        return "#" + tlv(random.choice([4, 12]), value.encode()).hex()
    special = '"\\' if form == "quoted" else '"\\,+;<>#'
    chars = []
    for number, char in enumerate(value):
        choices = ["".join(f"\\{octet:02x}" for octet in char.encode())] * (form == "string")
        choices += [char] * (char not in special and not (char == " " and number == 0 and form == "string"))
        choices += [f"\\{char}"] * (char in '"\\,+;<>#= ')
        chars.append(random.choice(choices))
    text = "".join(chars)
    return f'"{text}"' if form == "quoted" else text


@given(DNS, RANDOMS)
def test_every_spelling_of_a_dn_is_the_same(dn: Parts, random: Random) -> None:
    one, other = spelled(dn, random), spelled(dn, random)
    assert dn_key(one) == dn_key(other)
    assert dn_key(respelled(parsed(one))) == dn_key(other)


def folded(dn: Parts) -> list[list[tuple[str, str]]]:
    return [sorted((kind, value.casefold()) for kind, value in part.items()) for part in dn]


@given(DNS, DNS, RANDOMS)
def test_different_dns_are_different(one: Parts, other: Parts, random: Random) -> None:
    same = dn_key(spelled(one, random)) == dn_key(spelled(other, random))
    assert same == (folded(one) == folded(other))


@given(DNS, RANDOMS)
def test_one_change_is_another_dn(dn: Parts, random: Random) -> None:
    part = random.choice(dn)
    kind = random.choice(sorted(part))
    changed = [{**each, kind: f"{each[kind]}x"} if each is part else each for each in dn]
    keys = {dn_key(spelled(each, random)) for each in (dn, changed, [*dn, {"dc": "x"}], [{"cn": "y"}, *dn])}
    assert len(keys) == 4


@given(st.one_of(st.text(), st.text('cn=o,+;"\\#<> 0aé.\ufffd\0\t')))
def test_a_text_is_a_dn_or_a_dn_error(text: str) -> None:
    with suppress(DnError):
        key = dn_key(text)
        assert key
        dn_key(respelled(parsed(text)))
    with suppress(DnError):
        dn_key(f"cn={text}")


@given(
    st.lists(st.text("aZ09 =-_#é漢\xad\uff0c\uff0b\uff03\uff02\uff3c", min_size=1), min_size=1, max_size=3),
    st.booleans(),
)
def test_a_plain_dn_goes_the_short_way_to_the_same(values: list[str], comma: bool) -> None:  # noqa: FBT001
    text = ("," if comma else ";").join(f"ou={value}" for value in values)
    with suppress(DnError):
        key = dn_key(text)
        # Behind a part with an escape nothing goes a short way.
        assert dn_key(f"{text},cn=\\2c") == f"{key},cn=\\,"


OIDS = (NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME, NameOID.DOMAIN_COMPONENT, NameOID.SURNAME, NameOID.USER_ID)
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\ufffd"), min_size=1, max_size=20).filter(str.strip)


@given(st.lists(st.tuples(st.sampled_from(OIDS), TEXTS), min_size=1, max_size=4))
def test_what_another_library_writes_is_read(parts: list[tuple[x509.ObjectIdentifier, str]]) -> None:
    name = x509.Name([x509.NameAttribute(oid, value) for oid, value in parts])
    values = [ava.value for (ava,) in reversed(parsed(name.rfc4514_string()))]
    # It escapes no tabs and line ends at the ends, and they make no difference.
    assert list(map(prepared, values)) == [prepared(value) for _, value in parts]
