"""Users of a real slapd: found, told apart, and let in by their passwords, octet for octet."""

from __future__ import annotations

import time

import pytest

from aad.core.outcome import Failure, Reason, Success
from aad.core.secret import Secret
from aad.ports import AmbiguousUserError, Unavailable
from tests.parts.directory import Directory, Person
from tests.repositories.conftest import LONG_PASSWORD, ODD_NAMES, ldap, login, within

WRONG = Failure(Reason.WRONG_PASSWORD)


async def anybody(_: object) -> bool:
    return True


async def test_a_user_comes_with_addresses_groups_and_language(directory: Directory) -> None:
    async with ldap(directory) as repository:
        found = await repository.find("ALICE", None, anybody, within(5))
    assert found is not None
    assert found.proof is None
    assert (found.user.name, found.user.repository) == ("alice", "corp")
    assert found.user.handle == "uid=alice,ou=people,dc=example,dc=com"
    assert found.user.addresses == ("alice@example.com",)
    assert found.user.groups == {f"cn={name},ou=groups,dc=example,dc=com" for name in ("vpn", "staff")}
    assert found.user.language == "de-CH"


async def test_every_value_of_mail_is_an_address(directory: Directory) -> None:
    async with ldap(directory) as repository:
        found = await repository.find("bob", None, anybody, within(5))
    assert found is not None
    assert sorted(found.user.addresses) == ["Bob <b@example.org>", "bob@example.com", "no address"]


async def test_the_attributes_can_be_others(directory: Directory) -> None:
    async with ldap(
        directory, user_filter="(&(objectClass=person)(cn={name}))", email_attribute="sn", group_attribute=""
    ) as repository:
        found = await repository.find("alice", None, anybody, within(5))
    assert found is not None
    assert (found.user.name, found.user.addresses, found.user.groups) == ("alice", ("alice",), frozenset())


async def test_a_user_without_the_name_attribute_is_called_by_his_dn(directory: Directory) -> None:
    async with ldap(directory, name_attribute="title") as repository:
        found = await repository.find("alice", None, anybody, within(5))
    assert found is not None
    assert found.user.name == found.user.handle


@pytest.mark.parametrize(
    ("name", "password", "proof"),
    [
        ("alice", b"correct horse", Success()),
        ("alice", b"Correct horse", WRONG),
        ("alice", b"cor\xffrect horse", WRONG),
        ("alice", b"correct horse ", WRONG),
        ("alice", b"correct horse\0", WRONG),
        ("bob", "①23", Success()),
        ("bob", b"123", WRONG),  # what SASLprep would make of it
        ("Carol", "①23", WRONG),
        ("nul", b"in\0side", Success()),
        ("nul", b"in", WRONG),
        ("nul", b"in\0", WRONG),
        ("long", LONG_PASSWORD, Success()),
        ("long", LONG_PASSWORD[:-1], WRONG),
        ("alice", b"x" * 4096, WRONG),
        ("nopassword", b"x", WRONG),
    ],
)
async def test_passwords_are_compared_octet_for_octet(
    directory: Directory, name: str, password: str | bytes, proof: object
) -> None:
    async with ldap(directory) as repository:
        assert await login(repository, name, password) == proof
        found = await repository.find(name, None, anybody, within(5))
        assert found is not None
        assert await repository.authenticate(found.user, Secret(password), within(5)) == proof


@pytest.mark.parametrize("password", [b"", b"\0", b"\0" * 16])
async def test_an_empty_password_never_binds(directory: Directory, password: bytes) -> None:
    async with ldap(directory) as repository:
        found = await repository.find("untouched", Secret(password), anybody, within(5))
        assert found is not None
        assert found.proof is None
        refused = await repository.authenticate(found.user, Secret(password), within(5))
    assert refused == Failure(Reason.EMPTY_PASSWORD)
    assert 'BIND dn="uid=untouched' not in directory.log()


async def test_who_is_not_admitted_is_not_bound(directory: Directory) -> None:
    asked = []

    async def nobody(user: object) -> bool:
        asked.append(user)
        return False

    async with ldap(directory) as repository:
        found = await repository.find("untouched", Secret(b"secret"), nobody, within(5))
    assert found is not None
    assert (found.proof, asked) == (None, [found.user])
    assert 'BIND dn="uid=untouched' not in directory.log()


@pytest.mark.parametrize(
    "name",
    [
        "*",
        "a*",
        ")(uid=*",
        "alice)(uid=*",
        "*)(|(uid=*",
        "\\2a",
        "alice\0",
        "nobody",
        "",
        "\udcff",
        "ali\udce9ce",
        "x" * 9999,
    ],
)
async def test_a_name_is_nothing_but_a_name(directory: Directory, name: str) -> None:
    async with ldap(directory) as repository:
        assert await repository.find(name, Secret(b"x"), anybody, within(5)) is None


@pytest.mark.parametrize("name", ODD_NAMES)
async def test_odd_names_and_dns_work(directory: Directory, name: str) -> None:
    async with ldap(directory) as repository:
        found = await repository.find(name, Secret(b"odd"), anybody, within(5))
        assert found is not None
        assert (found.user.name, found.proof) == (name, Success())
        assert await repository.authenticate(found.user, Secret(b"even"), within(5)) == WRONG


@pytest.mark.parametrize("name", ["twin", "triplet"])
async def test_a_name_of_several_users_is_nobodys(directory: Directory, name: str) -> None:
    async with ldap(directory) as repository:
        with pytest.raises(AmbiguousUserError):
            await repository.find(name, Secret(name), anybody, within(5))
        assert f'BIND dn="uid={name}' not in directory.log()


