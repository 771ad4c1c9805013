"""The optional abilities of plugins and of their settings, one Protocol each. Part of `aad.ports`.

A plugin has an ability by having its members; it need not inherit from anything here. When a plugin of another package
is loaded, its members are checked: parameters, async or not, the types of values, and names that are misspelt
(`aad.guard.conformance`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol, runtime_checkable

from aad.core.conversation import Login
from aad.core.identity import User
from aad.core.outcome import Challenge

# Of a method.


@runtime_checkable
class Enrollable(Protocol):
    """A method that users must be enrolled for.

    A chain with it is passed over for a user who isn't, as long as a chain behind it fits the user too.
    """

    async def ready(self, user: User) -> bool:
        """Say whether `user` is enrolled. Unavailable: could not tell."""


@runtime_checkable
class ForeseesChallenge(Protocol):
    """A method that knows its challenge before it has sent anything.

    The engine stores that challenge before it calls `begin`, so that another node, which takes over from one that died
    in between, sends no second message.
    """

    def foreseen(self, login: Login, now: float) -> Challenge[Any] | None:
        """Return what `begin` will return if its message goes out; None: it will send none."""


@runtime_checkable
class AsksRepository(Protocol):
    """A method that may have the user's repository check the password.

    If True, its verdict is that of `Repository.authenticate`, on the account's state too, which otherwise `User.barred`
    decides; search and bind are then one job. It is read from the class, before there is a method.
    """

    asks_repository: ClassVar[bool]


@runtime_checkable
class AcceptsAppendedCode(Protocol):
    """A method that may take a code typed behind the password, before it has asked for one.

    If True, such a code is checked at once; otherwise it answers only a challenge that is waiting already.
    """

    @property
    def accepts_appended_code(self) -> bool:
        """Whether it takes such a code."""


def asks_repository(method: object) -> bool:
    """Say whether a method, or the class of one, has the user's repository check the password."""
    return isinstance(method, AsksRepository) and method.asks_repository


def accepts_appended_code(method: object) -> bool:
    """Say whether a method takes a code typed behind the password, before it has asked for one."""
    return isinstance(method, AcceptsAppendedCode) and method.accepts_appended_code


# Of a repository.


@runtime_checkable
class Pretends(Protocol):
    """A repository in which checking a password takes a time that can be told from no check at all.

    The engine calls it where a password came that must not be checked, as the user is locked out.
    """

    async def pretend(self, user: User, deadline: float) -> None:
        """Take as long as a check of `user`'s password would. Unavailable. `deadline`: `time.monotonic()` seconds."""


@dataclass(frozen=True)
class GroupLookup:
    """What a repository knows of a group: whether it exists (`found`; None: it can't tell), and a `note`.

    With `found`, a note says why its members would nevertheless not be recognised as such.
    """

    found: bool | None
    note: str = ""


@runtime_checkable
class LooksUpGroups(Protocol):
    """A repository that can look up the groups that aad.toml names, for `aad check --online`."""

    async def look_up_group(self, group: str, deadline: float) -> GroupLookup:
        """Look for `group`, in any spelling. Unavailable: could not tell."""


# Of a sender.


@runtime_checkable
class Queueing(Protocol):
    """A sender with a queue, whose length GET /metrics shows."""

    @property
    def queued(self) -> int:
        """The messages that wait for a connection."""


# Of a store.


@runtime_checkable
class TellsIfShared(Protocol):
    """A store that says whether other nodes may begin logins of the same users in it.

    If it is, as a store that doesn't say so is taken to be, each login is leased first (`aad.login.lease`).
    """

    @property
    def shared(self) -> bool:
        """Whether other nodes may use the store."""


def is_shared(store: object) -> bool:
    """Say whether other nodes may use a store."""
    return not isinstance(store, TellsIfShared) or store.shared


# Of the settings of any plugin, and of all sections of aad.toml.


@runtime_checkable
class FindsFaults(Protocol):
    """Settings that check their values together, once each of them is right by itself."""

    def faults(self) -> Iterable[tuple[str, str]]:
        """Return each fault: its key, relative to the table ("": the table itself), and what should be there."""


@runtime_checkable
class FindsWarnings(Protocol):
    """Settings that warn the administrator of what works and is probably not meant."""

    def warnings(self) -> Iterable[tuple[str, str]]:
        """Return each warning, in the form of a fault."""


