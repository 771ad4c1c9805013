"""The attempt that a front reports (Attempt), and the user of a repository that it is about (User)."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from aad.core.answer import Answer
from aad.core.distinguished_name import LONGEST, DnError
from aad.core.group_name import group_key
from aad.core.string_preparation import growth
from aad.core.user_address import UNKNOWN, UserAddress

MOST_IN_GROUPS = 1 << 18
"""Characters in the names of one user's groups, altogether: two thousand long ones. More would hold up other logins.

One that isn't ASCII counts for four, as it takes as long as those.
"""
_MOST_GROWTH = 1000  # characters that all of them together may become longer when they are compared
_MOST_UNREADABLE = 100  # groups, each of which costs ten times as much as another
_SHOWN = 100  # characters of a group that could not be read


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


def _weight(group: str) -> int:
    return len(group) if group.isascii() else 4 * len(group) - 3 * len(group.encode("ascii", "ignore"))


def presentable(name: str) -> str:
    """Return a name as it may stand in a log or a mail: what can't be printed is U+FFFD."""
    return name if name.isprintable() else "".join(c if c.isprintable() else "\ufffd" for c in name)


def odd(name: str) -> bool:
    """Say whether a name isn't what was typed, or can't be a user's: no user should be looked up by it."""
    return "\ufffd" in name or not name.isprintable()


@dataclass(frozen=True)
class Named:
    """A name as typed, taken apart.

    `repository`: the one that the realm stands for, if one was typed; `chain`: the short name of a chain, as
    `name_key` has it, if one was typed.
    """

    name: str
    repository: str = ""
    chain: str = ""

    @cached_property
    def key(self) -> str:
        """The name, folded."""
        return name_key(self.name)


def named(typed: str, realms: Mapping[str, str], short_names: Collection[str]) -> Named:
    r"""Take apart "alice", "CORP\alice", "alice@corp.example.com" and any of them with "mail" behind.

    Only realms and short names that are known are taken off: else a name is a name, whatever it looks like.
    `realms`: realm -> repository; realms and `short_names` are as `name_key` has them. Two spellings of one key come to
    the same user, repository and chain, whatever stands for the backslash, the `@` and the blanks in them.
    """
    found = _apart(typed, realms, short_names)
    if typed.isascii():
        return found
    folded = _apart(name_key(typed), realms, short_names)
    same = (found.repository, found.chain, found.key) == (folded.repository, folded.chain, folded.key)
    return found if same else folded


def _apart(typed: str, realms: Mapping[str, str], short_names: Collection[str]) -> Named:
    name, chain = typed, ""
    words = typed.rsplit(maxsplit=1)
    if len(words) > 1 and (key := name_key(words[1])) in short_names:
        name, chain = words[0].strip(), key
    realm, _, user = name.partition("\\")
    if user.strip() and (repository := realms.get(name_key(realm))):
        return Named(user, repository, chain)
    user, _, realm = name.rpartition("@")
    if user.strip() and (repository := realms.get(name_key(realm))):
        return Named(user, repository, chain)
    return Named(name, "", chain)


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One try to log in, as a front reports it: at `client`, as `name`, for `event`, with `answer`.

    `deadline`: until when the front needs an outcome, in `time.monotonic()` seconds.
    `calling_station`: where the user is, by the client's word (Calling-Station-Id); may be empty, is never trusted.
    `user_address`: the user's network address, as far as the client is trusted to tell it; else it is unknown.
    `counted`: the place (`user_address.place_of`) whose turns it takes at its client; empty: it is unknown.
    `appended_code`: what came behind the password in one field; `maybe_split`: password and code, if both may be in it.
    """

    event: str
    client: str
    name: str
    answer: Answer
    deadline: float
    calling_station: str = ""
    user_address: UserAddress = UNKNOWN
    counted: str = ""
    appended_code: Answer | None = None
    maybe_split: tuple[Answer, Answer] | None = None

    @cached_property
    def key(self) -> str:
        """The name, folded."""
        return name_key(self.name)


@dataclass(frozen=True)
class Bar:
    """Why an account is barred, or why the repository can't tell: a `Reason`, and the details for the log."""

    reason: str
    because: str


@dataclass(frozen=True, kw_only=True)
class User:
    """One user of a repository.

    `name` is the repository's spelling; `handle` is what the repository finds them by again (a DN);
    `addresses` are as the repository holds them, valid or not, in its order; `attributes` are what else was asked for
    by the configuration, by name. `groups_are_dns`: the repository names groups by their DN and in no other way.
    `barred`: why only a chain by which the repository is asked for the password may let the user in; None: the account
    isn't barred.
    """

    name: str
    repository: str
    handle: str
    addresses: tuple[str, ...] = ()
    groups: frozenset[str] = frozenset()
    groups_are_dns: bool = False
    language: str = ""
    attributes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    barred: Bar | None = None

    def is_member(self, keys: frozenset[str]) -> bool | None:
        """Say whether the user is in one of the groups with these `keys` (`aad.core.group_name`).

        None: it can't be told, as not all of the user's groups are known: `unknown_group` says why. The caller must
        take that for the answer that gives less.
        """
        if not keys.isdisjoint(self.folded_groups):
            return True
        return None if self.unknown_group else False

    @property
    def folded_groups(self) -> frozenset[str]:
        """The groups as they are compared, as far as they could be read."""
        return self._read_groups[0]

    @property
    def unknown_group(self) -> str:
        """Which group could not be read, and why; empty: all were."""
        return self._read_groups[1]

    @cached_property
    def _read_groups(self) -> tuple[frozenset[str], str]:
        """Read the groups, when they are first asked for."""
        if sum(map(_weight, self.groups)) > MOST_IN_GROUPS:
            return frozenset(), f"the names of the user's groups have more than {MOST_IN_GROUPS} characters"
        keys, wrong, grown = set(), list[str](), 0
        for group in self.groups:
            grown += growth(group[:LONGEST])
            if grown > _MOST_GROWTH or len(wrong) > _MOST_UNREADABLE:
                return frozenset(), "the names of the user's groups are made to take long"
            try:
                keys.add(group_key(group, dn=self.groups_are_dns))
            except DnError as error:
                wrong.append(f"the user's group \"{presentable(group[:_SHOWN])}\" can't be read: {error}")
        return frozenset(keys), min(wrong, default="")

    @cached_property
    def key(self) -> str:
        """The name, folded: one person is one key, whatever the spelling."""
        return name_key(self.name)

    def reached_at(self, attribute: str) -> tuple[str, ...]:
        """Return the addresses that a message could go to: an attribute's values or, if none is named, `addresses`."""
        return self.attributes.get(attribute, ()) if attribute else self.addresses
