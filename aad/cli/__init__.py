"""The command `aad`: one file a command, and this table of them."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Collection, Sequence
from importlib import import_module
from keyword import iskeyword

from aad.cli.exits import EX_FAILED, EX_USAGE, failed
from aad.config import ConfigError
from aad.filesystem.privileges import PrivilegesError

COMMANDS = {
    "serve": "run the daemon in the foreground until SIGTERM; SIGHUP reloads",
    "check": "check the configuration as serve would, and print every fault",
    "test-message": "send a test message through a configured sender",
    "login": "log in as a NAS would, following challenges",
    "canary": "log a test user in, mail included, and report how long each step took; for monitoring",
    "explain": "show which chain a user would get, and why (dry run)",
    "log": "show what happened to logins, from the journal or the log file",
    "locked": "list the users who are locked out",
    "unlock": "end a user's lockout",
    "totp": "enrol users for an app or a key fob that shows codes (QR code); remove, list or import them",
    "recovery": "make or remove a user's recovery codes, or list the users who have some",
    "make-secret": "make a random shared secret",
    "make-key": "make an API key for a website, and the lines of aad.toml for it",
    "hash-password": "hash a password for a users file",
    "import": "print the aad.toml that replaces another server's configuration (Duo, FreeRADIUS)",
    "plugins": "list the available methods, repositories, senders and stores, each with its package",
    "demo": "show one whole login, with a user, a mailbox and a daemon of its own",
    "version": "print the versions of aad, Python and the libraries",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    asked = parser([word for word in given if word in COMMANDS][:1])
    options = asked.parse_args(given)
    if not options.command:
        asked.print_help()
        return EX_USAGE
    try:
        return int(options.run(options))
    except ConfigError as error:
        print(error, file=sys.stderr)
        return os.EX_CONFIG
    except PrivilegesError as error:
        return failed(str(error), os.EX_UNAVAILABLE)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # "aad check | head"
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EX_FAILED


class Layout(argparse.RawDescriptionHelpFormatter):
    """Help that puts a command's summary on the line of its name, even of the longest."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=28)
        # argparse measures a command without its indentation, and would break the line of the longest.
        self._action_max_length = max(map(len, COMMANDS)) + 4


def parser(wanted: Collection[str]) -> argparse.ArgumentParser:
    """Make the parser. Only the `wanted` commands' files are imported and add their arguments, as imports take time."""
    made = argparse.ArgumentParser(
        prog="aad",
        description="Advanced Authentication Daemon: a second factor by mail for everything that speaks RADIUS.",
        epilog="Example: aad check -c /etc/aad/aad.toml --online\nMore: aad COMMAND --help, man aad, man aad.toml",
        formatter_class=Layout,
    )
    commands = made.add_subparsers(dest="command", metavar="COMMAND", title="commands", prog="aad")
    for name, says in COMMANDS.items():
        command = commands.add_parser(
            name, help=says, description=says[0].upper() + says[1:] + ".", formatter_class=Layout
        )
        if name in wanted:
            module = import_module(f"aad.cli.{name.replace('-', '_')}{'_' * iskeyword(name)}")
            command.epilog = f"Example: {module.EXAMPLE}"
            module.arguments(command)
            command.set_defaults(run=module.run)
    return made
