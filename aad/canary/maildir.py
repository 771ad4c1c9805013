"""A mailbox in the file system: a Maildir, in which each mail is a file of new/ or cur/."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from aad.canary.mailbox import OCTETS, RECENT, Mail
from aad.ports import Unavailable


class Maildir:
    """A mailbox.Mailbox that reads new/ and, as another reader may have been faster, cur/."""

    pause = 0.05

    def __init__(self, folder: Path) -> None:
        """Read nothing yet."""
        self.where = f"Maildir {folder}"
        self._folder = folder
        self._old: frozenset[str] = frozenset()
        self._seen: set[str] = set()

    def open(self, seconds: float) -> None:
        """List the mails that are there already. Unavailable."""
        del seconds  # a file system has no patience to set
        files = self._files()
        self._old = frozenset(files)
        recent = sorted(files, key=lambda name: _time(files[name]))[-RECENT:]
        self._seen = set(files) - set(recent)

    def close(self) -> None:
        """Do nothing: nothing is open."""

    def mails(self, seconds: float) -> Sequence[Mail]:
        """Read the mails not read yet. Unavailable."""
        del seconds
        files = self._files()
        found = []
        for name in files.keys() - self._seen:
            try:
                with _opened(files[name]) as file:
                    found.append(Mail(name, file.read(OCTETS), name not in self._old))
            except FileNotFoundError:  # moved from new/ to cur/ meanwhile: next time
                continue
            except OSError as error:
                if error.errno != errno.ELOOP:  # else no mail was delivered so: it is passed over
                    raise self._unavailable(error) from error
            self._seen.add(name)
        return found

    def remove(self, mail: Mail) -> None:
        """Remove the mail's file, in new/ or cur/. Unavailable."""
        try:
            if file := self._files().get(mail.handle):
                file.unlink(missing_ok=True)
        except OSError as error:
            raise self._unavailable(error) from error

    def _files(self) -> dict[str, Path]:
        """Return every mail's file by its unique name, which is what stands before the flags."""
        try:
            files = [file for sub in ("new", "cur") for file in (self._folder / sub).iterdir()]
        except OSError as error:
            raise self._unavailable(error) from error
        return {file.name.partition(":")[0]: file for file in files if not file.name.startswith(".")}

    def _unavailable(self, error: OSError) -> Unavailable:
        return Unavailable(f"{error.filename or self._folder}: {error.strerror}", where=self.where)


def _opened(file: Path) -> IO[bytes]:
    """Open a mail as it was delivered: no link to something else, no pipe to wait for. OSError."""
    return open(file, "rb", opener=lambda path, flags: os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK))


def _time(file: Path) -> float:
    try:
        return file.stat().st_mtime
    except OSError:
        return 0.0
