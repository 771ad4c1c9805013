"""`aad import`: reads another server's file and those it includes, prints the TOML, writes the secrets."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from aad.cli.exits import EX_FINE, EX_USAGE, failed
from aad.core.secret import Secret
from aad.filesystem import folders
from aad.migrate import duo, freeradius
from aad.migrate.toml_writer import BadFileError, Secrets, TomlWriter

EXAMPLE = "aad import /etc/freeradius/3.0/clients.conf --secrets-dir /etc/aad/secrets >/etc/aad/aad.toml"
_DUO = re.compile(r"(?mi)^\s*\[\s*(main|cloud|ad_client\d*|radius_(client|server_\w+)|ldap_server_\w+)\s*\]")
_FREERADIUS = re.compile(r"(?m)^\s*(clients?\b(?!\s*=)|\$-?INCLUDE\s)")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the file, its format, and how secrets are written."""
    parser.add_argument("file", type=Path, metavar="FILE", help="authproxy.cfg (Duo) or clients.conf (FreeRADIUS)")
    parser.add_argument(
        "--from", dest="origin", choices=("duo", "freeradius"), help="the file's format; default: detected"
    )
    secrets = parser.add_mutually_exclusive_group()
    secrets.add_argument(
        "--secrets-dir", type=Path, metavar="DIR", help="write each secret into a file in DIR; default: leave them out"
    )
    secrets.add_argument("--show-secrets", action="store_true", help="print the secrets in the TOML, readable")


def run(options: argparse.Namespace) -> int:
    """Print the TOML, and on stderr a summary."""
    keeping, folder = Secrets.SHOWN if options.show_secrets else Secrets.LEFT_OUT, ""
    if options.secrets_dir:
        keeping, folder = Secrets.FILES, str(options.secrets_dir.absolute())
    page = TomlWriter(keeping, folder)
    try:
        text = _read(options.file)
        origin = options.origin or ("duo" if _DUO.search(text) else "freeradius" if _FREERADIUS.search(text) else "")
        if not origin:
            return failed(f"{options.file}: not recognized; say --from duo or --from freeradius", EX_USAGE)
        if origin == "duo":
            duo.imported(str(options.file), text, page)
        else:
            freeradius.imported(str(options.file), text, _Files(options.file).included, page)
        _write(options.secrets_dir, page.secrets)
    except BadFileError as error:
        return failed(str(error))
    except OSError as error:
        return failed(f"{error.filename}: {error.strerror}")
    sys.stdout.write(page.text())
    kept = f", {len(page.secrets)} secrets in {folder} (aad's user has to read them)" if page.secrets else ""
    print(f"aad: {page.clients} clients, {page.left} lines not carried over{kept}", file=sys.stderr)
    return EX_FINE


class _Files:
    """Reads what $INCLUDE names: a file, or all files of a folder; relative to the including file."""

    def __init__(self, main: Path) -> None:
        self._folder = str(main.parent)

    def included(self, path: str, by: str) -> Sequence[tuple[str, str]]:
        """Return names and texts. OSError."""
        for variable in ("${confdir}", "${raddbdir}"):
            path = path.replace(variable, self._folder)
        place = Path(by).parent / path
        if not place.is_dir():
            return [(str(place), _read(place))]
        names = re.compile(r"[A-Za-z0-9._-]+")  # as FreeRADIUS does: no backup files
        found = sorted(each for each in place.iterdir() if each.is_file() and names.fullmatch(each.name))
        return [(str(each), _read(each)) for each in found if not each.name.startswith(".")]


def _read(file: Path) -> str:
    return file.read_text("utf-8", "surrogateescape")


def _write(folder: Path, secrets: Mapping[str, Secret]) -> None:
    """Write each secret into a file of its own, mode 0600. OSError, also if a file is there with another secret."""
    if not secrets:
        return
    with folders.made(folder, 0o700) as held:
        for name, secret in secrets.items():
            octets = secret.reveal() + b"\n"
            try:
                with open(held.make(name, os.O_WRONLY, 0o600), "wb") as made:  # noqa: PTH123 - of a descriptor
                    made.write(octets)
            except FileExistsError:
                with open(held.open(name, os.O_RDONLY), "rb") as there:  # noqa: PTH123 - of a descriptor
                    if there.read(len(octets) + 1) != octets:  # it may be in use
                        raise
