"""What every store keeps, counts, holds and forgets."""

from __future__ import annotations

import asyncio
import math

import pytest

from aad.ports import Change, Store, Taken, Tally
from aad.storing import LARGEST, LARGEST_PASSING
from tests.stores.kept import OWNER, keep, taken, tally


async def test_it_is_a_store(store: Store) -> None:
    as_port: Store = store
    assert await as_port.count_logins() == 0


async def test_a_login_is_taken_once(store: Store) -> None:
    await keep(store, b"ticket", OWNER, b'{"a": 1}', store.now() + 60)
    assert await taken(store, b"another") is None
    assert await taken(store, b"ticket") == b'{"a": 1}'
    assert await taken(store, b"ticket") is None


async def test_fifty_takers_at_once_get_it_once(store: Store) -> None:
    await keep(store, b"ticket", OWNER, b"login", store.now() + 60)
    found = await asyncio.gather(*(taken(store, b"ticket") for _ in range(50)))
    assert sorted(found, key=str) == [*[None] * 49, b"login"]


async def test_a_login_put_back_can_be_taken_again(store: Store) -> None:
    for _ in range(2):
        await keep(store, b"ticket", OWNER, b"login", store.now() + 60)
    assert await taken(store, b"ticket") == b"login"
    assert await taken(store, b"ticket") is None


@pytest.mark.parametrize(("ago", "found"), [(1.0, b"login"), (55.0, b"login"), (61.0, None)])
async def test_an_expired_login_is_given_out_for_a_minute(store: Store, ago: float, found: bytes | None) -> None:
    await keep(store, b"ticket", OWNER, b"login", store.now() - ago)
    assert await store.logins_of(OWNER) == []
    assert await taken(store, b"ticket") == found


async def test_again_finds_the_latest_and_leaves_it(store: Store) -> None:
    for ticket in (b"first", b"second", b"third"):
        await keep(store, ticket, OWNER, b"login of " + ticket, store.now() + 60)
    await keep(store, b"hers", OWNER + "2", b"login", store.now() + 60)
    waits = [(ticket, b"login of " + ticket) for ticket in (b"third", b"second", b"first")]
    assert await store.logins_of(OWNER) == waits
    assert await taken(store, b"third") == b"login of third"
    assert await store.logins_of(OWNER) == waits[1:]
    assert await store.logins_of("nobody") == []


async def test_of_one_holder_the_oldest_goes(store: Store) -> None:
    for number in range(5):
        assert await keep(store, b"%d" % number, OWNER, b"login", store.now() + 60, most=3, proven=True)
    assert await keep(store, b"hers", OWNER + "2", b"login", store.now() + 60, most=3)
    assert [ticket for ticket, _ in await store.logins_of(OWNER)] == [b"4", b"3", b"2"]
    assert await store.count_logins() == 4
    assert await taken(store, b"0") is None


async def test_those_without_proof_go_first_and_displace_nobody_with_one(store: Store) -> None:
    for number, proven in enumerate((True, False, True)):
        assert await keep(store, b"%d" % number, OWNER, b"login", store.now() + 60, most=3, proven=proven)
    assert await keep(store, b"3", OWNER, b"login", store.now() + 60, most=3, proven=False)
    assert [ticket for ticket, _ in await store.logins_of(OWNER)] == [b"3", b"2", b"0"]
    assert await keep(store, b"4", OWNER, b"login", store.now() + 60, most=3, proven=True)
    assert [ticket for ticket, _ in await store.logins_of(OWNER)] == [b"4", b"2", b"0"]
    assert not await keep(store, b"5", OWNER, b"login", store.now() + 60, most=3, proven=False)
    assert [ticket for ticket, _ in await store.logins_of(OWNER)] == [b"4", b"2", b"0"]
    assert await taken(store, b"5") is None
    assert await store.count_logins() == 3


