"""Groups in a real directory: as slapd itself takes two DNs for the same, so do we; and looked up in any spelling."""

from __future__ import annotations

from pathlib import Path
from random import Random
from subprocess import run

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aad.core.distinguished_name import DnError, dn_key
from aad.ports import GroupLookup, LooksUpGroups
from tests.parts.directory import Directory
from tests.repositories.conftest import ldap, within
from tests.repositories.ldap.crooked import BOUND, DONE, SEARCH, Liar, ber, result

SCHEMA = "".join(f"include /etc/ldap/schema/{name}.schema\n" for name in ("core", "cosine", "inetorgperson"))
SLAPDN = ("/usr/sbin/slapdn", "-N")
WORDS = st.lists(st.text("abÉéöжZ09=#,+\"\\<>;'", min_size=1, max_size=5), min_size=1, max_size=2).map(" ".join)
DNS = st.lists(
    st.dictionaries(st.sampled_from(["cn", "ou", "o", "l", "st"]), WORDS, min_size=1, max_size=2),
    min_size=1,
    max_size=3,
)


@pytest.fixture(scope="session")
def schema(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("slapdn") / "slapd.conf"
    file.write_text(SCHEMA)
    return file


def normalized(schema: Path, *dns: str) -> list[str]:
    """Return what slapd makes of DNs before it compares them; nothing, if it takes one of them for none."""
    done = run([*SLAPDN, "-f", schema, *dns], capture_output=True, text=True, check=False)
    return done.stdout.splitlines() if done.returncode == 0 else []


@pytest.mark.parametrize(
    ("text", "taken"),
    [
        ("cn=vpn, ou=groups,dc=example,dc=com", True),
        ("cn=vpn;ou=groups", True),
        ('cn="a,b"', True),
        (r"cn=a\,b\2B\ ", True),
        ("2.5.4.3=vpn", True),
        ("commonName=vpn", True),
        ("cn=a=b#c", True),
        (r"cn=\20", True),
        ("cn=b+ou=a", True),
        ("vpn", False),
        ("cn=", False),
        ("cn=,ou=a", False),
        ("cn=a,", False),
        ("cn=a,,ou=b", False),
        ("cn=a+cn=b", False),
        ('cn=v"p"n', False),
        ('cn="a"b', False),
        ("cn=a<b", False),
        (r"cn=a\x", False),
        (r"cn=\ff", False),
        ("cn=#a", False),
    ],
)
def test_what_slapd_takes_for_a_dn_we_do(schema: Path, text: str, taken: bool) -> None:  # noqa: FBT001
    assert bool(normalized(schema, text)) == taken
    if taken:
        assert dn_key(text)
    else:
        with pytest.raises(DnError):
            dn_key(text)


def spelled(dn: list[dict[str, str]], random: Random) -> str:
    """Return a DN in a spelling that slapd reads too: it takes no BER and no "OID."."""
    parts = []
    for part in dn:
        avas = []
        for kind, value in random.sample(sorted(part.items()), len(part)):
            cased = random.choice([value, value.upper(), value.lower(), value.replace(" ", "  ")])
            quoted = random.random() < 0.3
            letters = [_letter(char, random, quoted=quoted) for char in cased]
            text = f'"{"".join(letters)}"' if quoted else "".join(letters)
            blank = random.choice(["", " "])
            avas.append(f"{random.choice([kind, kind.upper()])}{blank}={blank}{text}{blank}")
        parts.append("+".join(avas))
    return random.choice(",;").join(parts)


def _letter(char: str, random: Random, *, quoted: bool) -> str:
    if random.random() < 0.2 and not quoted:
        return "".join(f"\\{octet:02X}" for octet in char.encode())
    return f"\\{char}" if char in ('"\\' if quoted else '"\\,+;<>#') else char


@settings(max_examples=40)
@given(one=DNS, other=DNS, seed=st.integers(0, 2**32))
def test_what_slapd_takes_for_the_same_is_the_same(
    schema: Path, one: list[dict[str, str]], other: list[dict[str, str]], seed: int
) -> None:
    random = Random(seed)
    dns = [spelled(dn, random) for dn in (one, one, one, other, other, [*one, {"o": "x"}])]
    by_slapd = normalized(schema, *dns)
    assert len(by_slapd) == len(dns)
    assert [dns_key == dn_key(dns[0]) for dns_key in map(dn_key, dns)] == [each == by_slapd[0] for each in by_slapd]


GROUPS = "ou=groups,dc=example,dc=com"


@pytest.mark.parametrize(
    "group",
    [
        f"cn=vpn,{GROUPS}",
        f"CN = VPN , {GROUPS}",
        "cn=vpn;ou=groups;dc=example;dc=com",
        f"cn=#040376706e,{GROUPS}",  # slapd itself takes no BER
        f"OID.2.5.4.3=vpn,{GROUPS}",
        f"commonName=v\\70n,{GROUPS}",
    ],
)
async def test_a_group_is_found_in_every_spelling(directory: Directory, group: str) -> None:
    async with ldap(directory) as repository:
        assert isinstance(repository, LooksUpGroups)
        assert await repository.look_up_group(group, within(5)) == GroupLookup(found=True)


@pytest.mark.parametrize(
    ("group", "words"),
    [
        (f"cn=vpm,{GROUPS}", "the directory says noSuchObject (32), to cn=service,dc=example,dc=com"),
        (f"nonsense=vpn,{GROUPS}", "the directory says invalidDNSyntax (34"),
        ("cn=vpn,ou=groups,dc=example,dc=org", "the directory says noSuchObject (32"),
        ("vpn", 'it is no DN: "vpn" should be a type'),
    ],
)
async def test_a_group_that_is_not_there(directory: Directory, group: str, words: str) -> None:
    async with ldap(directory) as repository:
        found = await repository.look_up_group(group, within(5))
    assert found.found is False
    assert found.note.startswith(words)


async def test_where_groups_are_names_a_user_has_them(directory: Directory) -> None:
    async with ldap(directory, group_attribute="departmentNumber") as repository:
        assert await repository.look_up_group("4711", within(5)) == GroupLookup(found=True)
        for group in ("4712", f"cn=vpn,{GROUPS}"):
            nobody = GroupLookup(found=False, note="nobody below dc=example,dc=com has it in departmentNumber")
            assert await repository.look_up_group(group, within(5)) == nobody
    by_member = "(&(objectClass=groupOfNames)(member={dn}))"
    async with ldap(directory, group_attribute="departmentNumber", group_filter=by_member) as repository:
        for group in ("4711", f"cn=vpn,{GROUPS}"):
            assert await repository.look_up_group(group, within(5)) == GroupLookup(found=True)
        assert not (await repository.look_up_group("4712", within(5))).found
    for attribute in ("noSuchAttribute", "no (attribute"):
        async with ldap(directory, group_attribute=attribute) as repository:
            assert (await repository.look_up_group("4711", within(5))).found is False


async def test_where_no_groups_are_read_nobody_is_a_member(directory: Directory) -> None:
    async with ldap(directory, group_attribute="") as repository:
        found = await repository.look_up_group(f"cn=vpn,{GROUPS}", within(5))
    assert found == GroupLookup(True, "groups are never read: group_attribute is empty, and nothing finds them")


def entry(dn: bytes, **attributes: bytes) -> bytes:
    listed = (ber(0x30, ber(0x04, name.encode()), ber(0x31, ber(0x04, value))) for name, value in attributes.items())
    return ber(0x64, ber(0x04, dn), ber(0x30, *listed))


async def looked_up(directory: Directory, *answers: list[bytes]) -> GroupLookup:
    """Look "cn=José,dc=x" up where searches are answered so, one after the other."""
    left = list(answers)

    def says(tag: int, _: bytes) -> list[bytes]:
        return left.pop(0) if tag == SEARCH else [result(BOUND, 0)]

    async with Liar(says) as liar, ldap(directory, liar.url, bind_dn="", bind_password=None) as repository:
        return await repository.look_up_group("cn=José,dc=x", within(5))


async def test_a_directory_that_compares_otherwise_is_seen(directory: Directory) -> None:
    done = result(DONE, 0)
    assert await looked_up(directory, [entry("CN=jOSÉ,DC=x".encode()), done]) == GroupLookup(found=True)
    other = 'there it is called "cn=Jose,dc=x": write it so'  # Active Directory takes no notice of an accent
    assert await looked_up(directory, [entry(b"cn=Jose,dc=x"), done]) == GroupLookup(True, other)
    odd = await looked_up(directory, [entry(b"cn=Jos\xe9,dc=x"), done])
    assert odd == GroupLookup(True, 'there it is called "cn=Jos\ufffd,dc=x": write it so')


async def test_what_a_directory_does_not_show_nobody_can_tell(directory: Directory) -> None:
    for code in (0, 10, 50):
        found = await looked_up(directory, [result(DONE, code)])
        assert found.found is None
        assert "and shows no entry" in found.note


async def test_a_primary_group_has_no_members_in_memberof(directory: Directory) -> None:
    group = [entry("cn=José,dc=x".encode(), primaryGroupToken=b"513"), result(DONE, 0)]
    found = await looked_up(directory, group, [entry(b"cn=alice,dc=x"), result(DONE, 4)])
    assert found.found
    assert found.note.startswith("it is the primary group of users (primaryGroupID=513), who have no memberOf of it")
    assert await looked_up(directory, group, [result(DONE, 0)]) == GroupLookup(found=True)