@runtime_checkable
class UsesServers(Protocol):
    """Settings of a method or repository that name servers, whose outages GET /metrics counts one by one."""

    @property
    def servers(self) -> tuple[str, ...]:
        """The servers, as aad.toml names them."""


# Of the settings of a method.


@runtime_checkable
class ReadsAttributes(Protocol):
    """Settings that name attributes of the user; the repositories read them into `User.attributes`."""

    @property
    def reads(self) -> tuple[str, ...]:
        """The names of the attributes."""


@runtime_checkable
class UsesSenders(Protocol):
    """Settings that name the senders of a method's messages, in order.

    aad warns of a chain that begins with it, and shows its prompts with an address in them.
    """

    @property
    def senders(self) -> tuple[str, ...]:
        """The names of the senders."""


@runtime_checkable
class ChoosesAddress(UsesSenders, Protocol):
    """Settings that name the attribute a message's address is in; empty: the user's mail addresses.

    The first method with it is how notices are sent, and the portal offers to test it.
    """

    @property
    def address_attribute(self) -> str:
        """The attribute's name, or ""."""


@runtime_checkable
class Resends(Protocol):
    """Settings of a method that sends its message again, on an empty answer, after so many seconds.

    The portal offers that beside the field for the code.
    """

    @property
    def resend_after(self) -> float:
        """Seconds from one message to the next."""


@runtime_checkable
class Prompts(Protocol):
    """Settings that know what users will be asked: for `aad check`, which measures it, and `aad explain`."""

    def prompts(self) -> Mapping[str, Mapping[str, str]]:
        """Return the prompts, by language ("": the only one) and key of aad.toml."""


@runtime_checkable
class DefaultsLanguage(Protocol):
    """Settings with the language of users who have none, or one that there are no prompts in."""

    @property
    def language(self) -> str:
        """A language tag, in small letters."""


@runtime_checkable
class TellsMinutes(Protocol):
    """Settings that know what fills the macro {minutes} of their prompts."""

    @property
    def minutes(self) -> str:
        """How long a code is good for, as texts say it."""


@runtime_checkable
class LimitsAnswer(Protocol):
    """Settings with the seconds a user has to answer; a decoy waits as long as the method it stands for."""

    @property
    def period(self) -> float:
        """Seconds a user has to answer."""


# Of the settings of a repository.


@runtime_checkable
class TellsGroups(Protocol):
    """Settings that know how groups are named; a configured group that could have no member is a fault then."""

    def groups_are_dns(self) -> bool:
        """Say whether users' groups are told as DNs only, as `User.groups_are_dns` says."""


@runtime_checkable
class NamesMailAttribute(Protocol):
    """Settings that name the attribute of mail addresses: a code sent to it is sent to the mailbox."""

    @property
    def email_attribute(self) -> str:
        """The attribute's name."""


# Of the settings of a store.


@runtime_checkable
class KeepsFile(Protocol):
    """Settings of a store that is a file: the installation's key is kept beside it, and its folder's owner is checked.

    A store without a file needs `key` in [store].
    """

    @property
    def path(self) -> Path:
        """The store's file."""


OF_PLUGINS: Mapping[str, tuple[Any, ...]] = {
    "methods": (Enrollable, ForeseesChallenge, AsksRepository, AcceptsAppendedCode),
    "repositories": (Pretends, LooksUpGroups),
    "senders": (Queueing,),
    "stores": (TellsIfShared,),
}
"""The abilities of a plugin, by its kind."""

_OF_ALL = (FindsFaults, FindsWarnings)
OF_SETTINGS: Mapping[str, tuple[Any, ...]] = {
    "methods": (
        *_OF_ALL,
        ReadsAttributes,
        UsesSenders,
        ChoosesAddress,
        Resends,
        Prompts,
        DefaultsLanguage,
        TellsMinutes,
        LimitsAnswer,
        UsesServers,
    ),
    "repositories": (*_OF_ALL, TellsGroups, NamesMailAttribute, UsesServers),
    "senders": _OF_ALL,
    "stores": (*_OF_ALL, KeepsFile),
}
"""The abilities of a plugin's settings, by its kind."""