async def test_put_back_a_login_displaces_nobody(store: Store) -> None:
    for number in range(3):
        await keep(store, b"%d" % number, OWNER, b"login", store.now() + 60, most=3)
    assert await keep(store, b"1", OWNER, b"login again", store.now() + 60, most=3)
    assert {ticket for ticket, _ in await store.logins_of(OWNER)} == {b"0", b"1", b"2"}


async def test_expired_logins_displace_nobody(store: Store) -> None:
    for number in range(3):
        await keep(store, b"%d" % number, OWNER, b"login", store.now() - 1, most=3, proven=True)
    assert await keep(store, b"new", OWNER, b"login", store.now() + 60, most=3)


def one_more(row: str, value: bytes | None) -> Change | None:
    assert row == "codes of alice"
    count = int(value or b"0") + 1
    return Change(b"%d" % count, math.inf) if count <= 3 else None


async def test_a_login_is_taken_and_counted_at_once(store: Store) -> None:
    for number in range(40):
        await keep(store, b"%d" % number, f"{OWNER}{number}", b"login", store.now() + 60, row="codes of alice")
    found = await asyncio.gather(*(store.take_login(b"%d" % number, one_more) for number in range(40)))
    assert sorted(each.refused for each in found if each) == [False] * 3 + [True] * 37
    assert await store.get_expiring("row", "codes of alice") == b"3"
    assert await store.count_logins() == 37, "who is refused goes on waiting"


async def test_of_fifty_who_take_it_one_counts(store: Store) -> None:
    await keep(store, b"ticket", OWNER, b"login", store.now() + 60, row="codes of alice")
    found = await asyncio.gather(*(store.take_login(b"ticket", one_more) for _ in range(50)))
    assert [each for each in found if each] == [Taken(b"login")]
    assert await store.get_expiring("row", "codes of alice") == b"1"


async def test_what_has_no_row_counts_nowhere(store: Store) -> None:
    await keep(store, b"ticket", OWNER, b"login", store.now() + 60)
    assert await store.take_login(b"ticket", one_more) == Taken(b"login")
    await keep(store, b"old", OWNER, b"login", store.now() - 61, row="codes of alice")
    assert await store.take_login(b"old", one_more) is None
    assert await store.get_expiring("row", "codes of alice") is None


async def test_a_value_is_changed_by_a_rule(store: Store) -> None:
    def longer(value: bytes | None) -> Change:
        return Change((value or b"") + b"x", store.now() + 60)

    await asyncio.gather(*(store.update_expiring("k", "alice", longer) for _ in range(40)))
    assert await store.get_expiring("k", "alice") == b"x" * 40
    await store.update_expiring("k", "alice", lambda _: None)
    assert await store.get_expiring("k", "alice") == b"x" * 40
    await store.update_expiring("k", "alice", lambda _: Change(None, 0.0))
    assert await store.get_expiring("k", "alice") is None


async def test_a_value_may_be_for_good(store: Store) -> None:
    await store.update_expiring("k", "alice", lambda _: Change(b"one", math.inf))
    assert await store.get_expiring("k", "alice") == b"one"
    assert await store.compare_and_set_expiring("k", "alice", b"one", b"two", math.inf)
    await store.put_expiring("k", {"bob": Change(b"three", math.inf), "carol": Change(b"four", store.now() + 60)})
    assert await store.all_expiring("k") == {"alice": b"two", "bob": b"three", "carol": b"four"}
    await store.put_expiring("k", {"alice": None, "bob": Change(None, 0.0), "nobody": None})
    assert await store.all_expiring("k") == {"carol": b"four"}
    assert await store.all_expiring("another") == {}
    await store.put_expiring("k", {"with\0zeros\0in it": Change(b"five", math.inf)})
    await store.put_expiring("k", {"with\0zeros\0in it": None})
    assert await store.get_expiring("k", "with\0zeros\0in it") is None


