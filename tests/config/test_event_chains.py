"""What is said of chains that ask less, held against whom the policy really asks for what."""

from __future__ import annotations

from collections.abc import Coroutine, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain as chained
from itertools import combinations, product
from typing import Any, TypeVar

from hypothesis import given
from hypothesis import strategies as st

from aad.config import strength
from aad.config.event_chains import EventChains
from aad.config.sections import Chain, Event
from aad.core import policy
from aad.core.answer import NOTHING
from aad.core.conversation import Running
from aad.core.identity import Attempt, User
from aad.core.strength import Trait, asks_less
from aad.core.user_address import read
from aad.login.identify import asked_of
from aad.methods.email_otp import EmailOtp
from aad.methods.file_password import FilePassword
from aad.methods.password import Password
from aad.methods.totp import Totp
from tests.parts.values import login

T = TypeVar("T")
TRAITS = {
    "password": Trait(proves="password", thing="the repository's"),
    "mail": Trait(proves="code", thing="sent", sends=True),
    "app": Trait(proves="code", thing="app", enrolled=True),
    "fob": Trait(proves="code", thing="fob", enrolled=True),
}
ROOM = "10.1.0.0/16"
NETWORKS = ("10.0.0.0/8", ROOM, "192.168.0.0/16")
ADDRESSES = ("", "10.1.2.3", "10.9.9.9", "192.168.0.1", "203.0.113.1")
GROUPS, CLIENTS = ("staff", "admins"), ("gw", "shop")
CALLERS = dict.fromkeys(CLIENTS).keys()


def some(of: tuple[str, ...], least: int = 0) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(of), unique=True, min_size=least, max_size=2).map(tuple)


a_chain = st.builds(
    Chain, methods=some(tuple(TRAITS), 1), groups=some(GROUPS), networks=some(NETWORKS), clients=some(CLIENTS)
)
an_event = st.lists(a_chain, min_size=2, max_size=4).map(lambda found: {str(n): each for n, each in enumerate(found)})


@dataclass(frozen=True)
class Known:
    """What is known of one user."""

    groups: frozenset[str]
    address: str
    enrolled: frozenset[str]

    def less(self) -> Iterator[Known]:
        """Return the same user, less of whom is known."""
        for groups, address, enrolled in product(parts(self.groups), {self.address, ""}, parts(self.enrolled)):
            yield Known(groups, address, enrolled)


def parts(of: frozenset[str] | tuple[str, ...]) -> list[frozenset[str]]:
    sizes = range(len(of) + 1)
    return [frozenset(each) for each in chained.from_iterable(combinations(sorted(of), size) for size in sizes)]


EVERYBODY = [Known(*each) for each in product(parts(GROUPS), ADDRESSES, parts(("app", "fob")))]


@dataclass(frozen=True)
class Enrolled:
    who: Known
    name: str

    async def ready(self, _user: User) -> bool:
        return self.name in self.who.enrolled


def event_of(chains: Mapping[str, Chain], *, choose: bool = False) -> tuple[policy.Event, EventChains]:
    made = tuple(
        policy.Chain(
            name,
            one.methods,
            frozenset(one.groups),
            one.short_name,
            clients=frozenset(one.clients),
            networks=one.networks,
        )
        for name, one in chains.items()
    )
    settings = Event(chains=tuple(chains), choose=choose)
    return policy.Event("vpn", ("corp",), made, choose=choose), EventChains("vpn", settings, chains, CALLERS, TRAITS)


def done(asking: Coroutine[Any, Any, T]) -> T:
    """Return what a coroutine comes to that waits for nothing; a loop for each would take minutes."""
    try:
        asking.send(None)
    except StopIteration as stop:
        result: T = stop.value
        return result
    raise AssertionError


def fitting(event: policy.Event, who: Known, client: str, wanted: str = "") -> tuple[policy.Chain, ...]:
    """Return the chain that a user is asked, with those that may be picked instead."""
    user = User(name="alice", repository="corp", handle="", groups=who.groups)
    attempt = Attempt(
        event="vpn", client=client, name="alice", answer=NOTHING, deadline=0, user_address=read(who.address)
    )
    methods = {name: Enrolled(who, name) for name, each in TRAITS.items() if each.enrolled}
    return done(asked_of(methods, user, event.chains_for(user, attempt, wanted), choose=event.choose))


def asked(event: policy.Event, who: Known, client: str, wanted: str = "") -> str:
    """Return the chain by which a user can get in; empty: none."""
    found = fitting(event, who, client, wanted)
    return found[0].name if found and able(event, found[0].name, who) else ""


def able(event: policy.Event, name: str, who: Known) -> bool:
    (methods,) = (chain.methods for chain in event.chains if chain.name == name)
    return {each for each in methods if TRAITS[each].enrolled} <= who.enrolled


