"""What is read as configuration, and who else could have written it: what stands on its way, itself included.

Whoever may change a users file, a secret, or a folder above them says who gets in. So nobody may but root and the user
that runs the daemon: sshd, sudo and FreeRADIUS ask for the same. What may be changed by others is seen on the very
descriptors by which it is opened, and judged once it is known who the daemon's user is.
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
    """Something on the way that others than root, or than who runs this, could change. `writable`: by its mode."""

    place: Path
    uid: int
    writable: bool
    link: bool

    def fault(self, owners: Collection[int]) -> str:
        """Say what is wrong with it and what mends it, if it may belong to these `owners`; empty: nothing is."""
        named = shlex.quote(str(self.place))
        if self.uid not in owners:
            chown = "chown -h" if self.link else "chown"
            return (
                f"{self.place} is {name_of(self.uid)}'s, who is neither root nor the user that aad runs as: "
                f"{chown} root {named}"
            )
        return f"others than its owner may write to {self.place}: chmod go-w {named}" if self.writable else ""


class Opened(NamedTuple):
    """A file open for reading, to be closed, and what is to be judged of its way."""

    descriptor: int
    doubts: tuple[Doubt, ...]


def opened(path: Path) -> Opened:
    """Open a file, or a pipe that somebody else fills. OSError: there is none, or it is a folder."""
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
    """Return what is in a file, and what is to be judged of its way. OSError."""
    descriptor, doubts = opened(path)
    with open(descriptor, "rb") as file:  # noqa: PTH123 - of a descriptor
        return file.read(), doubts


def doubts(path: Path) -> tuple[Doubt, ...]:
    """Return what is to be judged of the way to a file or folder that somebody else opens, by the same path. OSError.

    If nothing is wrong with it, nobody can lead that path elsewhere meanwhile.
    """
    reached = folders.walked(path, to_a_file=True)
    os.close(reached.descriptor)
    return _doubts(reached)


def owners(state: Path | None = None, user: str = "") -> frozenset[int]:
    """Return who may own it: root, who runs this, and, for root, the daemon's user, whom root's commands become.

    That is the owner of the folder `state`, or, where there is none, `user`, if there is one of this name.
    """
    found = {0, os.geteuid()}
    if folders.privileged():
        with contextlib.suppress(OSError, KeyError):
            found.add(_daemon(state, user))
    return frozenset(found)


def faults(doubts: Collection[Doubt], owners: Collection[int]) -> list[str]:
    """Return what is wrong with the way, if it may belong to these owners."""
    return [what for each in doubts if (what := each.fault(owners))]


def _daemon(state: Path | None, user: str) -> int:
    if state is not None:
        with contextlib.suppress(FileNotFoundError), folders.opened(state) as folder:
            return folder.uid
    return pwd.getpwnam(user).pw_uid


def _doubts(reached: Reached) -> tuple[Doubt, ...]:
    """Keep what not root alone, nor who runs this, could change: most ways have nothing of the kind."""
    us, found = {0, os.geteuid()}, dict[Path, Doubt]()
    last = len(reached.steps) - 1
    for number, step in enumerate(reached.steps):
        # In a folder such as /tmp only the owner of a thing may put another in its place.
        writable = folders.shared(step.within) and not step.within.st_mode & stat.S_ISVTX
        if writable or step.within.st_uid not in us:
            found[step.above] = Doubt(step.above, step.within.st_uid, writable, link=False)
        kind = step.found.st_mode
        # Who may write to a link, a socket or a device can't change what it is.
        writable = number == last and (stat.S_ISREG(kind) or stat.S_ISDIR(kind)) and folders.shared(step.found)
        if writable or step.found.st_uid not in us:
            found[step.path] = Doubt(step.path, step.found.st_uid, writable, link=stat.S_ISLNK(kind))
    return tuple(found.values())
