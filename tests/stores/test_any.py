"""What every store keeps, counts, holds and forgets."""

from __future__ import annotations

import asyncio

import pytest

from aad.ports import Store, Tally
from aad.storing import LARGEST, LARGEST_PASSING
from tests.stores.kept import OWNER, tally


async def test_it_is_a_store(store: Store) -> None:
    as_port: Store = store
    assert await as_port.waiting() == 0


async def test_a_login_is_taken_once(store: Store) -> None:
    await store.keep(b"ticket", OWNER, b'{"a": 1}', store.now() + 60)
    assert await store.take(b"another") is None
    assert await store.take(b"ticket") == b'{"a": 1}'
    assert await store.take(b"ticket") is None


async def test_fifty_takers_at_once_get_it_once(store: Store) -> None:
    await store.keep(b"ticket", OWNER, b"login", store.now() + 60)
    taken = await asyncio.gather(*(store.take(b"ticket") for _ in range(50)))
    assert sorted(taken, key=str) == [*[None] * 49, b"login"]


async def test_a_login_put_back_can_be_taken_again(store: Store) -> None:
    for _ in range(2):
        await store.keep(b"ticket", OWNER, b"login", store.now() + 60)
    assert await store.take(b"ticket") == b"login"
    assert await store.take(b"ticket") is None


@pytest.mark.parametrize(("ago", "taken"), [(1.0, b"login"), (55.0, b"login"), (61.0, None)])
async def test_an_expired_login_is_given_out_for_a_minute(store: Store, ago: float, taken: bytes | None) -> None:
    await store.keep(b"ticket", OWNER, b"login", store.now() - ago)
    assert await store.again(OWNER) is None
    assert await store.take(b"ticket") == taken


async def test_again_finds_the_latest_and_leaves_it(store: Store) -> None:
    for ticket in (b"first", b"second", b"third"):
        await store.keep(ticket, OWNER, b"login of " + ticket, store.now() + 60)
    await store.keep(b"hers", OWNER + "2", b"login", store.now() + 60)
    assert await store.again(OWNER) == (b"third", b"login of third")
    assert await store.take(b"third") == b"login of third"
    assert await store.again(OWNER) == (b"second", b"login of second")
    assert await store.again("nobody") is None


async def test_a_counter_stops_at_its_limit(store: Store) -> None:
    assert [await store.spend(tally(store), 3, extend=False) for _ in range(5)] == [1, 2, 3, 0, 0]
    assert await store.spend(tally(store), 0, extend=False) == 0
    assert await store.spend(tally(store, scope="wifi"), 3, extend=False) == 1


async def test_a_hundred_spend_at_once_and_three_may(store: Store) -> None:
    counts = await asyncio.gather(*(store.spend(tally(store), 3, extend=True) for _ in range(100)))
    assert sorted(counts, reverse=True)[:4] == [3, 2, 1, 0]


async def test_an_expired_counter_begins_anew(store: Store) -> None:
    assert await store.spend(tally(store, lasts=-1), 1, extend=False) == 1
    assert await store.tallies("lockout") == []
    assert await store.spend(tally(store), 1, extend=False) == 1
    assert await store.spend(tally(store), 1, extend=False) == 0


@pytest.mark.parametrize("extend", [False, True])
async def test_only_extend_prolongs_what_counts(store: Store, extend: bool) -> None:  # noqa: FBT001
    first, second = tally(store, lasts=100), tally(store, lasts=200)
    await store.spend(first, 3, extend=extend)
    await store.spend(second, 3, extend=extend)
    (kept,) = await store.tallies("lockout")
    assert kept == Tally(
        kind="lockout", scope="vpn", name="alice", count=2, until=second.until if extend else first.until
    )


async def test_a_counter_at_its_limit_is_not_prolonged(store: Store) -> None:
    first = tally(store, lasts=100)
    await store.spend(first, 1, extend=True)
    await store.spend(tally(store, lasts=200), 1, extend=True)
    assert (await store.tallies("lockout"))[0].until == first.until


async def test_forget_ends_one_scope_or_all(store: Store) -> None:
    for scope in ("vpn", "wifi", "ssh"):
        await store.spend(tally(store, scope=scope), 3, extend=True)
    await store.spend(tally(store, "bob"), 3, extend=True)
    assert await store.forget("lockout", "vpn", "alice")
    assert [t.scope for t in await store.tallies("lockout")] == ["ssh", "wifi", "vpn"]
    assert await store.forget("lockout", "", "alice")
    assert not await store.forget("lockout", "", "alice")
    assert not await store.forget("mail", "", "bob")
    assert [t.name for t in await store.tallies("lockout")] == ["bob"]


async def test_forgetting_an_expired_counter_is_no_news(store: Store) -> None:
    await store.spend(tally(store, lasts=-1), 3, extend=True)
    assert not await store.forget("lockout", "", "alice")


