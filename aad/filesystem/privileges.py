"""Root's commands drop their privileges, for good, before they open files of the daemon's user.

That user can put anything into its folders: links to root's files, pipes, a database that changes under the reader.
Opened as root, these would make root read or write the wrong file; opened as their owner, the owner gains nothing.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import pwd
import resource
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from aad.filesystem import folders
from aad.filesystem.folders import Folder, UnsafeFolderError, name_of

NOGROUP = 65534
_STATUS = Path("/proc/self/status")
_PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 4, 38  # prctl(2)
_CLONE_NEWNS = 0x20000
_MS_NOSUID, _MS_NODEV, _MS_NOEXEC, _MS_BIND, _MS_REC, _MS_PRIVATE = 0x2, 0x4, 0x8, 0x1000, 0x4000, 0x40000
_RIGHT = "give it to the user that aad runs as, mode 0700"


class PrivilegesError(Exception):
    """Root can't become the user that it has to become; the text says why, and what helps."""


@dataclass(frozen=True)
class Account:
    """The user to become."""

    uid: int
    gid: int

    @property
    def name(self) -> str:
        """The user's name, or "user NUMBER" for one without a name."""
        return name_of(self.uid)


def become_owner(path: Path, also: Sequence[Path] = (), *, shared: bool = False) -> None:
    """As root: become the owner of a folder, for good, before anything in it is opened. Does nothing for other users.

    `also`: further folders that will be opened, if they exist. Root stays root where the folder is root's own and no
    other user can change the way to it, nor, unless it may be `shared`, write to it. PrivilegesError: there is no such
    folder, another user may change which one it is, or root can't become its owner.
    """
    if not folders.privileged():
        return
    try:
        with folders.opened(path) as folder:
            if folder.uid == 0:
                if not shared:
                    _judge(path, folder)
                return
            _become(_owner(folder), (path, *also))
            if not os.path.samestat(path.stat(), os.fstat(folder.descriptor)):
                message = f"{path} has been replaced by another folder at this moment"
                raise PrivilegesError(message)
    except OSError as error:
        raise PrivilegesError(_words(path, error)) from None


def become_user(name: str, also: Sequence[Path] = ()) -> None:
    """As root: become a user, for good; does nothing for other users. PrivilegesError: there is no such user."""
    if not folders.privileged():
        return
    try:
        found = pwd.getpwnam(name)
    except KeyError:
        right = "make it (systemd-sysusers aad.conf), or name another as store.daemon_user"
        message = f"root's commands run as the user that aad runs as, and there is no user {name!r}: {right}"
        raise PrivilegesError(message) from None
    if found.pw_uid:
        _become(Account(found.pw_uid, found.pw_gid), also)


def keep_memory_private() -> None:
    """Forbid tracing and core dumps of this process and its children, but by root.

    A change of user undoes the first: call it again then. OSError.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _called(ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0))


def settled(path: Path) -> None:
    """Check, as root, that a folder is root's own and no other user may write to it. PrivilegesError."""
    if not folders.privileged():
        return
    try:
        with folders.opened(path) as folder:
            _judge(path, folder)
    except OSError as error:
        raise PrivilegesError(_words(path, error)) from None


def _judge(path: Path, folder: Folder) -> None:
    """Raise UnsafeFolderError if others than root may write to a folder that root will use as root."""
    if folder.uid:
        raise UnsafeFolderError(path, f"is {name_of(folder.uid)}'s, and root must not open what is in it")
    if folder.shared:
        raise UnsafeFolderError(path, f"is root's, and others may write to it: {_RIGHT}")


def _words(path: Path, error: OSError) -> str:
    right = "; make it, owned by the user that aad runs as, mode 0700" if isinstance(error, FileNotFoundError) else ""
    return f"{path}: {error.strerror}{right}"


def _owner(folder: Folder) -> Account:
    """Return the owner, with the user's own group: the folder's may be root's."""
    with contextlib.suppress(KeyError):
        return Account(folder.uid, pwd.getpwuid(folder.uid).pw_gid)
    return Account(folder.uid, folder.gid or NOGROUP)  # of DynamicUser=, both have the same number


