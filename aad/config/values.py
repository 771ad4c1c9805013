"""One value of aad.toml -> the type its `Settings` field names. A ValueError says what would be right."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_origin

from aad.config.files import SECRET_FORMS
from aad.core.secret import Secret
from aad.core.settings import Duration, Pairs, Rate, duration, rate, spoken
from aad.filesystem import secure_path
from aad.filesystem.secure_path import Doubt


@dataclass(frozen=True)
class Place:
    """The origin of a value: the file (relative paths start there), and where to report warnings.

    `doubt`: takes the doubts about a path of a file that was read; see `Findings.doubt`.
    """

    file: Path
    warn: Callable[[str], None]
    doubt: Callable[[Iterable[Doubt]], None]


def value_of(hint: Any, value: object, place: Place) -> Any:
    """Return `value` as the type `hint`. ValueError: it doesn't fit, and what would."""
    if isinstance(hint, UnionType):  # "Path | None": a value in the file is never None
        return value_of(get_args(hint)[0], value, place)
    if get_origin(hint) is tuple:
        item = get_args(hint)[0]
        if item is Secret and not isinstance(value, list):
            value = [value]
        if not isinstance(value, list):
            raise ValueError(_should("a list", value))
        return tuple(value_of(item, one, place) for one in value)
    return _READERS[hint](value, place)


def readable(hint: Any) -> bool:
    """Return whether `value_of` knows a type."""
    if isinstance(hint, UnionType):
        return readable(get_args(hint)[0])
    return (get_args(hint)[0] if get_origin(hint) is tuple else hint) in _READERS


def within(hints: Any, value: Any) -> None:
    """Check a value by `choices`, `at_least` and `at_most` of its option. ValueError."""
    if hints["choices"] and value not in hints["choices"]:
        choices = ", ".join(f'"{choice}"' for choice in hints["choices"])
        message = f'"{value}" should be one of {choices}'
        raise ValueError(message)
    low, high = hints["at_least"], hints["at_most"]
    if (low is not None and value < low) or (high is not None and value > high):
        written = spoken if isinstance(value, float) else str
        message = f"{written(value)} should be {f'at least {written(low)}' if low is not None else ''}"
        message += " and " if low is not None and high is not None else ""
        message += f"at most {written(high)}" if high is not None else ""
        raise ValueError(message)


def _plain(kind: type, article: str) -> Callable[[object, Place], Any]:
    def read(value: object, _place: Place) -> Any:
        if type(value) is not kind:  # a bool is no int here
            raise ValueError(_should(article, value))
        return value

    return read


def _pairs(value: object, _place: Place) -> Pairs:
    """Read names with a text, a number, or a list of them."""
    if not isinstance(value, dict):
        raise ValueError(_should("a table", value))  # noqa: TRY004 - all faults are ValueErrors here
    pairs = []
    for name, given in value.items():
        items = given if isinstance(given, list) else [given]
        if not all(isinstance(item, str | int) and not isinstance(item, bool) for item in items):
            message = f"{name} should be a text, a number, or a list of them"
            raise ValueError(message)
        pairs.append((name, tuple(str(item) for item in items)))
    return Pairs(tuple(pairs))


def _path(value: object, place: Place) -> Path:
    if not isinstance(value, str) or not value:
        raise ValueError(_should("a path", value))
    return (place.file.parent / value).absolute()


def _secret(value: object, place: Place) -> Secret:
    if isinstance(value, str):
        if place.file.stat().st_mode & stat.S_IROTH:
            message = f'a secret in a file that everybody may read: chmod o-r {place.file}, or use {{ file = "PATH" }}'
            raise ValueError(message)
        return Secret(value)
    if not isinstance(value, dict) or len(value) != 1 or SECRET_FORMS.isdisjoint(value):
        # The value isn't quoted in the message: it was meant to be a secret.
        message = 'should be "text", { file = "PATH" }, { credential = "NAME" } or { env = "NAME" }'
        raise ValueError(message)
    ((form, name),) = value.items()
    if not isinstance(name, str) or not name:
        message = f"{form} should be a name in quotes"
        raise ValueError(message)
    return Secret(_SECRET_READERS[form](name, place))


def _secret_file(name: str, place: Place) -> bytes:
    path = _path(name, place)
    try:
        descriptor, doubts = secure_path.opened(path)
        with open(descriptor, "rb") as file:  # noqa: PTH123 - of a descriptor
            if os.fstat(descriptor).st_mode & stat.S_IROTH:
                place.warn(f"{path} may be read by others: chmod o-r {path}")
            octets = file.read()
    except OSError as error:
        message = f"{path} can't be read: {error.strerror}"
        raise ValueError(message) from None
    place.doubt(doubts)
    return octets.removesuffix(b"\n").removesuffix(b"\r")


def _secret_credential(name: str, place: Place) -> bytes:
    """Read a credential that systemd loaded for the unit; for a command run by hand: the file systemd would load."""
    home = place.file.parent.parent if place.file.parent.suffix == ".d" else place.file.parent
    folder = Path(os.environ.get("CREDENTIALS_DIRECTORY") or home / "credentials")
    # systemd 252 loads each file of a folder as ID_NAME, and aad.service calls the folder "aad".
    found = [
        folder / called for called in (name, f"aad_{name}") if "/" not in name and os.path.lexists(folder / called)
    ]
    if found:
        return _secret_file(str(found[0]), place)
    if folder.exists() and not os.access(folder, os.X_OK):
        message = f'credential "{name}" can\'t be read: {folder} is for the daemon and root only'
        raise ValueError(message)
    right = f"put it into {home / 'credentials' / name}, for root only, or the unit needs LoadCredential={name}:PATH"
    message = f"credential \"{name}\" isn't in {folder}: {right}; then restart, a reload isn't enough"
    raise ValueError(message)


def _secret_env(name: str, _place: Place) -> bytes:
    if name not in os.environ:
        message = f"{name} is not in the environment"
        raise ValueError(message)
    return os.environb[name.encode()]


def _should(article: str, value: object) -> str:
    kinds = {bool: "true or false", int: "a number", float: "a number", str: "a text", list: "a list", dict: "a table"}
    return f"should be {article}, is {kinds.get(type(value), type(value).__name__)}"


_SECRET_READERS = {"file": _secret_file, "credential": _secret_credential, "env": _secret_env}
_READERS: dict[Any, Callable[[object, Place], Any]] = {
    str: _plain(str, "a text in quotes"),
    bool: _plain(bool, "true or false"),
    int: _plain(int, "a whole number"),
    Duration: lambda value, _place: duration(value),
    Rate: lambda value, _place: rate(value),
    Path: _path,
    Pairs: _pairs,
    Secret: _secret,
}
