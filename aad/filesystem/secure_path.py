"""Opens files that are trusted as configuration, and finds out which other users could change them.

A user who can change a users file, a secret, or a folder above them decides who gets in. So only root and the daemon's
user may: sshd, sudo and FreeRADIUS demand the same. Owners and modes are read from the very descriptors by which a file
is opened, and judged once the daemon's user is known.
"""

from __future__ import annotations

import contextlib
import errno
import os
import pwd
import shlex
import stat
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from aad.filesystem import folders
from aad.filesystem.folders import Reached, name_of


class Doubt(NamedTuple):
    """A file, folder or link on a path that others than root and this process's user could change.

    `writable`: by its mode.
    """

    place: Path
    uid: int
    writable: bool
    link: bool

    def fault(self, owners: Collection[int]) -> str:
        """Return what is wrong with it, and the command that mends it; empty: nothing, if `owners` may own it."""
        named = shlex.quote(str(self.place))
        if self.uid not in owners:
            chown = "chown -h" if self.link else "chown"
            return (
                f"{self.place} is {name_of(self.uid)}'s, who is neither root nor the user that aad runs as: "
                f"{chown} root {named}"
            )
        return f"others than its owner may write to {self.place}: chmod go-w {named}" if self.writable else ""


class Opened(NamedTuple):
    """A descriptor open for reading, to be closed, and the doubts about its path."""

    descriptor: int
    doubts: tuple[Doubt, ...]


def opened(path: Path) -> Opened:
    """Open a file, or a pipe. OSError: there is none, or it is a folder."""
    reached = folders.walked(path, to_a_file=True)
    try:
        if stat.S_ISDIR(os.fstat(reached.descriptor).st_mode):
            raise OSError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        try:
            descriptor = os.open(f"/proc/self/fd/{reached.descriptor}", os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(path)) from None
        return Opened(descriptor, _doubts(reached))
    finally:
        os.close(reached.descriptor)


def read(path: Path) -> tuple[bytes, tuple[Doubt, ...]]:
    """Return the contents of a file, and the doubts about its path. OSError."""
    descriptor, doubts = opened(path)
    with open(descriptor, "rb") as file:  # noqa: PTH123 - of a descriptor
        return file.read(), doubts


def doubts(path: Path) -> tuple[Doubt, ...]:
    """Return the doubts about the path to a file or folder that other code opens by the same path. OSError.

    Without faults among them, no other user can lead that path elsewhere meanwhile.
    """
    reached = folders.walked(path, to_a_file=True)
    os.close(reached.descriptor)
    return _doubts(reached)


def owners(state: Path | None = None, user: str = "") -> frozenset[int]:
    """Return the permitted owners: root, this process's user, and, for root, the daemon's user.

    That is the owner of the folder `state`, or, where there is none, the user of the name `user`, if there is one.
    """
    found = {0, os.geteuid()}
    if folders.privileged():
        with contextlib.suppress(OSError, KeyError):
            found.add(_daemon(state, user))
    return frozenset(found)


def faults(doubts: Collection[Doubt], owners: Collection[int]) -> list[str]:
    """Return what is wrong with the path, if these owners are permitted."""
    return [what for each in doubts if (what := each.fault(owners))]


def _daemon(state: Path | None, user: str) -> int:
    if state is not None:
        with contextlib.suppress(FileNotFoundError), folders.opened(state) as folder:
            return folder.uid
    return pwd.getpwnam(user).pw_uid


def _doubts(reached: Reached) -> tuple[Doubt, ...]:
    """Return each step that others than root and this process's user could change: on most paths none."""
    us, found = {0, os.geteuid()}, dict[Path, Doubt]()
    last = len(reached.steps) - 1
    for number, step in enumerate(reached.steps):
        # In a sticky folder such as /tmp only a file's owner may put another in its place.
        writable = folders.shared(step.within) and not step.within.st_mode & stat.S_ISVTX
        if writable or step.within.st_uid not in us:
            found[step.above] = Doubt(step.above, step.within.st_uid, writable, link=False)
        kind = step.found.st_mode
        # Write permission on a link, a socket or a device doesn't change what it is.
        writable = number == last and (stat.S_ISREG(kind) or stat.S_ISDIR(kind)) and folders.shared(step.found)
        if writable or step.found.st_uid not in us:
            found[step.path] = Doubt(step.path, step.found.st_uid, writable, link=stat.S_ISLNK(kind))
    return tuple(found.values())
