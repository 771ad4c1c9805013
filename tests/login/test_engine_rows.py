"""Rows of failures in the engine: which guess counts in which, and that nothing gets past a locked one."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aad.core.answer import Answer, Plain
from aad.core.conversation import Accepted, Login, Rejected
from aad.core.identity import Attempt, User
from aad.core.outcome import Failure, Outcome, Reason, Success
from aad.core.policy import Chain, Event
from aad.core.row import Kind, Rules
from aad.core.secret import Secret
from aad.core.settings import Duration, Rate
from aad.login.engine import Asked, Reply
from aad.login.pending import Places
from aad.methods.any_password import AnyPassword, AnyPasswordSettings
from aad.methods.email_otp import EmailOtpSettings
from aad.ports import Method, RowRule, Taken, Unavailable
from tests.parts.fakes import App, MemoryRepository, MemoryStore, World, attempt

LOCKED = Rejected(Reason.LOCKED_CODES)
TWO = (Chain("both", ("password", "email_otp")),)


class CountingApp(App):
    """Counts how many codes were compared."""

    def __init__(self) -> None:
        self.compared = 0

    async def verify(self, login: Login, memo: Any, answer: Answer, now: float, deadline: float) -> Outcome[Any]:
        self.compared += 1
        await asyncio.sleep(0)  # others go on meanwhile
        return await super().verify(login, memo, answer, now, deadline)


def world(*chains: Chain, **given: Any) -> World:
    there = World(chains=chains or TWO, **given)
    there.engine.methods["app"] = CountingApp()  # type: ignore[index]  # a dict, here
    return there


def compared(there: World) -> int:
    app = there.engine.methods["app"]
    assert isinstance(app, CountingApp)
    return app.compared


async def asked(there: World, **given: Any) -> Asked:
    reply = await there.engine.begin(attempt(**given))
    assert isinstance(reply, Asked), reply
    return reply


async def fail(there: World, times: int = 3) -> None:
    """Give wrong codes after the right password."""
    for _ in range(times):
        ticket = (await asked(there)).ticket
        await there.engine.answer(ticket, attempt("000"))


class SlowRepository(MemoryRepository):
    """Its passwords take time: it notes for whom it took that time and checked nothing."""

    def __init__(self, users: dict[str, tuple[User, bytes]]) -> None:
        super().__init__(users)
        self.pretended: list[str] = []

    async def pretend(self, user: User, deadline: float) -> None:
        assert deadline
        self.pretended.append(user.name)


async def test_a_password_that_is_not_checked_takes_as_long_as_one_that_is() -> None:
    there = world()
    slow = there.engine.identify.repositories["corp"] = SlowRepository(there.repository.users)  # type: ignore[index]
    for typed in ("wrong", "wrong", "other", "more", "right"):
        await there.engine.begin(attempt(typed))
    assert there.reasons("login.rejected") == [
        Reason.WRONG_PASSWORD,
        Reason.WRONG_PASSWORD_AGAIN,
        Reason.WRONG_PASSWORD,
        Reason.WRONG_PASSWORD,
        Reason.LOCKED,
    ]
    assert (slow.binds, slow.pretended) == (3, ["alice"] * 2)


async def test_every_wrong_code_counts_and_the_third_locks() -> None:
    there = world()
    await fail(there)
    assert there.store.failures() == {("codes", "alice"): 3}
    assert [fields["row"] for name, fields in there.records if name == "user.locked"] == ["codes"]


async def test_a_locked_row_refuses_the_right_code_on_a_challenge_of_before_and_lets_it_wait() -> None:
    there = world(settings=EmailOtpSettings(senders=("mail",), attempts=10, period=Duration(86400.0)))
    kept = await asked(there)
    code = there.sender.code
    there.store.time += 31
    for _ in range(3):
        kept_other = await asked(there)
        await there.engine.answer(kept_other.ticket, attempt("000"))
    assert await there.engine.answer(kept.ticket, attempt(code)) == LOCKED
    there.store.time += 300
    assert isinstance(await there.engine.answer(kept.ticket, attempt(code)), Accepted)
    assert not there.store.failures()


async def test_a_locked_row_of_codes_refuses_a_begin_after_its_password_and_before_any_mail() -> None:
    there = world()
    await fail(there)
    mails, binds = len(there.sender.messages), there.repository.binds
    assert await there.engine.begin(attempt()) == LOCKED
    assert (len(there.sender.messages), there.repository.binds) == (mails, binds + 1)
    assert await there.engine.begin(attempt("wrong")) == Rejected(Reason.WRONG_PASSWORD)


async def test_a_locked_row_of_codes_leaves_a_password_alone() -> None:
    there = world()
    await fail(there)
    alone = Event("sudo", ("corp",), (Chain("alone", ("password",)),))
    there.engine.identify.events["sudo"] = alone  # type: ignore[index]
    assert isinstance(await there.engine.begin(attempt(event="sudo")), Accepted)
    assert there.store.failures() == {("codes", "alice"): 3}, "an accept by password alone ends no row"


async def test_each_further_lock_lasts_twice_as_long_and_a_right_code_ends_the_row() -> None:
    there = world()
    for period in (300.0, 600.0, 1200.0):
        await fail(there)
        there.store.time += period - 0.5
        assert await there.engine.begin(attempt()) == LOCKED
        there.store.time += 1
    reply = await asked(there)
    assert isinstance(await there.engine.answer(reply.ticket, attempt(there.sender.code)), Accepted)
    await fail(there)
    there.store.time += 300.5
    await asked(there)


async def test_after_so_many_only_an_unlock_helps() -> None:
    there = world(rules=Rules(attempts=3, for_good=7))
    for _ in range(2):
        await fail(there)
        there.store.time += 86_400
    await fail(there, times=1)
    there.store.time += 1000 * 86_400
    assert await there.engine.begin(attempt()) == LOCKED
    assert await there.engine.lockout.unlock(["corp"], "alice")
    await asked(there)


async def test_codes_before_a_password_are_a_row_of_their_own() -> None:
    there = world(Chain("code first", ("app", "password")))
    for _ in range(3):
        await there.engine.answer((await asked(there, typed="")).ticket, attempt("000000"))
    assert there.store.failures() == {("unproven codes", "alice"): 3}
    assert await there.engine.begin(attempt("")) == Rejected(Reason.LOCKED_UNPROVEN)
    there.engine.identify.events["vpn"] = Event("vpn", ("corp",), TWO)  # type: ignore[index]
    reply = await asked(there)
    assert isinstance(await there.engine.answer(reply.ticket, attempt(there.sender.code)), Accepted)


async def test_a_password_that_is_asked_for_counts_in_the_row_of_passwords() -> None:
    there = world(Chain("code first", ("app", "password")))
    for number in range(3):
        second = await there.engine.answer((await asked(there, typed="")).ticket, attempt("424242"))
        assert isinstance(second, Asked)
        reply = await there.engine.answer(second.ticket, attempt(f"wrong {number}"))
        assert reply == Rejected(Reason.WRONG_PASSWORD)
    assert there.store.failures() == {("passwords", "alice"): 3}
    second = await there.engine.answer((await asked(there, typed="")).ticket, attempt("424242"))
    assert isinstance(second, Asked)
    assert await there.engine.answer(second.ticket, attempt("right")) == Rejected(Reason.LOCKED)
    assert there.repository.binds == 3


async def test_the_same_wrong_password_costs_no_bind_under_whatever_name() -> None:
    there = world()
    for name in ("alice", "alias", "alice", "alias"):
        await there.engine.begin(attempt("wrong", name=name))
    assert there.repository.binds == 1
    assert there.store.failures() == {("passwords", "alice"): 1}
    assert there.reasons("login.rejected")[1:] == [Reason.WRONG_PASSWORD_AGAIN] * 3


async def test_forty_answers_to_forty_challenges_at_once_are_three_compared() -> None:
    there = world(Chain("app", ("password", "app")), rules=Rules(attempts=3))
    there.engine.pending._places = Places(most=100, of_a_user=40, decoys_last=120.0)
    tickets = []
    for number in range(40):
        reply = await there.engine.begin(replace(attempt(), client=f"gateway {number}"))
        assert isinstance(reply, Asked)
        tickets.append((reply.ticket, f"gateway {number}"))
    replies = await asyncio.gather(
        *(there.engine.answer(ticket, attempt("000000", client=gateway)) for ticket, gateway in tickets)
    )
    assert compared(there) == 3
    assert replies.count(LOCKED) == 37
    assert await there.engine.answer(tickets[-1][0], attempt("424242", client="gateway 39")) == LOCKED


class Optimistic(MemoryStore):
    """Looks at a row, and takes only afterwards, as a store over a network does."""

    async def take_login(self, ticket: bytes, count: RowRule | None = None) -> Taken | None:
        if count and (kept := self.logins.get(ticket)) and kept.row:
            count(kept.row, await self.get_expiring("row", kept.row))
            await asyncio.sleep(0)
        return await super().take_login(ticket, count)


async def test_who_comes_too_late_for_a_challenge_takes_back_nobodys_guess() -> None:
    class Slow(World):
        def new_store(self) -> MemoryStore:
            return Optimistic()

    there = Slow(chains=(Chain("app", ("password", "app")),))
    ticket = (await asked(there)).ticket
    replies = await asyncio.gather(*(there.engine.answer(ticket, attempt("000000")) for _ in range(3)))
    assert replies.count(Rejected(Reason.STATE_UNKNOWN)) == 2
    assert there.store.failures() == {("codes", "alice"): 1}


async def test_one_event_holds_as_many_challenges_as_attempts_and_the_oldest_goes() -> None:
    there = world(Chain("app", ("password", "app")))
    tickets = []
    for number in range(5):
        reply = await there.engine.begin(attempt(client=f"gateway {number}"))
        assert isinstance(reply, Asked)
        tickets.append(reply.ticket)
    assert list(there.store.logins) == tickets[2:]
    gone = await there.engine.answer(tickets[0], attempt("424242", client="gateway 0"))
    assert gone == Rejected(Reason.STATE_UNKNOWN)
    assert isinstance(await there.engine.begin(attempt(name="bob")), Asked)


async def test_without_proof_nobody_displaces_who_has_one() -> None:
    there = world()
    there.engine.identify.events["vpn"] = Event(  # type: ignore[index]
        "vpn", ("corp",), (Chain("app", ("app",), clients=frozenset({"kiosk"})), Chain("both", ("password", "app")))
    )
    kept = [await there.engine.begin(attempt(client=f"gateway {number}")) for number in range(3)]
    reply = await there.engine.begin(attempt("", client="kiosk"))
    assert reply == Rejected(Reason.TOO_MANY_CHALLENGES)
    assert list(there.store.logins) == [each.ticket for each in kept if isinstance(each, Asked)]


async def test_a_test_of_a_method_counts_as_after_a_password_and_ends_no_row() -> None:
    there = world()
    there.engine.identify.events["test of app"] = Event(  # type: ignore[index]
        "test of app", ("corp",), (Chain("app", ("app",)),), test=True
    )
    tested = await there.engine.begin(attempt("", event="test of app"))
    assert isinstance(tested, Asked)
    await there.engine.answer(tested.ticket, attempt("000000", event="test of app"))
    assert there.store.failures() == {("codes", "alice"): 1}
    again = await there.engine.begin(attempt("", event="test of app"))
    assert isinstance(again, Asked)
    assert isinstance(await there.engine.answer(again.ticket, attempt("424242", event="test of app")), Accepted)
    assert there.store.failures() == {("codes", "alice"): 1}


async def test_an_answer_under_another_name_of_the_same_user_is_the_users() -> None:
    there = world()
    reply = await asked(there)
    assert isinstance(await there.engine.begin(attempt(name="alias")), Asked)
    assert len(there.sender.messages) == 1
    answered = await there.engine.answer(reply.ticket, attempt(there.sender.code, name="alias"))
    assert isinstance(answered, Accepted)


async def test_a_code_that_could_not_be_compared_is_no_guess() -> None:
    there = world()
    reply = await asked(there)
    method = there.engine.methods["email_otp"]
    verify = method.verify

    async def broken(*_: object) -> None:
        what = "down"
        raise Unavailable(what, where="store")

    method.verify = broken  # type: ignore[method-assign, assignment]
    for _ in range(5):
        with pytest.raises(Unavailable):
            await there.engine.answer(reply.ticket, attempt("000"))
    method.verify = verify  # type: ignore[method-assign]
    assert not there.store.failures()
    assert isinstance(await there.engine.answer(reply.ticket, attempt(there.sender.code)), Accepted)


async def test_who_is_cut_off_amid_a_comparison_has_guessed() -> None:
    there = world(Chain("app", ("password", "app")))
    reply = await asked(there)
    gate = asyncio.Event()

    async def slow(*_: object) -> None:
        await gate.wait()

    there.engine.methods["app"].verify = slow  # type: ignore[method-assign, assignment]
    task = asyncio.create_task(there.engine.answer(reply.ticket, attempt("000000")))
    await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert there.store.failures() == {("codes", "alice"): 1}


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["begin", "wrong password", "one field", "wrong code", "right code", "empty", "test", "sudo"]),
        st.sampled_from([0.0, 1.0, 35.0, 299.0, 601.0, 90_000.0]),
        st.sampled_from(["alice", "alias"]),
        st.integers(0, 3),
    ),
    max_size=40,
)


@dataclass
class Walk:
    """Gives steps to an engine, and keeps its own account of what may be accepted."""

    there: World = field(default_factory=lambda: world(Chain("app", ("password", "app"))))
    tickets: list[tuple[bytes, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        events: Any = self.there.engine.identify.events
        events["sudo"] = Event("sudo", ("corp",), (Chain("alone", ("password",)),))
        events["test"] = Event("test", ("corp",), (Chain("app", ("app",)),), test=True)

    async def locked(self, kind: Kind) -> bool:
        lockout = self.there.engine.lockout
        user = self.there.repository.users["alice"][0]
        return lockout.locked(await lockout.row(kind, user))

    async def go(self, what: str, name: str, number: int) -> None:
        code = Plain(Secret("424242" if what in {"right code", "one field"} else "999999"))
        before = {kind: await self.locked(kind) for kind in Kind}
        count = compared(self.there)
        if what in {"wrong code", "right code", "empty"} and self.tickets:
            ticket, event = self.tickets.pop(number % len(self.tickets))
            given = Attempt(event=event, client="gw", name=name, answer=code, deadline=1e12)
            reply = await self.there.engine.answer(ticket, given if what != "empty" else attempt("", name, event=event))
            assert not isinstance(reply, Accepted) or what == "right code"
            assert not isinstance(reply, Accepted) or not before[Kind.CODES], "no accept follows a locked row"
            assert not before[Kind.CODES] or compared(self.there) == count or what == "empty"
        else:
            event = what if what in {"test", "sudo"} else "vpn"
            typed = {"wrong password": f"wrong {number}", "test": ""}.get(what, "right")
            given = replace(attempt(typed, name, event=event), appended_code=code if what == "one field" else None)
            reply = await self.there.engine.begin(given)
            self.judge_begun(reply, what, before)
        if isinstance(reply, Asked):
            self.tickets.append((reply.ticket, event))

    def judge_begun(self, reply: Reply, what: str, before: dict[Kind, bool]) -> None:
        if isinstance(reply, Accepted):
            assert what in {"one field", "sudo"}
            assert not before[Kind.PASSWORDS]
            assert what == "sudo" or not before[Kind.CODES]
        if isinstance(reply, Asked) and what != "sudo":
            assert not before[Kind.CODES], "no code is asked for by a locked row"


@settings(max_examples=150, deadline=None)
@given(STEPS)
def test_no_accept_follows_a_locked_row_whatever_happens(steps: list[tuple[str, float, str, int]]) -> None:
    async def walk() -> None:
        walked = Walk()
        for what, passes, name, number in steps:
            walked.there.store.time += passes
            await walked.go(what, name, number)

    asyncio.run(walk())


FIRST = Chain("code first", ("email_otp", "password"))


async def test_what_a_stranger_types_mails_once_until_it_may_be_sent_again() -> None:
    there = world(FIRST)
    replies = [await there.engine.begin(attempt(f"typed {number}")) for number in range(11)]
    assert len({reply.ticket for reply in replies if isinstance(reply, Asked)}) == 1
    assert len(there.sender.messages) == 1
    other = await there.engine.begin(attempt("typed", client="another gateway"))
    assert other == Rejected(Reason.MAIL_LIMIT), "another client's challenge serves nobody here, and no mail may go"
    there.store.time += 31
    await there.engine.begin(attempt("typed", client="another gateway"))
    assert len(there.sender.messages) == 2


async def test_mails_before_a_proof_use_up_no_budget_of_others() -> None:
    there = world(FIRST, per_user=Rate(2, 600.0))
    there.engine.identify.events["wifi"] = Event("wifi", ("corp",), TWO)  # type: ignore[index]
    for _ in range(4):
        await there.engine.begin(attempt("typed"))
        there.store.time += 31
    assert len(there.sender.messages) == 2
    for _ in range(2):
        assert isinstance(await there.engine.begin(attempt(event="wifi")), Asked)
        there.store.time += 31
    assert await there.engine.begin(attempt(event="wifi")) == Rejected(Reason.MAIL_LIMIT)


async def test_an_outage_of_the_store_while_a_password_is_counted_is_the_stores_and_costs_no_bind() -> None:
    there = world()
    change = there.store.update_expiring

    async def away(*_: object) -> None:
        what = "down"
        raise Unavailable(what, where="store")

    there.store.update_expiring = away  # type: ignore[method-assign, assignment]
    with pytest.raises(Unavailable) as caught:
        await there.engine.begin(attempt())
    assert caught.value.where == "store"
    assert there.repository.binds == 0
    assert [name for name in there.names() if name.endswith(".down")] == ["store.down"]
    there.store.update_expiring = change  # type: ignore[method-assign]
    await asked(there)


class Elsewhere(AnyPassword):
    """A password that another server checks."""

    Settings: ClassVar[type] = AnyPasswordSettings

    async def checked(self, login: Login, password: Secret, deadline: float) -> Success | Failure:  # noqa: ARG002
        return Success() if password == Secret("of another server") else Failure(Reason.WRONG_PASSWORD)


async def test_a_password_that_is_wrong_for_one_method_is_asked_of_another() -> None:
    there = World()
    methods: dict[str, Method[Any]] = there.engine.methods  # type: ignore[assignment]
    methods["elsewhere"] = Elsewhere(AnyPasswordSettings())
    chains = {"wifi": ("elsewhere", "email_otp"), "door": ("app", "elsewhere")}
    for name, chain in chains.items():
        there.engine.identify.events[name] = Event(name, ("corp",), (Chain(name, chain),))  # type: ignore[index]
    assert isinstance(await there.engine.begin(attempt("of another server")), Rejected)
    assert isinstance(await there.engine.begin(attempt("of another server", event="wifi")), Asked)
    app = await there.engine.begin(attempt("", event="door"))
    assert isinstance(app, Asked)
    typed = await there.engine.answer(app.ticket, attempt("424242", event="door"))
    assert isinstance(typed, Asked)
    assert isinstance(await there.engine.answer(typed.ticket, attempt("right", event="door")), Rejected)
    assert isinstance(await there.engine.begin(attempt("right")), Asked)
