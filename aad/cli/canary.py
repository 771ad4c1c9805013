"""`aad canary`: its options, which are the keys of canary.toml, and its report."""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, get_type_hints

from aad.canary import report
from aad.canary.login_run import LoginRun, log_in
from aad.canary.settings import CanarySettings
from aad.cli.exits import EX_USAGE, failed
from aad.config.decode import Decoder
from aad.config.faults import ConfigError, Findings
from aad.config.files import Table, Tree, read
from aad.core.secret import Secret
from aad.core.settings import Duration, spoken
from aad.filesystem import secure_path

COMMAND_LINE = Path("command line")
_METAVARS = {
    Secret: "F",
    Path: "FILE",
    Duration: "TIME",
    "server": "HOST[:PORT]",
    "maildir": "DIR",
    "imap": "HOST[:PORT]",
    "imap_user": "U",
    "imap_folder": "NAME",
    "code_pattern": "RE",
}
EXAMPLE = "aad canary --file /etc/aad/canary.toml --format nagios"
ABOUT = """

It logs in as a NAS would, waits for the mail, answers with its code, and removes the mail. It finds the mail by the
reference in the prompt; if the prompt shows none, it takes the first new mail with a code. Each option may also be a
key of the file, where secrets are { file = "PATH" }; options win. The file is not aad.toml, because the canary should
run on another host than aad and must not read aad's secrets.

Give it a test user of its own without other rights: aad treats two simultaneous logins of one user as the same login,
and accepts one of them. A mail that arrives after the timeout stays in the mailbox.

Exit status: 0 accepted, even if slow (stderr says so); 1 refused, no mail, or no code in it; 2 wrong usage; 69 aad or
the mailbox didn't answer; 78 the file is unusable. With --format nagios the status of a monitoring plugin: 0 OK,
1 WARNING (accepted, but slower than --warn...), 2 CRITICAL, 3 UNKNOWN (wrong usage or file). An unknown option is
always 2."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Make an option of every key of canary.toml; the file's reader checks the values of both."""
    parser.description = f"{parser.description}{ABOUT}"
    parser.add_argument("user", metavar="USER", nargs="?", default=argparse.SUPPRESS, help="the test user's name")
    parser.add_argument(
        "--file", type=Path, metavar="FILE", help="a TOML file with the keys that aren't given as options"
    )
    hints = get_type_hints(CanarySettings)
    for field in dataclasses.fields(CanarySettings)[1:]:  # all but the user
        kind, doc = _kind(hints[field.name]), str(field.metadata["doc"]).removesuffix(".")
        doc = f"{'holds ' if kind is Secret else ''}{doc[0].lower()}{doc[1:]}"
        option = "--" + field.name.replace("_", "-") + ("-file" if kind is Secret else "")
        rest: dict[str, Any] = {"dest": field.name, "default": argparse.SUPPRESS}
        if kind is bool:
            parser.add_argument(option, action="store_true", help=doc, **rest)
            continue
        choices = "|".join(field.metadata["choices"])
        if field.default and isinstance(field.default, str | float):
            doc += f"; default: {spoken(field.default) if isinstance(field.default, float) else field.default}"
        parser.add_argument(option, metavar=choices or _METAVARS.get(field.name) or _METAVARS[kind], help=doc, **rest)


def run(options: argparse.Namespace) -> int:
    """Log in once, and report how that went."""
    findings = Findings()
    tree = read(options.file, findings) if options.file else Tree(COMMAND_LINE)
    tree.merge(COMMAND_LINE, _given(options))
    try:
        settings = _settings(tree, findings)
    except ConfigError as error:
        if tree.tables.get("format") == "nagios":
            print(report.unknown("; ".join(map(str, error.faults))), end="")
            return report.UNKNOWN
        if all(fault.file == COMMAND_LINE for fault in error.faults):
            return max(failed(str(fault), EX_USAGE) for fault in error.faults)
        raise
    for warning in findings.warnings:
        print(f"aad: {warning}", file=sys.stderr)
    return _report(log_in(settings), settings)


def _report(result: LoginRun, settings: CanarySettings) -> int:
    limits, form = settings.limits(), settings.format
    text = report.report(result, form, limits, settings.timeout, time.time())
    if settings.output is None:
        print(text, end="", flush=True)
    else:
        try:
            _replace(settings.output, text)
        except OSError as error:
            failed(f"{settings.output} can't be written: {error.strerror}")
            return report.UNKNOWN if form == "nagios" else 1
    if form != "nagios":
        for line in report.slow(result, limits):
            failed(f"slow: {line}")
        if not result.accepted:
            failed(report.failure(result))
    if result.remark:
        failed(result.remark)
    return report.status(result, form, limits)


def _settings(tree: Tree, findings: Findings) -> CanarySettings:
    """Decode options and file. ConfigError: every fault in them."""
    settings = None if findings.faults else Decoder(tree, findings).settings(CanarySettings, tree.tables, ())
    findings.judge(secure_path.owners())
    if settings is None or findings.faults:
        raise ConfigError(findings.faults)
    return settings


def _given(options: argparse.Namespace) -> Table:
    """Return the options that were given, as a table of the file."""
    table: Table = {}
    for name, hint in get_type_hints(CanarySettings).items():
        if (value := getattr(options, name, None)) is None:
            continue
        kind = _kind(hint)
        table[name] = {"file": value} if kind is Secret else value
        if kind is Duration and str(value).isdecimal():
            table[name] = int(value)
    return table


def _kind(hint: Any) -> Any:
    """Return T of "T | None"."""
    return next(iter(getattr(hint, "__args__", ())), hint)


def _replace(file: Path, text: str) -> None:
    """Replace a file in one step, so that a reader never sees half of it. OSError."""
    number, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(number, "w", encoding="utf-8") as new:
            new.write(text)
            os.fchmod(new.fileno(), 0o644)
        Path(name).replace(file)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
