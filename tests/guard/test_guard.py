"""Guarded plugins, call by call: what the port allows passes, anything else they do ends the call."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from aad import guard
from aad.config import ConfigError, Plugin
from aad.core.answer import Answer
from aad.core.identity import User
from aad.core.message import Message, Receipt, Template
from aad.core.outcome import Challenge, Failure, Outcome, Success
from aad.core.secret import Secret
from aad.guard import contract, guarded, supervisor
from aad.login.outages import Outages
from aad.ports import (
    AddressRefusedError,
    AmbiguousUserError,
    Deferred,
    Found,
    MisbehavedError,
    Pretends,
    Queueing,
    Taken,
    Tally,
    Unavailable,
    Underway,
    Wiring,
)

ALICE = User(name="alice", repository="it", handle="alice", groups=frozenset({"vpn"}), attributes={"a": ("b",)})
MESSAGE = Message(recipient="a@example.com", masked="a***", template=Template(subject="", text=""), values={})


@dataclass(frozen=True)
class Memo:
    """Numbers and strings."""

    left: int


class Any1:
    """A plugin whose every call does what the test says."""

    proves = "pin"
    Memo = Memo

    def __init__(self, does: Callable[..., Any], _wiring: Wiring) -> None:
        self._does = does

    @property
    def queued(self) -> int:
        return int(self._does("queued"))

    async def find(self, *given: Any) -> Any:
        return await self._does(*given)

    begin = verify = send = take_login = increment = ready = pretend = find

    def usable(self, address: str) -> Any:
        return self._does(address)

    now = foreseen = usable


class Entered(Any1):
    """One that is opened."""

    async def __aenter__(self) -> Any:
        return await self._does("enter")

    async def __aexit__(self, *_: object) -> None:
        await self._does("leave")


class Records(list[tuple[str, dict[str, object]]]):
    """What was written."""

    def __call__(self, name: str, /, **fields: object) -> None:
        self.append((name, fields))


@pytest.fixture
def records() -> Records:
    return Records()


@pytest.fixture
def make(records: Records) -> Callable[..., Any]:
    def made(kind: str, does: Callable[..., Any], cls: Any = Any1) -> Any:
        plugin = Plugin(kind, "it", "odd", does, file=Path("aad.toml"))
        return guard.built(cls, plugin, Wiring(name="it", key=Secret(b"")), "aad-odd 1", Outages(records))

    return made


def says(what: Any) -> Callable[..., Any]:
    async def work(*_: Any) -> Any:
        if isinstance(what, BaseException):
            raise what
        return what

    return work


def challenge(**more: Any) -> Outcome[Any]:
    return Challenge(**{"prompt": "?", "memo": Memo(3), "expires": 1.0, "fresh_until": 1, **more})


def changed(what: Any, **fields: Any) -> Any:
    """Put values into a frozen thing that its types forbid."""
    for name, value in fields.items():
        object.__setattr__(what, name, value)
    return what


RIGHT = [
    ("repositories", "find", Found(ALICE, Success())),
    ("repositories", "find", None),
    ("senders", "send", Receipt(queue_id="4")),
    ("methods", "begin", Success()),
    ("methods", "begin", Failure("no")),
    ("methods", "begin", challenge()),
    ("stores", "take_login", Taken(b"login")),
    ("stores", "take_login", None),
    ("stores", "increment", 3),
    ("methods", "ready", True),
]
WRONG = [
    ("repositories", "find", "alice"),
    ("repositories", "find", ALICE),
    ("repositories", "find", Found(changed(User(name="", repository="it", handle=""), name=None))),
    ("repositories", "find", Found(changed(User(name="a", repository="it", handle=""), groups=["vpn"]))),
    ("repositories", "find", Found(changed(User(name="a", repository="it", handle=""), attributes={"a": "b"}))),
    ("repositories", "find", Found(changed(User(name="a", repository="it", handle=""), addresses=("a", 3)))),
    ("repositories", "find", Found(User(name="a", repository="another's", handle=""))),
    ("repositories", "find", changed(Found(ALICE), proof=True)),
    ("senders", "send", None),
    ("senders", "send", "4"),
    ("methods", "begin", True),
    ("methods", "begin", Success),
    ("methods", "begin", changed(Failure(""), reason=None)),
    ("methods", "begin", challenge(prompt=b"?")),
    ("methods", "begin", challenge(expires=float("nan"))),
    ("methods", "begin", challenge(expires="soon")),
    ("methods", "begin", challenge(wrong=1)),
    ("methods", "begin", challenge(memo=None)),
    ("methods", "begin", challenge(memo=changed(Memo(1), left=b"1"))),
    ("stores", "take_login", b"login"),
    ("stores", "take_login", Taken("login")),  # type: ignore[arg-type]
    ("stores", "increment", True),
    ("methods", "ready", 1),
]
SOON = 0.2


def given(name: str, seconds: float = SOON) -> tuple[Any, ...]:
    """Return arguments with a deadline where the port has it."""
    deadline = time.monotonic() + seconds
    return {
        "find": ("alice", None, None, deadline),
        "send": (MESSAGE, deadline),
        "begin": (None, None, 0.0, deadline),
        "verify": (None, Memo(1), Answer, 0.0, deadline),
        "take_login": (b"",),
        "increment": (Tally(kind="", scope="", name="", count=0, until=0.0), 1),
        "ready": (ALICE,),
    }[name]


@pytest.mark.parametrize(("kind", "name", "said"), RIGHT)
async def test_what_the_port_says_passes(make: Callable[..., Any], kind: str, name: str, said: Any) -> None:
    assert await getattr(make(kind, says(said)), name)(*given(name)) is said


@pytest.mark.parametrize(("kind", "name", "said"), WRONG)
async def test_what_it_does_not_say_is_the_call_s_end(
    make: Callable[..., Any], records: Records, kind: str, name: str, said: Any
) -> None:
    with (
        pytest.raises(MisbehavedError, match=f'it, "odd" of aad-odd 1: {name} returned')
        if kind != "stores"
        else (pytest.raises(MisbehavedError, match=f'store, "odd" of aad-odd 1: {name} returned'))
    ):
        await getattr(make(kind, says(said)), name)(*given(name))
    assert [name for name, _ in records] == ["plugin.misbehaved"]


@pytest.mark.parametrize(
    ("kind", "name", "error"),
    [
        ("repositories", "find", AmbiguousUserError()),
        ("repositories", "find", Unavailable("away", where="repository it")),
        ("senders", "send", AddressRefusedError("no")),
        ("senders", "send", Deferred("later")),
        ("stores", "take_login", Unavailable("full")),
    ],
)
async def test_an_exception_that_the_port_names_passes(
    make: Callable[..., Any], records: Records, kind: str, name: str, error: Exception
) -> None:
    with pytest.raises(type(error)) as raised:
        await getattr(make(kind, says(error)), name)(*given(name))
    assert raised.value is error
    assert not records


@pytest.mark.parametrize(
    "error",
    [
        KeyError("hunter2"),
        SystemExit(3),
        KeyboardInterrupt(),
        asyncio.CancelledError(),
        AmbiguousUserError(),
        GeneratorExit(),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_any_other_is_the_call_s_end_and_its_text_is_not_written(
    make: Callable[..., Any], records: Records, error: BaseException
) -> None:
    with pytest.raises(MisbehavedError, match=type(error).__name__) as raised:
        await make("senders", says(error)).send(*given("send"))
    assert "hunter2" not in raised.value.what + repr(records)


async def test_words_of_an_exception_that_can_not_be_read_are_the_call_s_end_too(make: Callable[..., Any]) -> None:
    for error in (Unavailable(None), Deferred("no", where=3), Unavailable("no", facts=("mail.sent",))):  # type: ignore[arg-type]
        with pytest.raises(MisbehavedError, match="without words"):
            await make("senders", says(error)).send(*given("send"))


async def test_a_sender_that_is_late_may_still_have_sent(make: Callable[..., Any]) -> None:
    never = asyncio.Event()
    began = time.monotonic()
    with pytest.raises(Underway, match="was not back in time"):
        await make("senders", lambda *_: never.wait()).send(*given("send"))
    assert time.monotonic() - began >= SOON


async def test_who_is_cancelled_has_a_moment_to_withdraw(make: Callable[..., Any]) -> None:
    withdrawn, begun = list[str](), asyncio.Event()

    async def sends(*_: Any) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            withdrawn.append("it")

    sending = asyncio.ensure_future(make("senders", sends).send(*given("send", 60)))
    await begun.wait()
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    assert withdrawn == ["it"]


async def test_calls_that_never_end_are_so_many_at_most(
    make: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "LEFT_BEHIND", 3)
    ends = asyncio.Event()

    async def clings(*_: Any) -> Any:
        while not ends.is_set():
            with suppress(asyncio.CancelledError):
                await ends.wait()
        return Success()

    method = make("methods", clings)
    for _ in range(3):
        with pytest.raises(MisbehavedError, match="not back in time"):
            await method.begin(*given("begin", 0.01))
    with pytest.raises(MisbehavedError, match="isn't called: 3 calls before never ended"):
        await method.begin(*given("begin"))
    ends.set()
    await asyncio.sleep(0.01)
    assert await method.begin(*given("begin")) == Success(), "they have ended"


class Later:
    """A message that is under way."""

    def __init__(self, does: Callable[..., Any]) -> None:
        self.receipt: Any = does
        self.withdraw: Any = lambda: "perhaps"


async def test_a_message_that_goes_on_is_held_to_its_contract_too(
    make: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def later(does: Callable[..., Any]) -> Any:
        with pytest.raises(Underway, match="still") as raised:
            await make("senders", says(Underway("still", Later(does)))).send(*given("send"))
        return raised.value.later

    assert await (await later(says(Receipt(queue_id="9")))).receipt() == Receipt(queue_id="9")
    with pytest.raises(AddressRefusedError):
        await (await later(says(AddressRefusedError("no")))).receipt()
    with pytest.raises(MisbehavedError, match="raised SystemExit"):
        await (await later(says(SystemExit()))).receipt()
    with pytest.raises(MisbehavedError, match="withdraw returned str"):
        (await later(says(None))).withdraw()
    contract.calls.cache_clear()
    monkeypatch.setattr(contract, "_SECONDS", {"receipt": 0.01})
    with pytest.raises(Underway, match="receipt was not back in time"):
        await (await later(lambda: asyncio.Event().wait())).receipt()
    contract.calls.cache_clear()


async def test_calls_that_do_not_wait_are_held_too(make: Callable[..., Any]) -> None:
    def exits(*_: Any) -> Any:
        raise SystemExit

    assert make("senders", lambda _: True).usable("a") is True
    assert make("methods", lambda *_: None).foreseen(None) is None
    for kind, name in (("senders", "usable"), ("stores", "now"), ("methods", "foreseen")):
        with pytest.raises(MisbehavedError, match=f"{name} raised SystemExit in exits"):
            getattr(make(kind, exits), name)("a")
        with pytest.raises(MisbehavedError, match=f"{name} returned str"):
            getattr(make(kind, lambda _: "yes"), name)("a")
    with pytest.raises(MisbehavedError, match="queued raised SystemExit"):
        _ = make("senders", exits).queued
    assert make("methods", exits).proves == "pin"
    assert not hasattr(make("methods", exits), "asks_repository")


async def test_optional_abilities_are_seen_and_held(make: Callable[..., Any]) -> None:
    async def lies(*_: Any) -> str:
        return "done"

    repository = make("repositories", lies)
    assert isinstance(repository, Pretends)
    with pytest.raises(MisbehavedError, match="pretend returned str"):
        await repository.pretend(ALICE, time.monotonic() + 9)
    sender = make("senders", lambda _: 3)
    assert isinstance(sender, Queueing)
    # As isinstance looks for an ability from Python 3.12 on.
    assert isinstance(inspect.getattr_static(sender, "queued"), property)
    assert sender.queued == 3


def test_one_that_can_not_be_made_is_a_fault_of_the_configuration(make: Callable[..., Any]) -> None:
    def exits(*_: object) -> Any:
        raise SystemExit

    with pytest.raises(
        ConfigError, match=r'^aad.toml: senders.it: "odd" of aad-odd 1 can\'t be made: SystemExit in exits'
    ):
        make("senders", None, exits)
    with pytest.raises(ConfigError, match=r"^aad.toml: store: "):
        make("stores", None, exits)


@pytest.mark.parametrize(
    ("enters", "why"),
    [
        (says(SystemExit()), "__aenter__ raised SystemExit"),
        (says(None), "__aenter__ returned NoneType, which has no usable; should return the plugin"),
        (lambda *_: None, "__aenter__ raised TypeError"),
        (lambda *_: asyncio.Event().wait(), "__aenter__ was not back in time"),
    ],
)
async def test_one_that_can_not_be_opened_is_one_too(
    make: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, enters: Callable[..., Any], why: str
) -> None:
    monkeypatch.setattr(guarded, "OPENING", 0.05)
    with pytest.raises(ConfigError) as raised:
        await make("senders", enters, Entered).__aenter__()
    assert f'"odd" of aad-odd 1 can\'t be opened: {why}' in str(raised.value)
    with pytest.raises(Unavailable, match="no server"):  # its own words
        await make("senders", says(Unavailable("no server")), Entered).__aenter__()


async def test_whatever_becomes_of_leaving_it_the_others_are_left(make: Callable[..., Any], records: Records) -> None:
    for number, leaves in enumerate((says(SystemExit()), says(Unavailable("no server")), says(KeyError()))):
        await make("senders", leaves, Entered).__aexit__(None, None, None)
        assert len(records) == number + 1
    assert not hasattr(make("senders", says(None)), "__aenter__"), "one that has nothing to open"


async def test_the_same_is_written_once_and_what_blocks_too(make: Callable[..., Any], records: Records) -> None:
    def blocks(_: str) -> bool:
        time.sleep(supervisor.BLOCKED + 0.05)
        return True

    async def blocks_for_a_while(*_: Any) -> Success:
        await asyncio.sleep(0)
        blocks("")
        await asyncio.sleep(0)
        return Success()

    sender = make("senders", blocks)
    for _ in range(2):
        assert sender.usable("a")
    method = make("methods", blocks_for_a_while)
    assert await method.begin(*given("begin", 60)) == Success()
    assert [(name, fields["plugin"]) for name, fields in records] == [
        ("plugin.blocked", "sender it"),
        ("plugin.blocked", "method it"),
    ]
    records.clear()
    broken = make("methods", says(3))
    for _ in range(3):
        with pytest.raises(MisbehavedError):
            await broken.begin(*given("begin"))
    assert len(records) == 1
