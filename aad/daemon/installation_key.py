"""The installation's key, kept beside the store's file: made by the first process that needs it."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

from aad.core.secret import Secret
from aad.filesystem import folders
from aad.filesystem.folders import Folder
from aad.ports import Unavailable

KEY_OCTETS = 32
MOST_OCTETS = 4096  # of a key; a longer file is something else


def key_at(path: Path) -> Secret:
    """Return the key, and make it if there is none (0600). Unavailable: it can't be read or made, and why."""
    try:
        with folders.opened(path.parent) as folder:
            try:
                octets = _read(folder, path.name)
            except FileNotFoundError:
                _make(folder, path.name)
                octets = _read(folder, path.name)
    except OSError as error:
        message = f"{path}: {error.strerror}"
        raise Unavailable(message, where="store") from None
    key = Secret(octets)
    if not KEY_OCTETS <= len(key) <= MOST_OCTETS:
        words = "remove it, and a new one is made (waiting logins and enrolments end)"
        message = f"{path}: should have {KEY_OCTETS} octets; {words}"
        raise Unavailable(message, where="store")
    return key


def _read(folder: Folder, name: str) -> bytes:
    with open(folder.open(name, os.O_RDONLY), "rb") as file:  # noqa: PTH123 - of a descriptor
        return file.read(MOST_OCTETS + 1)


def _make(folder: Folder, name: str) -> None:
    """Make a key whose file appears whole or not at all: another process may be reading it, or making one."""
    draft, there = f".{name}.{os.getpid()}-{secrets.token_hex(4)}", folder.descriptor
    made = folder.make(draft, os.O_WRONLY, 0o600)
    try:
        with open(made, "wb") as file:  # noqa: PTH123 - of a descriptor
            file.write(secrets.token_bytes(KEY_OCTETS))
        with contextlib.suppress(FileExistsError):  # of many, the first one counts
            os.link(draft, name, src_dir_fd=there, dst_dir_fd=there, follow_symlinks=False)
    finally:
        os.unlink(draft, dir_fd=there)
