"""`aad recovery`: makes, removes and lists users' recovery codes."""

from __future__ import annotations

import argparse

from aad.cli.enrolment import CommandRefusedError, directory, done, enrolled, remove, takes_enrolment, told
from aad.cli.exits import EX_FINE, EX_USAGE, failed, say
from aad.config import Config, Plugin
from aad.core.identity import User
from aad.core.recovery import CODES
from aad.enrolment.enrolment import Enrolment
from aad.notices.kept import What
from aad.ports import ForeignSealError

EXAMPLE = "aad recovery make alice"
TYPES = ("recovery_codes",)


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the action and the user."""
    parser.add_argument("action", choices=("make", "remove", "list"), help="what to do")
    parser.add_argument("user", nargs="?", metavar="USER", help="whose codes; not with list")
    takes_enrolment(parser)


def run(options: argparse.Namespace) -> int:
    """Run the action; a daemon may be running."""
    if (options.user is None) != (options.action == "list"):
        return failed(f"{options.action} takes {'no USER' if options.action == 'list' else 'a USER'}", EX_USAGE)
    return done(_ACTIONS[options.action], options, TYPES)


async def _make(config: Config, plugin: Plugin, options: argparse.Namespace) -> int:
    """Print new codes, which are shown only here; older ones are void."""
    async with directory(config, options) as users:
        user = await users.user(options.user)
    async with enrolled(config, plugin) as known, known.telling(user, What.CODES):
        made = await known.enrolment.make_codes(user)
        if made is None:
            message = f"codes for {user.name} are being made elsewhere at this moment"
            raise CommandRefusedError(message)
    codes, before = made
    print(*(code.text() for code in codes), sep="\n")
    say(f"{user.name}: {CODES} codes, each good once" + (", and none of before" if before else ""))
    told(config, "user.enrolled", user=user.name, method=plugin.name, repository=user.repository)
    return EX_FINE


async def _list(config: Config, plugin: Plugin, options: argparse.Namespace) -> int:
    del options
    async with enrolled(config, plugin) as known:
        for repository, user in await known.enrolment.vault.users():
            left = await _left(known.enrolment, repository, user)
            say(f"{user}  repository {repository}  method {plugin.name}  {left}")
    return EX_FINE


async def _left(enrolment: Enrolment, repository: str, user: str) -> str:
    try:
        left = await enrolment.left(User(name=user, repository=repository, handle=""))
    except ForeignSealError:
        return "made with another installation's key"
    return "removed at this moment" if left is None else f"{left} codes left"


_ACTIONS = {"make": _make, "remove": remove, "list": _list}
