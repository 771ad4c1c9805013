"""Sessions begin with a sign-in and end by themselves; what forms bring back is sealed."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable

import pytest

from aad.core.identity import User
from aad.core.secret import Secret
from aad.login.signer import OTHER_KEY, UNSIGNED, Signer
from aad.portal.forms import Forms
from aad.portal.sessions import KIND, MARKS, Session, Sessions
from tests.parts.fakes import MemoryStore

ALICE = User(name="Alice", repository="corp", handle="uid=alice")


def sessions_by(store: MemoryStore, key: bytes = b"k" * 32, foreign: Callable[[str, str], None] = print) -> Sessions:
    signer = Signer(Secret(key), store.now, foreign)
    return Sessions(store, signer, secrets.token_bytes, idle=100, lifetime=1000)


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def sessions(store: MemoryStore) -> Sessions:
    return sessions_by(store)


@pytest.fixture
def forms(store: MemoryStore) -> Forms:
    return Forms(store, Secret(b"k" * 32), secrets.token_bytes)


async def test_a_session_is_found_by_its_token_alone(store: MemoryStore, sessions: Sessions) -> None:
    opened = await sessions.open(ALICE)
    found = await sessions.find(opened.token)
    assert found == opened
    assert (found.user, found.repository, found.key) == ("Alice", "corp", "alice")
    assert await sessions.find("") is None
    assert await sessions.find("x" * 44) is None
    (name,) = (name for kind, name in store.passing if kind == KIND)
    assert await sessions.find(name) is None, "who reads the store has no session"
    assert opened.token not in repr(opened)
    assert len(opened.token) >= 43


async def test_it_ends_idle_and_at_all_events(store: MemoryStore, sessions: Sessions) -> None:
    opened = await sessions.open(ALICE)
    for _ in range(11):
        store.time += 90
        assert await sessions.find(opened.token)
    store.time += 9
    assert await sessions.find(opened.token)
    store.time += 1
    assert await sessions.find(opened.token) is None
    opened = await sessions.open(ALICE)
    store.time += 100
    assert await sessions.find(opened.token) is None


async def test_each_sign_in_has_a_token_of_its_own(sessions: Sessions) -> None:
    assert len({(await sessions.open(ALICE)).token for _ in range(5)}) == 5


async def test_one_is_ended_and_the_others_go_on(sessions: Sessions) -> None:
    first, second = await sessions.open(ALICE), await sessions.open(ALICE)
    await sessions.end(first.token)
    await sessions.end(first.token)
    assert await sessions.find(first.token) is None
    assert await sessions.find(second.token)


async def test_to_end_those_of_who_has_none_keeps_nothing(store: MemoryStore, sessions: Sessions) -> None:
    await sessions.end_all(ALICE.repository, ALICE.key)
    assert not store.passing


async def test_all_of_a_user_are_ended_and_nobody_else_s(store: MemoryStore, sessions: Sessions) -> None:
    bob = await sessions.open(User(name="bob", repository="corp", handle=""))
    hers = [await sessions.open(ALICE) for _ in range(2)]
    await sessions.end_all("corp", "alice")
    assert [await sessions.find(each.token) for each in hers] == [None, None]
    assert await sessions.find(bob.token)
    again = await sessions.open(ALICE, second=True, before={"totp": "a", "codes": ""})
    store.time += 50
    after = await sessions.replace_all(again, totp="b")
    assert await sessions.find(again.token) is None
    found = await sessions.find(after.token)
    assert isinstance(found, Session)
    assert found.began == again.began, "it isn't a fresh sign-in"
    assert (found.second, found.before) == (True, {"totp": "a", "codes": ""}), "nor does more prove something in it"
    assert found.own == {"totp": "b"}
    await sessions.enrolled(found, codes="c")
    found = await sessions.find(after.token)
    assert isinstance(found, Session)
    assert found.own == {"totp": "b", "codes": "c"}
    await sessions.end_all("corp", "alice")
    assert await sessions.find(after.token) is None


async def test_a_session_that_was_ended_comes_back_with_no_mark_but_its_own(
    store: MemoryStore, sessions: Sessions
) -> None:
    """Whoever writes to the store reads there which mark the session wants."""
    opened = await sessions.open(ALICE)
    name = (MARKS, "corp\0alice")
    before, until = store.passing[name]
    await sessions.end_all("corp", "alice")
    bare = bytes.fromhex(opened.mark)
    for mark in (None, bare, b"", b"\0" * 8, before[:-8] + bare[::-1], before[:33] + b"\x7f" * 16 + bare):
        store.passing.pop(name, None)
        if mark is not None:
            store.passing[name] = (mark, until)
        assert await sessions.find(opened.token) is None
    store.passing[name] = (b"whatever", until)
    assert await sessions.find((await sessions.open(ALICE)).token), "and sessions begin over whatever stands there"
    store.passing[name] = (before, until)
    assert await sessions.find(opened.token), "this remains: an older mark, signed once, that is brought back"


async def test_the_mark_outlives_every_session(store: MemoryStore, sessions: Sessions) -> None:
    await sessions.end_all("corp", "alice")
    store.time += 900
    opened = await sessions.open(ALICE)
    for _ in range(11):
        store.time += 90
        assert await sessions.find(opened.token)


async def test_who_opens_a_session_ends_none(sessions: Sessions) -> None:
    opened = [await sessions.open(ALICE) for _ in range(3)]
    assert [await sessions.find(each.token) for each in opened] == opened


async def test_a_session_is_its_user_s_times_and_token_s(store: MemoryStore, sessions: Sessions) -> None:
    opened, told = await sessions.open(ALICE), list[tuple[str, str]]()
    name, other = (next(key for key in store.passing if key[0] == KIND)), (KIND, hashlib.sha256(b"mine").hexdigest())
    kept, until = store.passing[name]
    for octets in (kept.replace(b"Alice", b"Hilda"), kept.replace(b"1000.0", b"2000.0"), kept[49:], kept[:-1]):
        assert octets != kept
        store.passing[name] = (octets, until)
        assert await sessions.find(opened.token) is None
    store.passing[other] = store.passing[name] = (kept, until)
    assert await sessions.find("mine") is None
    assert await sessions_by(store, b"o" * 32, lambda *what: told.append(what)).find(opened.token) is None
    assert told == [(KIND, OTHER_KEY)]
    assert await sessions.find(opened.token) == opened
    store.passing[name] = (kept, 1e12)
    store.time += 100
    assert await sessions.find(opened.token) is None


async def test_a_session_of_before_signatures_ends(store: MemoryStore) -> None:
    told: list[tuple[str, str]] = []
    sessions = sessions_by(store, foreign=lambda *what: told.append(what))
    store.passing[KIND, hashlib.sha256(b"old").hexdigest()] = (b'["Alice", "corp", 1000.0, 1000.0, ""]', 2000.0)
    assert await sessions.find("old") is None
    assert told == [(KIND, UNSIGNED)]


async def test_after_another_boot_there_is_none(store: MemoryStore, sessions: Sessions) -> None:
    opened = await sessions.open(ALICE)
    store.time -= 500
    assert await sessions.find(opened.token) is None


def test_a_form_is_ours_only_with_the_token_of_its_browser(forms: Forms) -> None:
    token = forms.token("one")
    assert forms.ours("one", {"csrf": token})
    for bound, form in (("two", {"csrf": token}), ("one", {}), ("one", {"csrf": token[:-1]}), ("", {"csrf": token})):
        assert not forms.ours(bound, form)
    assert not forms.ours("", {"csrf": forms.token("")})
    assert not forms.ours("one", {"csrf": "\N{EURO SIGN}"})


@pytest.mark.parametrize(
    "spoilt",
    [
        lambda text: text[:-4],
        lambda text: ("B" if text[40] == "A" else "A").join([text[:40], text[41:]]),
        lambda _text: "",
        lambda _text: "\N{EURO SIGN}",
        lambda text: text + "!",
    ],
)
def test_what_was_sealed_is_opened_whole_or_not_at_all(forms: Forms, spoilt: Callable[[str], str]) -> None:
    text = forms.sealed("enrol", "one", 60, method="totp")
    opened = forms.opened("enrol", "one", text)
    assert opened
    assert opened["method"] == "totp"
    assert forms.opened("enrol", "one", spoilt(text)) is None


def test_a_seal_is_for_one_form_of_one_browser_and_ends(store: MemoryStore, forms: Forms) -> None:
    text = forms.sealed("enrol", "one", 60, secret="ABCDEF")
    assert "ABCDEF" not in text
    assert forms.opened("codes", "one", text) is None
    assert forms.opened("enrol", "two", text) is None
    assert Forms(store, Secret(b"j" * 32), secrets.token_bytes).opened("enrol", "one", text) is None
    store.time += 60
    assert forms.opened("enrol", "one", text) is None


async def test_a_form_comes_for_the_first_time_once(forms: Forms) -> None:
    texts = [forms.sealed("enrol", "one", 60) for _ in range(2)]
    first, second = (forms.opened("enrol", "one", text) for text in texts)
    assert first
    assert second
    assert [await forms.first(first), await forms.first(first), await forms.first(second)] == [True, False, True]
