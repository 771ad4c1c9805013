"""The installation's key, kept beside the store's file: made at the first start, by whoever comes first."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

from aad.core.secret import Secret
from aad.ports import Unavailable

KEY_OCTETS = 32


def key_at(path: Path) -> Secret:
    """Return the key, and make it if there is none (0600). Unavailable: it can't be had, and why."""
    try:
        if not path.exists():
            _make(path)
        key = Secret(path.read_bytes())
    except OSError as error:
        message = f"{path}: {error.strerror}"
        raise Unavailable(message, where="store") from None
    if len(key) < KEY_OCTETS:
        words = "remove it, and a new one is made (waiting logins and enrolments end)"
        message = f"{path}: should have {KEY_OCTETS} octets; {words}"
        raise Unavailable(message, where="store")
    return key


def _make(path: Path) -> None:
    """Make a key that is there whole or not at all: somebody else may be looking for it, or making one."""
    draft = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}")
    try:
        draft.touch(mode=0o600, exist_ok=False)
        draft.write_bytes(secrets.token_bytes(KEY_OCTETS))
        if os.geteuid() == 0:  # a command run by root before the daemon ever was: the daemon must be able to read it
            folder = path.parent.stat()
            os.chown(draft, folder.st_uid, folder.st_gid)
        with contextlib.suppress(FileExistsError):  # of many, the first one counts
            os.link(draft, path)
    finally:
        draft.unlink(missing_ok=True)
