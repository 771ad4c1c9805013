"""`aad explain`: repository, user, chain, prompts and reply attributes of a login, each with the rule behind it."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import time
from collections.abc import Iterator, Sequence
from functools import partial

from aad.cli.become import configured_for_daemon
from aad.cli.exits import EX_FAILED, EX_FINE, EX_USAGE, failed, say, takes_config
from aad.cli.prompts import asking, wording
from aad.config import Config
from aad.config.faults import did_you_mean
from aad.core.answer import NOTHING
from aad.core.identity import Attempt, Named, User
from aad.core.mask import masked
from aad.core.outcome import Reason
from aad.core.policy import Chain, Event
from aad.core.secret import Secret
from aad.core.strength import asks_less
from aad.core.user_address import UNKNOWN, Unknown, UserAddress, read
from aad.daemon import assembly
from aad.daemon.assembly import granting
from aad.login.identify import asked_of, enrollable, not_ready, open_to
from aad.login.lockout import described
from aad.ports import AmbiguousUserError, Store, Unavailable, without_password

EXAMPLE = "aad explain alice --event vpn --client vpn-gateway"
PATIENCE = 15.0  # seconds


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the user, the event and what a chain may depend on."""
    takes_config(parser)
    parser.add_argument("user", metavar="USER", help="the name, as typed at the NAS")
    parser.add_argument("--event", required=True, metavar="NAME", help="one of [events.*]")
    parser.add_argument("--client", metavar="NAME", help="the client that asks: one of [clients.*] or [https.keys.*]")
    parser.add_argument("--address", default="", metavar="IP", help="the user's address, as the client would send it")
    parser.add_argument("--show-address", action="store_true", help="don't mask mail addresses")


def run(options: argparse.Namespace) -> int:
    """Print repository, user, address, chain, and the rule behind each."""
    config = configured_for_daemon(options)
    if options.event not in config.events:
        return failed(f"no event {options.event!r}: {did_you_mean(options.event, config.events)}", EX_USAGE)
    if options.client and options.client not in config.events_by_client:
        return failed(
            f"no client {options.client!r}: {did_you_mean(options.client, config.events_by_client)}", EX_USAGE
        )
    if options.client and options.event not in (known := config.events_by_client[options.client]):
        say(f"client: {options.client} asks for event {known[0]}, not {options.event}")
    return asyncio.run(_explain(config, options))


async def _explain(config: Config, options: argparse.Namespace) -> int:
    event = assembly.events(config)[options.event]
    named = event.named(options.user)
    if named.repository:
        say(f"realm: repository {named.repository}, name {named.name}")
    if named.chain:
        say(f'short name: the chain "{named.chain}" is wanted')
    try:
        user = await _found(config, event, named)
        async with assembly.opened_store(config) as store:
            standings = await _standings(config, store, user)
    except AmbiguousUserError:
        return failed(f"{named.name}: two or more entries have this name, so it is refused")
    except Unavailable as error:
        return failed(error.told, os.EX_UNAVAILABLE)
    if user is None:
        say(f"user: {named.name} is in none of the repositories {', '.join(_asked(event, named))}: refused")
        return EX_FAILED
    say(f"user: {user.name}, in repository {user.repository}: {user.handle}")
    shown = str if options.show_address else masked
    say(f"addresses: {', '.join(shown(address) for address in user.addresses) or 'none: no code can be sent'}")
    say(f"groups: {', '.join(sorted(user.groups)) or 'none'}")
    attempt = Attempt(
        event=event.name,
        client=options.client or "any client",
        name=options.user,
        answer=NOTHING,
        deadline=0.0,
        user_address=_user_address(options.address),
    )
    try:
        chosen = await _chains(config, event, user, attempt, named.chain)
    except Unavailable as error:
        return failed(error.told, os.EX_UNAVAILABLE)
    if chosen:
        _prompts(config, chosen[0], user, options.client or "")
    _replies(config, user, event.name, options.client or "")
    for standing in standings:
        say(f"lockout: {standing}")
    return EX_FINE if chosen else EX_FAILED


def _user_address(text: str) -> UserAddress:
    """Read the user's address as the daemon would; print why where it can't be read."""
    if not text:
        return UNKNOWN
    address = read(text)
    if isinstance(address, Unknown):
        say(f"address: unknown: what is given {address.told}")
    return address


def _asked(event: Event, named: Named) -> tuple[str, ...]:
    return (named.repository,) if named.repository else event.repositories


async def _found(config: Config, event: Event, named: Named) -> User | None:
    repositories = assembly.repositories(config, Secret(b""))
    for repository in _asked(event, named):
        async with repositories[repository] as opened:
            found = await opened.find(named.name, None, without_password, time.monotonic() + PATIENCE)
        if found is not None:
            return found.user
        say(f"repository {repository}: no user of this name")
    return None


