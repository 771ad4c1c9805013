"""`aad totp`: enrols, removes, lists and imports users of apps and key fobs that show codes."""

from __future__ import annotations

import argparse
import contextlib
import csv
import sys
from collections.abc import Iterator
from pathlib import Path

from aad.cli.enrolment import CommandRefusedError, Enrolled, directory, done, enrolled, remove, takes_enrolment, told
from aad.cli.exits import EX_FAILED, EX_FINE, EX_USAGE, failed, say
from aad.config import Config, Plugin
from aad.core.answer import Plain
from aad.core.identity import User
from aad.core.otp_token import OtpToken, base32, from_base32
from aad.core.secret import Secret
from aad.enrolment import qr_code
from aad.enrolment.enrolment import Enrolment
from aad.notices.kept import What

EXAMPLE = "aad totp enroll alice"
TYPES = ("totp", "hotp")
TRIES = 3


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the action, and the user or file."""
    parser.add_argument("action", choices=("enroll", "remove", "list", "import"), help="what to do")
    parser.add_argument(
        "user",
        nargs="?",
        metavar="USER|FILE",
        help="the user; with import a file with lines USER,SECRET[,COUNTER]; not with list",
    )
    takes_enrolment(parser)
    parser.add_argument("--force", action="store_true", help="replace the secret of a user who is enrolled already")
    parser.add_argument("--no-confirm", action="store_true", help="enrol without asking for a first code (for scripts)")
    parser.add_argument(
        "--notify", action="store_true", help="with import: mail each user a notice, as the other actions always do"
    )
    parser.add_argument("--qr", action="store_true", help="draw the QR code even if stdout is no terminal")


def run(options: argparse.Namespace) -> int:
    """Run the action; a daemon may be running."""
    if (options.user is None) != (options.action == "list"):
        return failed(f"{options.action} takes {'no USER' if options.action == 'list' else 'USER or FILE'}", EX_USAGE)
    if options.notify and options.action != "import":
        return failed("--notify is only for import: the other actions always notify the user", EX_USAGE)
    try:
        # The caller's own file: read before root becomes another user.
        options.rows = list(_rows(Path(options.user))) if options.action == "import" else []
    except CommandRefusedError as error:
        return failed(str(error), error.code)
    return done(_ACTIONS[options.action], options, TYPES)


async def _enroll(config: Config, plugin: Plugin, options: argparse.Namespace) -> int:
    async with directory(config, options) as users:
        user = await users.user(options.user)
    async with enrolled(config, plugin) as known:
        enrolment = known.enrolment
        if not options.force and await enrolment.enrolled(user):
            message = f"{user.name} is enrolled for {plugin.name} already; --force makes a new secret and ends the old"
            raise CommandRefusedError(message)
        token = enrolment.token()
        _shown(enrolment, token, user, draw=options.qr or sys.stdout.isatty())
    value = token.encoded() if options.no_confirm else _confirmed(enrolment, user, token)
    async with enrolled(
        config, plugin
    ) as known:  # opened again: the store isn't kept open while the user fetches a phone
        await _hold(known, user, value, options, f"{user.name} was enrolled elsewhere meanwhile")
    told(config, "user.enrolled", user=user.name, method=plugin.name, repository=user.repository)
    say(f"{user.name}: enrolled for {plugin.name}")
    return EX_FINE


async def _hold(
    known: Enrolled, user: User, value: Secret, options: argparse.Namespace, otherwise: str, *, telling: bool = True
) -> None:
    """Enrol with a secret, and write the notice. CommandRefusedError(otherwise): there is one already. Unavailable."""
    there = options.force and await known.enrolment.enrolled(user)
    async with known.telling(user, What.REPLACED if there else What.SET_UP, telling=telling):
        if not await known.enrolment.hold(user, value, instead=options.force):
            raise CommandRefusedError(otherwise)


def _shown(enrolment: Enrolment, token: OtpToken, user: User, *, draw: bool) -> None:
    """Print the secret; it is never shown again."""
    address = enrolment.address(token, user)
    if draw:
        try:
            print(qr_code.drawn(address))
        except ImportError:
            print('(no QR code: that needs the package segno, pip install "aad[totp]")')
    print(f"{address.text()}\nor typed: {base32(token.secret)}", flush=True)


def _confirmed(enrolment: Enrolment, user: User, token: OtpToken) -> Secret:
    """Ask for a code of the app; return the token with its counter behind that. CommandRefusedError: no right code."""
    for _ in range(TRIES):
        with contextlib.suppress(EOFError):
            code = Plain(Secret(input("A code that it shows now: ")))
            if (after := enrolment.confirmed(token, user, code)) is not None:
                return after
            print("Wrong: is the clock of the phone right?")
    message = f"no right code, so {user.name} is not enrolled"
    raise CommandRefusedError(message)


async def _list(config: Config, plugin: Plugin, options: argparse.Namespace) -> int:
    del options
    async with enrolled(config, plugin) as known:
        for repository, user in await known.enrolment.vault.users():
            say(f"{user}  repository {repository}  method {plugin.name}")
    return EX_FINE


async def _import(config: Config, plugin: Plugin, options: argparse.Namespace) -> int:
    """Enrol the users in a file; print why for each line that is wrong, and go on."""
    path, wrong, count = Path(options.user), 0, 0
    async with directory(config, options) as users, enrolled(config, plugin) as known:
        for number, row in options.rows:
            try:
                token = _token(row)
                user = await users.user(row[0].strip())
                there = f"{user.name} is enrolled already; --force ends that"
                await _hold(known, user, token.encoded(), options, there, telling=options.notify)
            except (CommandRefusedError, ValueError) as error:
                failed(f"{path}:{number}: {error}")
                wrong += 1
            else:
                told(config, "user.enrolled", user=user.name, method=plugin.name, repository=user.repository)
                count += 1
    print(f"{count} enrolled for {plugin.name}" + (f", {wrong} not" if wrong else ""))
    return EX_FAILED if wrong else EX_FINE


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield number and fields of the lines that are no comment. CommandRefusedError: the file can't be read."""
    try:
        rows = list(csv.reader(path.read_text("utf-8").splitlines()))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        message = f"{path}: {getattr(error, 'strerror', None) or 'is no CSV file in UTF-8'}"
        raise CommandRefusedError(message) from None
    yield from ((n, row) for n, row in enumerate(rows, 1) if any(row) and not row[0].startswith("#"))


def _token(row: list[str]) -> OtpToken:
    """Read one line. ValueError, which doesn't quote the secret."""
    if len(row) not in {2, 3} or not (row[2:] or ["0"])[0].strip().isdecimal():
        message = "should be USER,SECRET or USER,SECRET,COUNTER"
        raise ValueError(message)
    return OtpToken(from_base32(row[1]), int(row[2]) if row[2:] else 0)


_ACTIONS = {"enroll": _enroll, "remove": remove, "list": _list, "import": _import}
