"""The vault: a value can be opened for the user it was sealed for, in this installation, and nowhere else."""

from __future__ import annotations

import secrets
from dataclasses import replace

import pytest

from aad.core.secret import Secret
from aad.enrolment.vault import Vault
from aad.ports import ForeignSealError
from aad.ports import Vault as Port
from tests.parts.fakes import KEY, MemoryStore, user

ALICE, BOB = user("Alice"), user("bob")
VALUE = Secret(b"a value that is read by no one")


def vault(store: MemoryStore, key: Secret = KEY, method: str = "totp") -> Vault:
    return Vault(store, key, method, secrets.token_bytes)


async def test_it_is_found_whatever_the_spelling_and_moved_once() -> None:
    there: Port = vault(MemoryStore())
    assert await there.find(ALICE) is None
    assert await there.swap(ALICE, None, VALUE)
    assert not await there.swap(ALICE, None, VALUE)
    held = await there.find(replace(ALICE, name="ALICE"))
    assert held is not None
    assert held.value == VALUE
    assert await there.swap(ALICE, held, Secret(b"next"))
    assert not await there.swap(ALICE, held, Secret(b"next")), "the same value is sealed again"
    assert await there.find(BOB) is None


async def test_a_copy_of_the_store_gives_nothing_without_the_key() -> None:
    store = MemoryStore()
    await vault(store).swap(ALICE, None, VALUE)
    (kept,) = store.held.values()
    assert VALUE.reveal() not in kept
    with pytest.raises(ForeignSealError):
        await vault(store, Secret(b"another installation's key, 32 o")).find(ALICE)


async def test_what_is_moved_to_somebody_else_does_not_open() -> None:
    store = MemoryStore()
    await vault(store).swap(ALICE, None, VALUE)
    (((kind, name), kept),) = store.held.items()
    assert name == "corp\0alice"
    for place in ((kind, "corp\0bob"), (kind, "other\0alice"), ("method hotp", name)):
        store.held[place] = kept
    for method, whose in (("totp", BOB), ("totp", replace(ALICE, repository="other")), ("hotp", ALICE)):
        with pytest.raises(ForeignSealError):
            await vault(store, method=method).find(whose)


async def test_who_is_in_it_and_out_of_it() -> None:
    store = MemoryStore()
    for who in (BOB, ALICE):
        await vault(store).swap(who, None, VALUE)
    assert await vault(store).users() == [("corp", "alice"), ("corp", "bob")]
    assert await vault(store, Secret(b"another installation's key, 32 o")).remove("corp", "alice")
    assert not await vault(store).remove("corp", "alice")
    assert await vault(store, method="hotp").users() == []
    held = await vault(store).find(BOB)
    assert await vault(store).swap(BOB, held, None)
    assert await vault(store).users() == []
