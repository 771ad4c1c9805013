"""Who asks, from where, for what (Attempt), and who that is (User)."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import cached_property

from aad.core.answer import Answer


def name_key(name: str) -> str:
    """Fold a name so that every spelling a directory takes for the same user gives the same key.

    After LDAP's caseIgnoreMatch (RFC 4518 2): compatibility characters, case, invisible characters and spaces
    make no difference. Limits and lockouts count by this key.
    """
    if name.isascii() and name.isprintable():
        return " ".join(name.lower().split())
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    seen = "".join(c for c in folded if c.isspace() or unicodedata.category(c) not in {"Cc", "Cf", "Mn"})
    # Hangul letters may join once what stood between them is gone; a key must be its own key.
    return " ".join(unicodedata.normalize("NFKC", seen).split())


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """What a front reports: somebody at `endpoint` wants in, as `name`, for `event`, and gave `answer`.

    `deadline`: until when the front needs an outcome, in `time.monotonic()` seconds.
    `caller`: where the user is, as the endpoint tells it (Calling-Station-Id); may be empty, is never trusted.
    """

    event: str
    endpoint: str
    name: str
    answer: Answer
    deadline: float
    caller: str = ""

    @cached_property
    def key(self) -> str:
        """The name, folded."""
        return name_key(self.name)


@dataclass(frozen=True, kw_only=True)
class User:
    """One user of a repository.

    `name` is the repository's spelling; `handle` is what the repository finds him by again (a DN);
    `addresses` are as the repository holds them, valid or not, in its order.
    """

    name: str
    repository: str
    handle: str
    addresses: tuple[str, ...] = ()
    groups: frozenset[str] = frozenset()
    language: str = ""

    @cached_property
    def key(self) -> str:
        """The name, folded: one person is one key, whatever the spelling."""
        return name_key(self.name)