def apart(chains: dict[str, Chain]) -> dict[str, Chain]:
    """Return the same, each for one group and network at most: of what overlaps in part more is said than happens."""
    return {
        name: replace(chain, groups=chain.groups[:1], networks=tuple(one for one in chain.networks if one != ROOM)[:1])
        for name, chain in chains.items()
    }


def picked(who: Known, client: str, event: policy.Event) -> Iterator[str]:
    """Return the chains that a user gets in by, who picks one wherever that is asked."""
    first, *others = fitting(event, who, client) or [None]
    if first is not None:
        begun = Running(login=login(*first.methods, chain=first, others=tuple(others)))
        yield from (name for name in walked(begun) if able(event, name, who))


def walked(running: Running) -> Iterator[str]:
    for chain in running.choices:
        yield from walked(running.choose(chain))
    if not running.choices and running.position + 1 == len(running.login.chain.methods):
        yield running.login.chain.name
    elif not running.choices:
        yield from walked(replace(running, position=running.position + 1))


@given(an_event)
def test_who_picks_a_chain_that_asks_less_can_only_where_that_is_said(chains: dict[str, Chain]) -> None:
    event, said = event_of(chains, choose=True)
    for client, who in product(CLIENTS, EVERYBODY):
        fit = [chain.name for chain in fitting(event, who, client)]
        for lesser in picked(who, client, event):
            for greater in fit[: fit.index(lesser)]:
                if asks_less(chains[lesser].methods, chains[greater].methods, TRAITS):
                    assert list(said.users_passed_on(greater, lesser)), (who, greater, lesser)


@given(an_event, st.sampled_from("0123"))
def test_who_types_a_short_name_is_asked_less_only_where_that_is_said(chains: dict[str, Chain], short: str) -> None:
    if short in chains:
        chains[short] = replace(chains[short], short_name="Quick")
    event, said = event_of(chains)
    for client, who in product(CLIENTS, EVERYBODY):
        greater, lesser = asked(event, who, client), asked(event, who, client, "quick")
        if greater and lesser and greater < lesser:
            less = asks_less(chains[lesser].methods, chains[greater].methods, TRAITS)
            assert not less or list(said.users_passed_on(greater, lesser)), (who, greater, lesser)


@given(an_event)
def test_whom_less_is_known_of_is_asked_less_only_where_that_is_said(chains: dict[str, Chain]) -> None:
    event, said = event_of(chains)
    for client in CLIENTS:
        by = {who: asked(event, who, client) for who in EVERYBODY}
        for who, greater in by.items():
            for lesser in {by[known] for known in who.less()} - {"", greater} if greater else ():
                if asks_less(chains[lesser].methods, chains[greater].methods, TRAITS):
                    assert list(said.users_passed_on(greater, lesser)), (who, greater, lesser)


@given(an_event.map(apart))
def test_a_chain_that_is_warned_about_is_asked_of_somebody_instead_of_another(chains: dict[str, Chain]) -> None:
    event, said = event_of(chains)
    happens = set()
    for client in CLIENTS:
        by = {who: asked(event, who, client) for who in EVERYBODY}
        happens |= {(by[who], by[known]) for who in EVERYBODY for known in who.less()}
    for greater, lesser in combinations(chains, 2):
        less = asks_less(chains[lesser].methods, chains[greater].methods, TRAITS)
        if less and any(not way.startswith("who comes through") for way in said.users_passed_on(greater, lesser)):
            assert any(after == lesser != before for before, after in happens), (greater, lesser)
        if not any(lesser in said.reachable(through) for through in said.clients_by_chains):
            assert lesser not in {by for _, by in happens}


@dataclass(frozen=True)
class Sends:
    """What is known of the settings of a method that sends."""

    senders: tuple[str, ...] = ("mail",)
    address_attribute: str = ""


def test_two_methods_that_send_to_one_attribute_are_one_proof() -> None:
    mail = frozenset({"mail", ""})
    of = {each: strength.trait(each, EmailOtp, Sends(address_attribute=each), mail) for each in ("", "Mail", "mobile")}
    assert of[""] == of["Mail"] != of["mobile"]
    assert of[""].sends
    assert not of[""].enrolled


def test_methods_that_users_are_enrolled_for_are_each_a_proof() -> None:
    one, other = (strength.trait(name, Totp, object(), frozenset()) for name in ("app", "other app"))
    assert one != other
    assert (one.proves, one.enrolled, one.sends) == ("code", True, False)


def test_the_directory_s_password_is_one_proof_by_any_name() -> None:
    one, other = (strength.trait(name, Password, object(), frozenset()) for name in ("password", "again"))
    assert one == other
    assert one != strength.trait("file", FilePassword, object(), frozenset())