async def test_a_counter_stops_at_its_limit(store: Store) -> None:
    assert [await store.increment(tally(store), 3, extend=False) for _ in range(5)] == [1, 2, 3, 0, 0]
    assert await store.increment(tally(store), 0, extend=False) == 0
    assert await store.increment(tally(store, scope="wifi"), 3, extend=False) == 1


async def test_a_hundred_spend_at_once_and_three_may(store: Store) -> None:
    counts = await asyncio.gather(*(store.increment(tally(store), 3, extend=True) for _ in range(100)))
    assert sorted(counts, reverse=True)[:4] == [3, 2, 1, 0]


async def test_an_expired_counter_begins_anew(store: Store) -> None:
    assert await store.increment(tally(store, lasts=-1), 1, extend=False) == 1
    assert await store.counters("lockout") == []
    assert await store.increment(tally(store), 1, extend=False) == 1
    assert await store.increment(tally(store), 1, extend=False) == 0


@pytest.mark.parametrize("extend", [False, True])
async def test_only_extend_prolongs_what_counts(store: Store, extend: bool) -> None:  # noqa: FBT001
    first, second = tally(store, lasts=100), tally(store, lasts=200)
    await store.increment(first, 3, extend=extend)
    await store.increment(second, 3, extend=extend)
    (kept,) = await store.counters("lockout")
    assert kept == Tally(
        kind="lockout", scope="vpn", name="alice", count=2, until=second.until if extend else first.until
    )


async def test_a_counter_at_its_limit_is_not_prolonged(store: Store) -> None:
    first = tally(store, lasts=100)
    await store.increment(first, 1, extend=True)
    await store.increment(tally(store, lasts=200), 1, extend=True)
    assert (await store.counters("lockout"))[0].until == first.until


async def test_forget_ends_one_scope_or_all(store: Store) -> None:
    for scope in ("vpn", "wifi", "ssh"):
        await store.increment(tally(store, scope=scope), 3, extend=True)
    await store.increment(tally(store, "bob"), 3, extend=True)
    assert await store.delete_counter("lockout", "vpn", "alice")
    assert [t.scope for t in await store.counters("lockout")] == ["ssh", "wifi", "vpn"]
    assert await store.delete_counter("lockout", "", "alice")
    assert not await store.delete_counter("lockout", "", "alice")
    assert not await store.delete_counter("mail", "", "bob")
    assert [t.name for t in await store.counters("lockout")] == ["bob"]


async def test_forgetting_an_expired_counter_is_no_news(store: Store) -> None:
    await store.increment(tally(store, lasts=-1), 3, extend=True)
    assert not await store.delete_counter("lockout", "", "alice")


async def test_waiting_counts_at_once(store: Store) -> None:
    for number in range(5):
        await keep(store, bytes([number]), OWNER, b"", store.now() + 60)
    await taken(store, b"\0")
    assert await store.count_logins() == 4


async def test_what_is_refunded_can_be_spent_again(store: Store) -> None:
    await store.decrement("lockout", "vpn", "nobody")
    for _ in range(2):
        await store.increment(tally(store), 2, extend=False)
    await store.decrement("lockout", "vpn", "alice")
    assert await store.increment(tally(store), 2, extend=False) == 2
    for _ in range(5):
        await store.decrement("lockout", "vpn", "alice")
    assert await store.counters("lockout") == []
    assert await store.increment(tally(store), 2, extend=False) == 1


async def test_it_is_held_moved_and_dropped(store: Store) -> None:
    assert await store.get("k", "alice") is None
    assert await store.compare_and_set("k", "alice", None, b"one")
    assert not await store.compare_and_set("k", "alice", None, b"two")
    assert await store.get("k", "alice") == b"one"
    assert not await store.compare_and_set("k", "alice", b"two", b"three")
    assert await store.compare_and_set("k", "alice", b"one", b"two")
    assert not await store.compare_and_set("k", "alice", b"one", None)
    assert not await store.compare_and_set("k", "alice", None, None)
    assert await store.compare_and_set("k", "alice", b"two", None)
    assert await store.compare_and_set("k", "alice", None, None)
    assert await store.get("k", "alice") is None