def _become(user: Account, paths: Sequence[Path]) -> None:
    """Make the user's folders reachable for them, then become the user. PrivilegesError."""
    try:
        closed = _closed(user, paths)
        if closed:
            _open_ways(user, closed)
        _drop(user)
    except OSError as error:
        message = f"root can't become {user.name}: {error.strerror}; run the command as that user"
        raise PrivilegesError(message) from None


def _drop(user: Account) -> None:
    """Give up root's ids, groups and capabilities, and check that they are gone. OSError, PrivilegesError."""
    os.setgroups([])
    os.setresgid(user.gid, user.gid, user.gid)
    os.setresuid(user.uid, user.uid, user.uid)
    ids = (set(os.getresuid()), set(os.getresgid()), set(os.getgroups()) - {user.gid})
    status = dict(line.partition(":")[::2] for line in _STATUS.read_text("ascii", "replace").splitlines())
    if ids != ({user.uid}, {user.gid}, set()) or int(status["CapPrm"], 16) or int(status["CapEff"], 16):
        message = f"root has become {user.name}, and still has rights of root's"
        raise PrivilegesError(message)
    keep_memory_private()  # root's secrets are in it
    libc = ctypes.CDLL(None, use_errno=True)
    _called(libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    os.umask(0o077)


@contextlib.contextmanager
def _acting_as(user: Account) -> Iterator[None]:
    """Take the user's effective ids for the context, to check what they may access. OSError."""
    groups, gid = os.getgroups(), os.getegid()
    os.setgroups([])
    os.setegid(user.gid)
    os.seteuid(user.uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(gid)
        os.setgroups(groups)


def _closed(user: Account, paths: Sequence[Path]) -> dict[Path, set[Path]]:
    """Return the user's folders that they can't reach: the folder that is closed to them -> folders behind it.

    PrivilegesError: the user can't read the program itself, which would fail later.
    """
    owned = []
    for path in paths:
        with contextlib.suppress(OSError), folders.opened(path) as folder:
            owned += [folder.path] if folder.uid == user.uid else []
    found: dict[Path, set[Path]] = {}
    with _acting_as(user):
        for program in (__file__, os.__file__):
            if not os.access(program, os.R_OK, effective_ids=True):
                message = f"{program} can't be read by {user.name}: install aad where every user may read it"
                raise PrivilegesError(message)
        for path in owned:
            if gate := next((each for each in reversed(path.parents) if _shut(each)), None):
                found.setdefault(gate, set()).add(path)
    return found


def _shut(folder: Path) -> bool:
    try:
        os.stat(f"{folder}/.")  # noqa: PTH116 - a Path leaves the dot out, and to see a folder isn't to pass it
    except OSError:
        return True
    return False


def _open_ways(user: Account, closed: dict[Path, set[Path]]) -> None:
    """Make the user's folders reachable behind closed ones, by mounts in a namespace of this process.

    systemd does so for DynamicUser=: the folder is in /var/lib/private, which root alone may pass. OSError: it can't be
    done; PrivilegesError: what is closed is not root's own.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mount.argtypes = (ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p)
    _called(libc.unshare(_CLONE_NEWNS))
    _called(libc.mount(None, b"/", None, _MS_REC | _MS_PRIVATE, None))
    for gate, paths in closed.items():
        with contextlib.ExitStack() as stack:
            held = [stack.enter_context(folders.opened(path)) for path in paths]
            before = stack.enter_context(folders.opened(gate))
            if before.uid or before.shared:
                message = f"{gate} is closed to {user.name}, and isn't root's own"
                raise PrivilegesError(message)
            flags = _MS_NOSUID | _MS_NODEV | _MS_NOEXEC
            _called(libc.mount(b"aad", os.fsencode(gate), b"tmpfs", flags, b"mode=0711,size=64k"))
            for folder in held:
                for each in (*reversed(folder.path.relative_to(gate).parents), folder.path.relative_to(gate)):
                    (gate / each).mkdir(exist_ok=True)
                    (gate / each).chmod(0o711)  # whatever the umask is
                _called(
                    libc.mount(b"/proc/self/fd/%d" % folder.descriptor, os.fsencode(folder.path), None, _MS_BIND, None)
                )


def _called(result: int) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
