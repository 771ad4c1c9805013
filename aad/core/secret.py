"""Secret: octets that don't print, and compare in constant time."""

from __future__ import annotations

import hmac
from typing import NoReturn


class Secret:
    """Octets that must not reach a log, an exception's text or a pickle.

    Text is held as UTF-8. `reveal` and `text` are the only ways out; grep for them to see each use.
    """

    __slots__ = ("_octets",)

    def __init__(self, value: bytes | str) -> None:
        """Hold `value`; text becomes its UTF-8 octets, and what Python could not read (PEP 383) what it was."""
        self._octets = _encoded(value) if isinstance(value, str) else bytes(value)

    def reveal(self) -> bytes:
        """Return the octets."""
        return self._octets

    def text(self) -> str:
        """Return the text; UnicodeDecodeError is replaced by a ValueError that doesn't quote the octets."""
        try:
            return self._octets.decode()
        except UnicodeDecodeError:
            message = "the secret is not UTF-8"
            raise ValueError(message) from None

    def __bool__(self) -> bool:
        """Say whether there is anything: no octets, or nothing but NULs, counts as empty (a padded empty password)."""
        return bool(self._octets.strip(b"\0"))

    def __len__(self) -> int:
        """Count the octets."""
        return len(self._octets)

    def __eq__(self, other: object) -> bool:
        """Compare in constant time, with secrets only."""
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._octets, other._octets)

    def __hash__(self) -> NoReturn:
        """Refuse: a hash table compares in variable time."""
        message = "a Secret can't be a key"
        raise TypeError(message)

    def __repr__(self) -> str:
        """Show nothing, not even the length."""
        return "Secret(***)"

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled or copied into a file by accident."""
        message = "a Secret can't be pickled"
        raise TypeError(message)


def _encoded(text: str) -> bytes:
    """Encode; UnicodeEncodeError, which quotes the text, is replaced by a ValueError that doesn't."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        message = "the secret is not UTF-8"
        raise ValueError(message) from None