async def test_waiting_counts_at_once(store: Store) -> None:
    for number in range(5):
        await store.keep(bytes([number]), OWNER, b"", store.now() + 60)
    await store.take(b"\0")
    assert await store.waiting() == 4


async def test_what_is_refunded_can_be_spent_again(store: Store) -> None:
    await store.refund("lockout", "vpn", "nobody")
    for _ in range(2):
        await store.spend(tally(store), 2, extend=False)
    await store.refund("lockout", "vpn", "alice")
    assert await store.spend(tally(store), 2, extend=False) == 2
    for _ in range(5):
        await store.refund("lockout", "vpn", "alice")
    assert await store.tallies("lockout") == []
    assert await store.spend(tally(store), 2, extend=False) == 1


async def test_it_is_held_moved_and_dropped(store: Store) -> None:
    assert await store.find("k", "alice") is None
    assert await store.swap("k", "alice", None, b"one")
    assert not await store.swap("k", "alice", None, b"two")
    assert await store.find("k", "alice") == b"one"
    assert not await store.swap("k", "alice", b"two", b"three")
    assert await store.swap("k", "alice", b"one", b"two")
    assert not await store.swap("k", "alice", b"one", None)
    assert not await store.swap("k", "alice", None, None)
    assert await store.swap("k", "alice", b"two", None)
    assert await store.swap("k", "alice", None, None)
    assert await store.find("k", "alice") is None


async def test_what_is_held_may_be_empty_or_of_any_octets(store: Store) -> None:
    assert await store.swap("k", "alice", None, b"")
    assert not await store.swap("k", "alice", None, b"")
    assert await store.swap("k", "alice", b"", bytes(range(256)))
    assert await store.find("k", "alice") == bytes(range(256))


async def test_a_kind_has_names_of_its_own(store: Store) -> None:
    for kind, name in (("a", "corp\0bob"), ("a", "corp\0alice"), ("b", "corp\0carol"), ("a", "corp\0zoë")):
        await store.swap(kind, name, None, kind.encode())
    assert await store.names("a") == ["corp\0alice", "corp\0bob", "corp\0zoë"]
    assert await store.names("c") == []
    assert await store.find("b", "corp\0alice") is None


async def test_of_fifty_who_move_it_at_once_one_does(store: Store) -> None:
    await store.swap("k", "alice", None, b"old")
    moves = (store.swap("k", "alice", b"old", b"%d" % number) for number in range(50))
    assert sum(await asyncio.gather(*moves)) == 1


async def test_what_is_held_is_bounded(store: Store) -> None:
    assert await store.swap("k", "alice", None, bytes(LARGEST))
    with pytest.raises(ValueError, match="4097 octets are too many"):
        await store.swap("k", "alice", bytes(LARGEST), bytes(LARGEST + 1))


async def test_a_value_that_ends_is_held_exchanged_and_dropped(store: Store) -> None:
    until = store.now() + 60
    assert await store.recall("k", "alice") is None
    assert await store.exchange("k", "alice", None, b"one", until)
    assert not await store.exchange("k", "alice", None, b"two", until)
    assert not await store.exchange("k", "alice", b"two", b"three", until)
    assert await store.exchange("k", "alice", b"one", bytes(range(256)), until)
    assert await store.recall("k", "alice") == bytes(range(256))
    assert await store.recall("k2", "alice") is None
    assert await store.recall("k", "bob") is None
    assert not await store.exchange("k", "alice", b"one", None, until)
    assert not await store.exchange("k", "alice", None, None, until)
    assert await store.exchange("k", "alice", bytes(range(256)), None, until)
    assert await store.exchange("k", "alice", None, None, until)
    assert await store.recall("k", "alice") is None


async def test_a_value_that_has_ended_is_none(store: Store) -> None:
    await store.exchange("k", "alice", None, b"one", store.now() - 1)
    assert await store.recall("k", "alice") is None
    assert not await store.exchange("k", "alice", b"one", b"two", store.now() + 60)
    assert await store.exchange("k", "alice", None, b"two", store.now() + 60)
    assert await store.recall("k", "alice") == b"two"


async def test_of_fifty_who_exchange_it_at_once_one_does(store: Store) -> None:
    await store.exchange("k", "alice", None, b"old", store.now() + 60)
    moves = (store.exchange("k", "alice", b"old", b"%d" % number, store.now() + 60) for number in range(50))
    assert sum(await asyncio.gather(*moves)) == 1


async def test_a_value_that_ends_is_bounded(store: Store) -> None:
    assert await store.exchange("k", "alice", None, bytes(LARGEST_PASSING), store.now() + 60)
    with pytest.raises(ValueError, match="16385 octets are too many"):
        await store.exchange("k", "bob", None, bytes(LARGEST_PASSING + 1), store.now() + 60)
