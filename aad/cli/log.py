"""`aad log`: logins as stories, or records as lines or JSON, from the journal or the log file."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from importlib import import_module
from itertools import takewhile
from pathlib import Path

from aad.cli.exits import EX_FINE, configured, failed, takes_config
from aad.config import ConfigError
from aad.filesystem import privileges
from aad.filesystem.privileges import PrivilegesError
from aad.logs import journal_writer
from aad.logs.entry import Entry, LogReader, UnreadableLogError, Wanted
from aad.logs.file_reader import FileReader
from aad.logs.login_story import Story, Telling, last, stories
from aad.logs.since import since

EXAMPLE = "aad log --login AB23CD"
LOGINS = 50  # shown when nothing says how many


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add filters, the time to begin at, and the form of the output."""
    takes_config(parser)
    parser.add_argument(
        "-f", "--follow", action="store_true", help="print new records as they are written, a line each"
    )
    parser.add_argument("-n", "--number", type=_number, metavar="N", help=f"the last N logins; default: {LOGINS}")
    parser.add_argument(
        "--login", default="", metavar="REF", help="one login, by the reference that prompt and mail show"
    )
    parser.add_argument("--user", default="", help="logins of this user")
    parser.add_argument("--client", default="", metavar="NAME", help="logins through this client")
    parser.add_argument("--event", default="", metavar="NAME", help="logins for this event")
    parser.add_argument(
        "--since",
        type=_begin,
        metavar="T",
        help='"10m", "2h", "2d", "today", "yesterday", "09:00", "2026-11-24 09:00"',
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument(
        "--file", type=Path, metavar="PATH", help="read this file; default: the log that aad.toml names"
    )


def run(options: argparse.Namespace) -> int:
    """Print the wanted records, oldest first. If there are none, the exit code is 1."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a name may have characters that the terminal can't show
    wanted = Wanted(user=options.user, login=options.login, client=options.client, login_event=options.event)
    try:
        reader = _reader(options)
        found = False
        for line in _lines(options, _entries(options, reader, wanted)):
            print(line, flush=options.follow)
            found = True
    except UnreadableLogError as error:
        return failed(str(error))
    return EX_FINE if found else failed(f"nothing found in {reader.name}")


def _reader(options: argparse.Namespace) -> LogReader:
    """Return the reader of the journal or file that `serve` writes to. ConfigError, UnreadableLogError."""
    if options.file is not None:
        return _file(options.file)
    there = journal_writer.SOCKET.exists()
    try:
        log = configured(options).log
    except ConfigError:
        if not there:
            raise
        return _journal()  # a reader of the journal may not be allowed to read the configuration
    if log.to == "journal" or (log.to == "auto" and there):
        return _journal()
    if log.to == "stderr" or log.file is None:
        message = f"records go to stderr, {options.config} says; what keeps them can be read by --file, if it is JSON"
        raise UnreadableLogError(message)
    return _file(log.file)


def _file(path: Path) -> LogReader:
    """Return a file's reader; root becomes the owner of its folder first. UnreadableLogError."""
    try:
        privileges.become_owner(path.parent, shared=True)  # in a folder such as /tmp links aren't followed
    except PrivilegesError as error:
        message = f"{path} can't be read: {error}"
        raise UnreadableLogError(message) from None
    return FileReader(path)


def _journal() -> LogReader:
    try:
        reader: LogReader = import_module("aad.logs.journal_reader").JournalReader()
    except ImportError:
        message = "the journal can't be read without systemd-python: pip install aad[journal], or journalctl -t aad"
        raise UnreadableLogError(message) from None
    return reader


def _entries(options: argparse.Namespace, reader: LogReader, wanted: Wanted) -> Iterable[Entry]:
    begin = options.since.timestamp() if options.since else 0.0
    number = options.number
    if number is None and not (options.since or options.login or options.user or options.json or options.follow):
        number = LOGINS
    if number is not None:
        entries = last(takewhile(lambda one: one.time >= begin, reader.latest(wanted)), number)
        if not options.follow:
            return entries
        begin = entries[0].time if entries else _now().timestamp()
    elif options.follow and not options.since:
        begin = _now().timestamp()
    return reader.records(begin, wanted, follow=options.follow)


def _lines(options: argparse.Namespace, entries: Iterable[Entry]) -> Iterator[str]:
    telling = Telling(colours=_coloured())
    if options.json or options.follow:
        yield from (one.as_json() if options.json else telling.line(one) for one in entries)
        return
    for number, part in enumerate(stories(entries)):
        if isinstance(part, Story):
            if number:
                yield ""
            yield from telling.story(part)
        else:
            yield telling.single(part)


def _coloured() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _now() -> datetime:
    return datetime.now(UTC).astimezone()


def _begin(text: str) -> datetime:
    try:
        return since(text, _now())
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _number(text: str) -> int:
    if not text.isdigit() or not int(text):
        message = f"{text!r} should be a number from 1 on"
        raise argparse.ArgumentTypeError(message)
    return int(text)