async def _chains(config: Config, event: Event, user: User, attempt: Attempt, wanted: str) -> tuple[Chain, ...]:
    """Print and return the chains that the user may take, and why not the ones before. Unavailable."""
    for chain, why in event.misfits(user, attempt, wanted):
        say(f"chain {chain.name}: {why}")
    fits = event.chains_for(user, attempt, wanted)
    async with assembly.opened_store(config) as store:
        methods = enrollable({name: each.method for name, each in assembly.enrolling(config, store).items()})
        lacking = {chain: lacks for chain in fits if (lacks := await not_ready(methods, user, chain))}
        chains = await asked_of(methods, user, fits, choose=event.choose)
    for chain, lacks in lacking.items():
        so = "so they are refused there" if chain in chains else "so it isn't asked"
        say(f"chain {chain.name}: {user.name} is not enrolled for {lacks}, {so}")
    if not chains:
        say(f"chain: none of event {event.name} fits, so the user is refused")
    chains = _open(config, user, chains)
    for number, chain in enumerate(chains):
        what = f"{chain.name} ({', then '.join(chain.methods)})"
        say(f"or, as the user chooses: {what}" if number else f"chain: {what}, the first that fits: {_for_whom(chain)}")
    for more in _stronger(config, event, chains):
        missing = lacking.get(more, "")
        why = f"{user.name} is not enrolled for {missing}" if missing else f"is {_unfit(more, user, attempt)}"
        say(f"asks less: chain {more.name} asks for more ({', then '.join(more.methods)}), and {why}")
    return chains


def _stronger(config: Config, event: Event, asked: Sequence[Chain]) -> Iterator[Chain]:
    """Yield the chains that stand before the first of `asked`, and ask for more than it."""
    for chain in event.chains[: event.chains.index(asked[0])] if asked else ():
        if asks_less(asked[0].methods, chain.methods, config.traits):
            yield chain


def _unfit(chain: Chain, user: User, attempt: Attempt) -> str:
    """Return why a chain isn't asked, with a remark if the reason may be that no group of the user is known."""
    why = chain.misfit(user, attempt) or "not the one whose short name was typed"
    elsewhere = chain.clients and attempt.client not in chain.clients
    unknown = chain.groups and not user.groups and not elsewhere
    return f"{why}: no group of {user.name} is known" if unknown else why


def _open(config: Config, user: User, chains: tuple[Chain, ...]) -> tuple[Chain, ...]:
    """Print which chains the account's state rules out, and return the others."""
    left = open_to(user, chains, partial(assembly.asks_repository, config))
    if user.barred and (left != chains or user.barred.reason == Reason.ACCOUNT_BARRED):
        say(f"account: {user.barred.reason}: {user.barred.because}")
    for chain in chains:
        if chain not in left:
            say(f"chain {chain.name}: asks the repository for no password, so {user.name} is refused there")
    return left


def _for_whom(chain: Chain) -> str:
    rules = [
        f"{what} {', '.join(sorted(those))}"
        for what, those in (
            ("for members of", chain.groups),
            ("through", chain.clients),
            ("from", chain.networks),
        )
        if those
    ]
    return f"it is {', '.join(rules)}" if rules else "it is for all users"


def _prompts(config: Config, chain: Chain, user: User, client: str) -> None:
    """Print each method's prompt as the client would get it, and its language with the reason for it."""
    for one in asking(config, chain.methods):
        name, language, values = one.where.partition(".")[2], one.language(user), one.values(user)
        if one.senders and not values:
            say(f"prompt of {name}: none, as no address is usable")
            continue
        if language:
            why = f"by {_quoted(user.language)} in" if user.language else "the default, as none is in"
            say(f"language of {name}: {language}, {why} the repository")
        octets = wording(config, client).octets(one.text(language, "prompt", values), values)
        whose = f", as {client} gets it" if client else ""
        say(f"prompt of {name}: {_quoted(octets.decode())} ({len(octets)} octets{whose})")


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _replies(config: Config, user: User, event: str, client: str) -> None:
    """Print the reply attributes for the client, each with its table, and those left out with the reason."""
    grants = granting(config)
    if grants is None:
        say("reply attributes: none")
        return
    for table in grants.tables:
        if why := table.misfit(user, event, client):
            say(f"replies.{table.name}: {why}")
    grant = grants.of(user, event, client)
    say(f"reply attributes:{'' if grant.given else ' none'}")
    for given in grant.given:
        say(f"  {given.name} = {given.text} (replies.{given.table})")
    for why in grant.left_out:
        say(f"  left out: {why}")
    try:
        grants.encoded(grant)
    except ValueError as error:
        say(f"  that can't be said, so the user is refused: {error}")


async def _standings(config: Config, store: Store, user: User | None) -> list[str]:
    """Return a sentence for each row of failures of the user."""
    found = await assembly.lockout(config, store, Secret(b"")).standings(user) if user else []
    return [described(each, store.now(), time.time()) for each in found] or ["no failures"]