async def test_what_is_held_may_be_empty_or_of_any_octets(store: Store) -> None:
    assert await store.compare_and_set("k", "alice", None, b"")
    assert not await store.compare_and_set("k", "alice", None, b"")
    assert await store.compare_and_set("k", "alice", b"", bytes(range(256)))
    assert await store.get("k", "alice") == bytes(range(256))


async def test_a_kind_has_names_of_its_own(store: Store) -> None:
    for kind, name in (("a", "corp\0bob"), ("a", "corp\0alice"), ("b", "corp\0carol"), ("a", "corp\0zoë")):
        await store.compare_and_set(kind, name, None, kind.encode())
    assert await store.names("a") == ["corp\0alice", "corp\0bob", "corp\0zoë"]
    assert await store.names("c") == []
    assert await store.get("b", "corp\0alice") is None


async def test_of_fifty_who_move_it_at_once_one_does(store: Store) -> None:
    await store.compare_and_set("k", "alice", None, b"old")
    moves = (store.compare_and_set("k", "alice", b"old", b"%d" % number) for number in range(50))
    assert sum(await asyncio.gather(*moves)) == 1


async def test_what_is_held_is_bounded(store: Store) -> None:
    assert await store.compare_and_set("k", "alice", None, bytes(LARGEST))
    with pytest.raises(ValueError, match="4097 octets are too many"):
        await store.compare_and_set("k", "alice", bytes(LARGEST), bytes(LARGEST + 1))


async def test_a_value_that_ends_is_held_exchanged_and_dropped(store: Store) -> None:
    until = store.now() + 60
    assert await store.get_expiring("k", "alice") is None
    assert await store.compare_and_set_expiring("k", "alice", None, b"one", until)
    assert not await store.compare_and_set_expiring("k", "alice", None, b"two", until)
    assert not await store.compare_and_set_expiring("k", "alice", b"two", b"three", until)
    assert await store.compare_and_set_expiring("k", "alice", b"one", bytes(range(256)), until)
    assert await store.get_expiring("k", "alice") == bytes(range(256))
    assert await store.get_expiring("k2", "alice") is None
    assert await store.get_expiring("k", "bob") is None
    assert not await store.compare_and_set_expiring("k", "alice", b"one", None, until)
    assert not await store.compare_and_set_expiring("k", "alice", None, None, until)
    assert await store.compare_and_set_expiring("k", "alice", bytes(range(256)), None, until)
    assert await store.compare_and_set_expiring("k", "alice", None, None, until)
    assert await store.get_expiring("k", "alice") is None


async def test_a_value_that_has_ended_is_none(store: Store) -> None:
    await store.compare_and_set_expiring("k", "alice", None, b"one", store.now() - 1)
    assert await store.get_expiring("k", "alice") is None
    assert not await store.compare_and_set_expiring("k", "alice", b"one", b"two", store.now() + 60)
    assert await store.compare_and_set_expiring("k", "alice", None, b"two", store.now() + 60)
    assert await store.get_expiring("k", "alice") == b"two"


async def test_of_fifty_who_exchange_it_at_once_one_does(store: Store) -> None:
    await store.compare_and_set_expiring("k", "alice", None, b"old", store.now() + 60)
    moves = (
        store.compare_and_set_expiring("k", "alice", b"old", b"%d" % number, store.now() + 60) for number in range(50)
    )
    assert sum(await asyncio.gather(*moves)) == 1


async def test_a_value_that_ends_is_bounded(store: Store) -> None:
    assert await store.compare_and_set_expiring("k", "alice", None, bytes(LARGEST_PASSING), store.now() + 60)
    with pytest.raises(ValueError, match="16385 octets are too many"):
        await store.compare_and_set_expiring("k", "bob", None, bytes(LARGEST_PASSING + 1), store.now() + 60)
