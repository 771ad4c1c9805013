"""Servers that answer what nobody expects: neither a wrong password nor a login, and no word that gives one away."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from aad.core.group_name import group_key
from aad.core.outcome import Success
from aad.core.settings import Duration
from aad.ports import AmbiguousUser, Unavailable
from tests.parts.admission import everybody
from tests.parts.directory import Directory
from tests.repositories.conftest import alice, ldap, login, within
from tests.repositories.crooked import BOUND, DONE, ENTRY, REFERENCE, SEARCH, Liar, ber, entry, result

ANONYMOUS = {"bind_dn": "", "bind_password": None}


def lying(found: list[bytes], bound: bytes) -> Callable[[int, bytes], list[bytes]]:
    return lambda tag, _: found if tag == SEARCH else [bound]


GOOD = [entry(b"uid=alice"), result(DONE, 0)]
REFERRAL = ber(0xA3, ber(0x04, b"ldap://127.0.0.1:1/"))


@pytest.mark.parametrize(
    ("found", "bound", "words"),
    [
        ([result(DONE, 51, b"too many")], b"", r"busy \(51: too many\)"),
        ([result(DONE, 52)], b"", "unavailable"),
        ([result(DONE, 53)], b"", "unwillingToPerform"),
        ([result(DONE, 3)], b"", "timeLimitExceeded"),
        ([result(DONE, 1)], b"", "operationsError"),
        ([result(DONE, 10, b"", REFERRAL)], b"", "referral"),
        ([entry(b"")[:-6] + ber(0x30), result(DONE, 0)], result(BOUND, 0), "without a DN"),
        ([result(BOUND, 0)], b"", "a bindResponse instead of a searchResDone"),
        (GOOD, result(BOUND, 53, b"no \r\n way"), r"unwillingToPerform \(53: no way\)"),
        (GOOD, result(BOUND, 10, b"", REFERRAL), "no LDAP"),
        (GOOD, result(BOUND, 14), "saslBindInProgress"),
        (GOOD, result(BOUND, 51), "busy"),
        (GOOD, result(BOUND, 8), "demands TLS"),
        (GOOD, result(BOUND, 13), "demands TLS"),
        (GOOD, result(BOUND, 126), "no LDAP"),
        (GOOD, ber(BOUND), "no LDAP"),
        (GOOD, result(DONE, 0), "a searchResDone instead of a bindResponse"),
        (GOOD, entry(b"uid=alice"), "no answer"),
    ],
)
async def test_what_else_a_server_says_is_neither_yes_nor_no(
    directory: Directory, found: list[bytes], bound: bytes, words: str
) -> None:
    async with (
        Liar(lying(found, bound)) as liar,
        ldap(directory, liar.url, timeout=Duration(0.5), **ANONYMOUS) as repository,
    ):
        with pytest.raises(Unavailable, match=words) as unavailable:
            await alice(repository)
        assert "horse" not in repr(unavailable.value)


async def test_a_base_that_shows_nothing(directory: Directory) -> None:
    async with (
        Liar(lying([result(DONE, 0)], b"")) as liar,
        ldap(directory, liar.url, **ANONYMOUS) as repository,
    ):
        with pytest.raises(Unavailable, match="nothing that may be read"):
            await repository.probe()


async def test_a_password_that_is_no_text_does_not_put_the_server_out_of_order(directory: Directory) -> None:
    heard = []

    def answers(tag: int, octets: bytes) -> list[bytes]:
        heard.append(octets)
        return GOOD if tag == SEARCH else [result(BOUND, 0)]

    async with Liar(answers) as liar, ldap(directory, liar.url, **ANONYMOUS) as repository:
        assert await login(repository, "alice", b"\xff\0\xfe") == Success()
    assert b"\xff\0\xfe" in heard[-1]


async def test_one_user_does_not_put_the_server_out_of_order(directory: Directory) -> None:
    bound = iter([result(BOUND, 53), result(BOUND, 0)])
    async with (
        Liar(lambda tag, _: GOOD if tag == SEARCH else [next(bound)]) as liar,
        ldap(directory, liar.url, **ANONYMOUS) as repository,
    ):
        with pytest.raises(Unavailable):
            await alice(repository)
        assert await alice(repository) == Success()


async def test_references_are_neither_followed_nor_counted(directory: Directory) -> None:
    reference = ber(REFERENCE, ber(0x04, b"ldap://127.0.0.1:1/dc=elsewhere"))
    answers = lying([reference, *GOOD[:1], reference, result(DONE, 0)], result(BOUND, 0))
    async with Liar(answers) as liar, ldap(directory, liar.url, **ANONYMOUS) as repository:
        assert await alice(repository) == Success()
    async with (
        Liar(lying([reference, result(DONE, 0)], b"")) as liar,
        ldap(directory, liar.url, **ANONYMOUS) as repository,
    ):
        assert await alice(repository) is None


async def test_a_search_that_found_more_than_it_may_say(directory: Directory) -> None:
    async with (
        Liar(lying([entry(b"uid=alice"), result(DONE, 4)], result(BOUND, 0))) as liar,
        ldap(directory, liar.url, **ANONYMOUS) as repository,
    ):
        with pytest.raises(AmbiguousUser):
            await alice(repository)


async def test_values_that_are_no_text_and_ranges(directory: Directory) -> None:
    def attribute(name: bytes, *values: bytes) -> bytes:
        return ber(0x30, ber(0x04, name), ber(0x31, *(ber(0x04, value) for value in values)))

    attributes = (
        attribute(b"MAIL", b"al\xffice@example.com"),
        attribute(b"mail;lang-de", b"other@example.com"),
        attribute(b"memberOf;range=0-*", b"cn=vpn"),
    )
    found = ber(ENTRY, ber(0x04, b"uid=alice"), ber(0x30, *attributes))
    async with (
        Liar(lying([found, result(DONE, 0)], b"")) as liar,
        ldap(directory, liar.url, **ANONYMOUS) as repository,
    ):
        answer = await repository.find("alice", None, everybody, within(5))
    assert answer is not None
    assert answer.user.addresses == ("al\ufffdice@example.com",)
    assert answer.user.groups == {"cn=vpn"}


async def test_who_has_more_groups_than_were_told_is_in_unknown_ones(directory: Directory) -> None:
    values = ber(0x30, ber(0x04, b"memberOf;range=0-0"), ber(0x31, ber(0x04, b"cn=vpn")))
    found = ber(ENTRY, ber(0x04, b"uid=alice"), ber(0x30, values))
    async with (
        Liar(lying([found, result(DONE, 0)], b"")) as liar,
        ldap(directory, liar.url, **ANONYMOUS) as repository,
    ):
        answer = await repository.find("alice", None, everybody, within(5))
    assert answer is not None
    member = [answer.user.is_member(frozenset({group_key(group)})) for group in ("CN=VPN", "cn=admins")]
    assert member == [True, None]
