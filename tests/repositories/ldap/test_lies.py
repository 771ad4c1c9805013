"""Servers that answer what no client expects: neither a wrong password nor a login, and no word that gives one away."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from aad.core.group_name import group_key
from aad.core.outcome import Failure, Reason, Success
from aad.core.secret import Secret
from aad.core.settings import Duration
from aad.ports import AmbiguousUserError, Unavailable
from tests.parts.admission import everybody
from tests.parts.directory import Directory
from tests.repositories.conftest import alice, ldap, login, within
from tests.repositories.ldap.crooked import BIND, BOUND, DONE, ENTRY, REFERENCE, SEARCH, Liar, ber, entry, result

ANONYMOUS = {"bind_dn": "", "bind_password": None}


def lying(found: list[bytes], bound: bytes) -> Callable[[int, bytes], list[bytes]]:
    return lambda tag, _: found if tag == SEARCH else [bound] if bound else []


def noted(heard: list[int]) -> Callable[[int, bytes], list[bytes]]:
    def answers(tag: int, _: bytes) -> list[bytes]:
        heard.append(tag)
        return []

    return answers


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
        (GOOD, result(BOUND, 80, b"no \r\n way"), r"other \(80: no way\)"),
        (GOOD, result(BOUND, 10, b"", REFERRAL), "referral"),
        (GOOD, result(BOUND, 14), "saslBindInProgress"),
        (GOOD, result(BOUND, 51), "busy"),
        (GOOD, result(BOUND, 8), "demands TLS"),
        (GOOD, result(BOUND, 13), "demands TLS"),
        (GOOD, result(BOUND, 126), r"a result that isn't known \(126\)"),
        (GOOD, ber(BOUND), "a bindResponse that can't be read"),
        (GOOD, result(DONE, 0), "a searchResDone instead of a bindResponse"),
        (GOOD, entry(b"uid=alice"), "a searchResEntry instead of a bindResponse"),
        (GOOD, b"", "no answer"),
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


@pytest.mark.parametrize(
    "bound",
    [result(BOUND, 80), result(BOUND, 17), result(BOUND, 123), result(BOUND, 124), ber(BOUND), result(DONE, 0)],
)
async def test_what_is_said_of_one_user_is_nobody_elses_outage(directory: Directory, bound: bytes) -> None:
    """It is no server's fault, no other server is asked, and the next login is answered as ever."""
    answers, second = iter([bound, result(BOUND, 0)]), list[int]()
    async with (
        Liar(lambda tag, _: GOOD if tag == SEARCH else [next(answers)]) as liar,
        Liar(noted(second)) as other,
        ldap(directory, liar.url, other.url, **ANONYMOUS) as repository,
    ):
        with pytest.raises(Unavailable, match=liar.url) as unavailable:
            await alice(repository)
        assert (unavailable.value.where, unavailable.value.facts) == ("", ())
        assert await alice(repository) == Success()
    assert not second


@pytest.mark.parametrize("found", [[result(DONE, 80)], [result(DONE, 4)], [ber(DONE)], [entry(b"cn=x"), ber(ENTRY)]])
async def test_groups_that_are_not_told_are_nobody_elses_outage(directory: Directory, found: list[bytes]) -> None:
    answers, second = iter([GOOD, found]), list[int]()
    async with (
        Liar(lambda _, __: next(answers)) as liar,
        Liar(noted(second)) as other,
        ldap(directory, liar.url, other.url, group_filter="(member={dn})", **ANONYMOUS) as repository,
    ):
        with pytest.raises(Unavailable, match=liar.url) as unavailable:
            await alice(repository)
        assert (unavailable.value.where, unavailable.value.facts) == ("", ())
    assert not second


@pytest.mark.parametrize("bound", [result(BOUND, 51), result(BOUND, 52), b""])
async def test_what_a_server_says_of_itself_is_its_outage(directory: Directory, bound: bytes) -> None:
    async with (
        Liar(lying(GOOD, bound)) as liar,
        Liar(lying(GOOD, result(BOUND, 0))) as other,
        ldap(directory, liar.url, other.url, timeout=Duration(0.5), **ANONYMOUS) as repository,
    ):
        found = await repository.find("alice", Secret("correct horse"), everybody, within(5))
        assert found is not None
        assert found.proof == Success()  # of the second
        assert [(fact.name, fact.fields["server"]) for fact in found.facts] == [("server.down", liar.url)]


async def test_an_own_account_whose_answer_cannot_be_read_is_an_outage(directory: Directory) -> None:
    async with Liar(lying([], ber(BOUND))) as liar, ldap(directory, liar.url) as repository:
        with pytest.raises(Unavailable, match=r"our own account .* was refused: a bindResponse that can't be") as down:
            await alice(repository)
    assert down.value.where == "repository corp"
    assert [fact.name for fact in down.value.facts] == ["server.down"]


async def test_the_first_result_counts(directory: Directory) -> None:
    """The second one ends the connection, whichever request it is for; a new one is made for the next login."""
    bound = [result(BOUND, 49), result(BOUND, 0)]
    async with (
        Liar(lambda tag, _: GOOD if tag == SEARCH else bound) as liar,
        ldap(directory, liar.url, connections=1, **ANONYMOUS) as repository,
    ):
        for _ in range(3):
            assert await alice(repository) == Failure(Reason.WRONG_PASSWORD)


@pytest.mark.parametrize(
    "unasked",
    [ber(0x30, ber(2, b"\1"), result(BOUND, 0)), ber(0x30, ber(2, b"\2"), result(BOUND, 0)), b"\x30\x05", b"HTTP"],
)
async def test_what_nobody_asked_for_is_no_answer(directory: Directory, unasked: bytes) -> None:
    """It comes right behind the answer to the search, so it waits for the bind."""

    class Hasty(Liar):
        async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while octets := await reader.read(65536):
                number = ber(2, octets[octets.index(b"\2\1") + 2 :][:1])
                if octets[5] == BIND:
                    writer.write(ber(0x30, number, result(BOUND, 49)))
                else:
                    for each in GOOD:
                        writer.write(ber(0x30, number, each))
                writer.write(unasked)

    async with Hasty(lambda _, __: []) as liar, ldap(directory, liar.url, **ANONYMOUS) as repository:
        for _ in range(3):
            assert await alice(repository) == Failure(Reason.WRONG_PASSWORD)


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
        with pytest.raises(AmbiguousUserError):
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
