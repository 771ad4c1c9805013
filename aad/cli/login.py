"""`aad login`: a login over RADIUS as a NAS would do it."""

from __future__ import annotations

import argparse
import getpass
import subprocess
import sys
from pathlib import Path

from aad.cli.exits import EX_FAILED, EX_FINE, EX_USAGE, failed
from aad.core.secret import Secret
from aad.radius.protocol import constants
from aad.radius_client.nas import PROTOCOLS, Nas, host_and_port, message

EXAMPLE = "aad login alice --server 192.0.2.1 --secret-file vpn-gateway.secret"
EX_NO_ANSWER = 2


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add user and server, and the files and commands that answer without a terminal."""
    parser.add_argument("user", metavar="USER", help="the name to log in with")
    parser.add_argument("--server", required=True, metavar="HOST[:PORT]", help="the RADIUS server; default port: 1812")
    parser.add_argument("--secret-file", required=True, type=Path, metavar="FILE", help="contains the shared secret")
    parser.add_argument("--password-file", type=Path, metavar="FILE", help="contains the password; default: ask for it")
    parser.add_argument(
        "--code-command",
        metavar="CMD",
        help="a shell command that gets the prompt as $1 and prints the code; default: ask for it",
    )
    parser.add_argument(
        "--protocol", choices=PROTOCOLS, default="pap", help="how the code is sent; default: %(default)s"
    )
    parser.add_argument(
        "--timeout",
        type=float,
        default=5.0,
        metavar="SECONDS",
        help="how long each of three tries may take; default: %(default)s",
    )


def run(options: argparse.Namespace) -> int:
    """Log in, and print the outcome. Exit code: 0 accepted, 1 rejected, 2 no answer."""
    try:
        host, port = host_and_port(options.server)
        secret = _read(options.secret_file)
        password = _read(options.password_file) if options.password_file else Secret(getpass.getpass("Password: "))
    except (OSError, ValueError) as error:
        return failed(str(error), EX_USAGE)
    nas = Nas(host=host, port=port, secret=secret, protocol=options.protocol, timeout=options.timeout)
    try:
        reply = nas.login(options.user, password, lambda prompt: _answer(prompt, options.code_command))
    except (OSError, ValueError) as error:
        return failed(f"{options.server}: {error}", EX_NO_ANSWER)
    if reply is None:
        return failed(f"{options.server}: no answer; wrong secret, unknown client, or no server there", EX_NO_ANSWER)
    accepted = reply.code == constants.ACCESS_ACCEPT
    print(f"{'accepted' if accepted else 'rejected'}{': ' if message(reply) else ''}{message(reply)}")
    return EX_FINE if accepted else EX_FAILED


def _answer(prompt: str, command: str | None) -> Secret:
    if command is None:
        return Secret(getpass.getpass(f"{prompt}: "))
    print(prompt, file=sys.stderr)
    done = subprocess.run(["/bin/sh", "-c", command, "aad", prompt], stdout=subprocess.PIPE, check=True)  # noqa: S603
    return Secret(done.stdout.strip())


def _read(file: Path) -> Secret:
    return Secret(file.read_bytes().removesuffix(b"\n"))
