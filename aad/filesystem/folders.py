"""Folders held open by descriptor: a file opened below one is in that folder, wherever its path leads by then.

For root a path is walked step by step, and no step may be changeable by other users: they would choose which files root
reads, writes and gives away.
"""

from __future__ import annotations

import contextlib
import errno
import os
import pwd
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

MOST_LINKS = 40  # symbolic links on the way, as path_resolution(7) has it
_FOLDER = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
_STEP = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_OPEN = re.compile(r"/proc/[0-9]+/fd")
_ID_MAP = Path("/proc/self/uid_map")


class UnsafeFolderError(OSError):
    """Another user may change the path to a folder, or the folder; `strerror` says which user, and what helps."""

    def __init__(self, path: Path, words: str) -> None:
        """Take the folder's path, and the reason in words."""
        super().__init__(errno.EPERM, words, str(path))


@dataclass(frozen=True)
class Folder:
    """A folder held by a descriptor (O_PATH). `path`: where it is, without symbolic links if root has opened it.

    `shared`: others than its owner may write to it.
    """

    path: Path
    descriptor: int
    uid: int
    gid: int
    shared: bool

    def __enter__(self) -> Self:
        """Return the folder."""
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """Close the descriptor."""
        os.close(self.descriptor)

    def make(self, name: str, flags: int, mode: int) -> int:
        """Make a new file; made by root, it belongs to the folder's owner. FileExistsError, OSError."""
        flags |= os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = self._opened(name, flags, mode)
        try:
            if privileged():
                os.fchown(descriptor, self.uid, self.gid)
            os.fchmod(descriptor, mode)  # whatever the umask is
        except OSError:
            os.close(descriptor)
            raise
        return descriptor

    def open(self, name: str, flags: int) -> int:
        """Open an existing file, without waiting for a pipe's other end. OSError, also of a pipe.

        Where others may write, root opens only a regular file without other links, of root or of the folder's owner.
        """
        flags |= os.O_NONBLOCK | os.O_CLOEXEC
        if privileged() and (self.uid != 0 or self.shared):
            descriptor = self._own(name, flags)
        else:
            descriptor = self._opened(name, flags)
        if stat.S_ISFIFO(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise OSError(errno.EINVAL, "is a pipe, not a file", str(self.path / name))
        os.set_blocking(descriptor, True)
        return descriptor

    def _own(self, name: str, flags: int) -> int:
        """Check the file by a descriptor of its place (O_PATH), and open that one. OSError."""
        handle = self._opened(name, _STEP)
        try:
            found = os.fstat(handle)
            if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1 or found.st_uid not in {0, self.uid}:
                raise OSError(errno.EINVAL, "is a link, a pipe, or another user's", str(self.path / name))
            return os.open(f"/proc/self/fd/{handle}", flags & ~os.O_NOFOLLOW)
        finally:
            os.close(handle)

    def _opened(self, name: str, flags: int, mode: int = 0) -> int:
        try:
            return os.open(name, flags, mode, dir_fd=self.descriptor)
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self.path / name)) from None


@dataclass(frozen=True)
class Step:
    """One name looked up on a path: `within`: the folder `above`; `found`: the thing at `path`."""

    above: Path
    within: os.stat_result
    path: Path
    found: os.stat_result


@dataclass(frozen=True)
class Reached:
    """The end of a path: a descriptor (O_PATH), to be closed; the path without symbolic links; each step to it."""

    descriptor: int
    place: Path
    steps: tuple[Step, ...]


def privileged() -> bool:
    """Return whether this process is root: of the machine or of a container, not of a namespace that maps one user."""
    if os.geteuid() != 0:
        return False
    try:
        mapped = [int(line.split()[2]) for line in _ID_MAP.read_text("ascii").splitlines()]
    except (OSError, ValueError, IndexError):
        return True
    return sum(mapped) != 1


def opened(path: Path) -> Folder:
    """Open a folder. OSError: there is none; UnsafeFolderError: for root, another user may change which one it is.

    The owner of the folder may: root acts as that owner then (`aad.filesystem.privileges`), and can do no more.
    """
    if privileged():
        return _walked(path)
    return _folder(path, os.open(path, _FOLDER))