@pytest.mark.parametrize(
    ("name", "proof"),
    [
        ("strict", Success()),
        ("locked", Failure(Reason.ACCOUNT_LOCKED)),
        ("reset", Failure(Reason.PASSWORD_MUST_CHANGE, proven=True)),
        ("grace", Failure(Reason.PASSWORD_EXPIRED, proven=True)),
        ("expired", Failure(Reason.PASSWORD_EXPIRED)),
    ],
)
async def test_the_password_policy_has_its_say(directory: Directory, name: str, proof: object) -> None:
    async with ldap(directory) as repository:
        assert await login(repository, name, "pw") == proof
        assert await login(repository, "alice", "correct horse") == Success()


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("locked", Failure(Reason.ACCOUNT_LOCKED), Failure(Reason.ACCOUNT_LOCKED)),  # whatever the password
        ("reset", Failure(Reason.PASSWORD_MUST_CHANGE, proven=True), WRONG),
        ("expired", Failure(Reason.PASSWORD_EXPIRED, proven=True), WRONG),
    ],
)
async def test_openldap_says_why_only_to_who_knows_the_password(
    directory: Directory, name: str, right: Failure, wrong: Failure
) -> None:
    async with ldap(directory, directory="openldap") as repository:
        assert await login(repository, name, "guess") == wrong
        assert await login(repository, name, "pw") == right


async def test_groups_are_found_by_their_members_too(directory: Directory) -> None:
    by_member = "(&(objectClass=groupOfNames)(member={dn}))"
    async with ldap(directory, group_attribute="", group_filter=by_member) as repository:
        found = await repository.find("alice", None, anybody, within(5))
        assert found is not None
        assert found.user.groups == {f"cn={name},ou=groups,dc=example,dc=com" for name in ("vpn", "staff")}
        found = await repository.find("back\\slash", None, anybody, within(5))
        assert found is not None
        assert found.user.groups == frozenset()


async def test_a_group_search_that_fails_is_no_user_without_groups(directory: Directory) -> None:
    changes = {"group_filter": "(member={dn})", "group_base_dn": "ou=nowhere,dc=example,dc=com"}
    async with ldap(directory, **changes) as repository:
        for ask in (login(repository, "alice", "correct horse"), repository.probe()):
            with pytest.raises(Unavailable, match=r"the search in ou=nowhere.* was answered with noSuchObject"):
                await ask


async def test_further_attributes_are_texts(directory: Directory) -> None:
    wanted = ("departmentNumber", "SN", "jpegPhoto", "description", "title", "employeeType")
    async with ldap(directory, attributes=wanted) as repository:
        found = await repository.find("rich", None, anybody, within(5))
    assert found is not None
    texts = dict(found.user.attributes)
    assert texts.pop("departmentNumber") == ("4711",)
    assert texts.pop("SN") == ("rich",)
    assert texts == {}  # a photo, two lines, a text of 254 octets, and nothing at all


async def test_who_was_bound_before_makes_no_difference(directory: Directory) -> None:
    async with ldap(directory, connections=1) as repository:
        for _ in range(3):
            assert await login(repository, "alice", "correct horse") == Success()
            assert await login(repository, "alice", "123") == WRONG
            assert await login(repository, "Carol", "123") == Success()
            assert await login(repository, "Carol", "correct horse") == WRONG


async def test_an_anonymous_search_that_is_not_allowed(directory: Directory) -> None:
    async with ldap(directory, bind_dn="", bind_password=None) as repository:
        with pytest.raises(Unavailable, match="insufficientAccessRights"):
            await login(repository, "alice", "correct horse")


async def test_connections_are_kept(directory: Directory) -> None:
    async with ldap(directory, connections=1) as repository:
        await login(repository, "alice", "correct horse")
        before = directory.log().count("ACCEPT")
        began = time.monotonic()
        for _ in range(20):
            await login(repository, "alice", "correct horse")
        assert time.monotonic() - began < 2
    accepted = directory.log().count("ACCEPT") - before
    assert accepted < 20


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"bind_password": Secret(b"mistaken-w0rd")},
            "our own account cn=service,dc=example,dc=com was refused: invalid",
        ),
        (
            {"base_dn": "ou=nowhere,dc=example,dc=com"},
            "ou=nowhere,dc=example,dc=com was answered with noSuchObject (32",
        ),
        ({"base_dn": "no dn"}, "invalidDNSyntax"),
    ],
)
async def test_a_wrong_setting_is_no_wrong_password(
    directory: Directory, changes: dict[str, object], words: str
) -> None:
    async with ldap(directory, **changes) as repository:
        for ask in (login(repository, "alice", "correct horse"), repository.probe()):
            with pytest.raises(Unavailable, match="ldap://localhost") as unavailable:
                await ask
            assert words in unavailable.value.what
            assert unavailable.value.where == "repository corp"
            assert "mistaken-w0rd" not in repr(unavailable.value)


async def test_probe_says_what_it_saw(directory: Directory) -> None:
    url, dead = directory.ldap_uri, "ldap://127.0.0.1:1"
    async with ldap(directory, dead, url) as repository:
        words = await repository.probe()
    assert words == f"{dead}: Connection refused; {url}: bound as cn=service,dc=example,dc=com, base found"


def test_the_people_are_as_the_tests_think() -> None:
    assert Person("Doe, John", "").dn == "uid=Doe\\2c\\20John,ou=people,dc=example,dc=com"