def made(path: Path, mode: int) -> Folder:
    """Open a folder, made with this mode if there is none, as are those above it. OSError, UnsafeFolderError."""
    try:
        return opened(path)
    except FileNotFoundError:
        with made(path.parent, 0o755) as above, contextlib.suppress(FileExistsError):
            os.mkdir(path.name, mode, dir_fd=above.descriptor)
    return opened(path)


def waited_for(path: Path) -> bool:
    """Return whether it is a pipe, a socket or a device: opening one may wait for ever."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def name_of(uid: int) -> str:
    """Return the name of a user, or the number of one without a name."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def _folder(path: Path, descriptor: int) -> Folder:
    found = os.fstat(descriptor)
    return Folder(path, descriptor, found.st_uid, found.st_gid, shared(found))


def walked(path: Path, *, to_a_file: bool = False) -> Reached:
    """Walk a path name by name, following symbolic links, to a folder, or `to_a_file` of any kind. OSError."""
    names = list(path.absolute().parts[:0:-1])
    steps: list[Step] = []
    at, where, links = os.open("/", _FOLDER), Path("/"), 0
    within = os.fstat(at)
    try:
        while names:
            name = names.pop()
            last = to_a_file and not names
            taken = last and _OPEN.fullmatch(str(where))
            child = _open_already(name, at, path) if taken else _step(name, at, path, to_a_file=last)
            step = Step(where, within, where.parent if name == ".." else where / name, os.fstat(child))
            steps.append(step)
            if not stat.S_ISLNK(step.found.st_mode):
                os.close(at)
                at, where, within = child, step.path, step.found
                continue
            links += 1
            target = Path(_target(child, path, links))
            names += [part for part in reversed(target.parts) if part != "/"]
            if target.is_absolute():
                at, before, where = os.open("/", _FOLDER), at, Path("/")
                os.close(before)
                within = os.fstat(at)
        return Reached(at, where, tuple(steps))
    except BaseException:
        os.close(at)
        raise


def shared(found: os.stat_result) -> bool:
    """Return whether others than its owner may write to it; an ACL's mask appears as the group's rights."""
    return bool(found.st_mode & (stat.S_IWGRP | stat.S_IWOTH))


def _walked(path: Path) -> Folder:
    """Open a folder name by name. OSError; UnsafeFolderError: another user may change which one it is."""
    reached = walked(path)
    try:
        _judge(path, reached.steps, os.fstat(reached.descriptor))
        return _folder(reached.place, reached.descriptor)
    except BaseException:
        os.close(reached.descriptor)
        raise


def _open_already(name: str, at: int, path: Path) -> int:
    """Open again what a process has open: `/dev/stdin`, `<(command)`. Its link has no path to walk. OSError."""
    try:
        return os.open(name, os.O_PATH | os.O_CLOEXEC, dir_fd=at)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None


def _step(name: str, at: int, path: Path, *, to_a_file: bool) -> int:
    """Open one name as a folder or a symbolic link, or as anything. OSError, which names the whole path."""
    try:
        try:
            return os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=at)  # first this way: it triggers automounts
        except NotADirectoryError:
            child = os.open(name, _STEP, dir_fd=at)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None
    if to_a_file or stat.S_ISLNK(os.fstat(child).st_mode) or stat.S_ISDIR(os.fstat(child).st_mode):
        return child
    os.close(child)
    raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))


def _target(link: int, path: Path, number: int) -> str:
    """Return the target of a symbolic link, the `number`th on the path, and close it. OSError."""
    try:
        if number > MOST_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
        return os.readlink("", dir_fd=link)
    finally:
        os.close(link)


def _judge(path: Path, steps: tuple[Step, ...], folder: os.stat_result) -> None:
    """Raise UnsafeFolderError if a user other than root and the folder's owner can change the path to it."""
    owner = folder.st_uid
    for step in steps:
        for place, found in ((step.above, step.within), (step.path, step.found)):
            if found.st_uid not in {0, owner}:
                words = f"{place} on the way to it is {name_of(found.st_uid)}'s, who could lead root elsewhere"
                raise UnsafeFolderError(path, words)
        # In a sticky folder such as /tmp only a file's owner may put another in its place.
        others = stat.S_IWOTH if owner else stat.S_IWGRP | stat.S_IWOTH
        if step.within.st_mode & others and not step.within.st_mode & stat.S_ISVTX:
            words = f"others than root may write to {step.above} on the way to it: chmod go-w {step.above}"
            raise UnsafeFolderError(path, words)
