"""The ports of plugins (Method, Repository, Sender, Store), what plugins are given (Wiring), and their exceptions.

The life of a plugin: its class is looked up by the `type` in aad.toml; its `Settings` are decoded, strictly; `__init__`
gets them and the wiring and opens nothing (`aad check` stops here); it is entered (`async with`), in the order store,
repositories, senders, methods; used; and left in reverse order. Plugins answer, they don't log: engine and fronts write
the records.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import ClassVar, Protocol, TypeVar

from aad.abilities import AcceptsAppendedCode as AcceptsAppendedCode
from aad.abilities import AsksRepository as AsksRepository
from aad.abilities import ChoosesAddress as ChoosesAddress
from aad.abilities import DefaultsLanguage as DefaultsLanguage
from aad.abilities import Enrollable as Enrollable
from aad.abilities import FindsFaults as FindsFaults
from aad.abilities import FindsWarnings as FindsWarnings
from aad.abilities import ForeseesChallenge as ForeseesChallenge
from aad.abilities import GroupLookup as GroupLookup
from aad.abilities import KeepsFile as KeepsFile
from aad.abilities import LimitsAnswer as LimitsAnswer
from aad.abilities import LooksUpGroups as LooksUpGroups
from aad.abilities import NamesMailAttribute as NamesMailAttribute
from aad.abilities import Pretends as Pretends
from aad.abilities import Prompts as Prompts
from aad.abilities import Queueing as Queueing
from aad.abilities import ReadsAttributes as ReadsAttributes
from aad.abilities import Resends as Resends
from aad.abilities import TellsGroups as TellsGroups
from aad.abilities import TellsIfShared as TellsIfShared
from aad.abilities import TellsMinutes as TellsMinutes
from aad.abilities import UsesSenders as UsesSenders
from aad.abilities import UsesServers as UsesServers
from aad.abilities import accepts_appended_code as accepts_appended_code
from aad.abilities import asks_repository as asks_repository
from aad.abilities import is_shared as is_shared
from aad.core.answer import Answer
from aad.core.conversation import Login
from aad.core.identity import User
from aad.core.message import Draft, Message, Receipt
from aad.core.outcome import Fact, Failure, Outcome, Success
from aad.core.secret import Secret
from aad.storing import GRACE as GRACE
from aad.storing import ROW as ROW
from aad.storing import Change as Change
from aad.storing import Kept as Kept
from aad.storing import RowRule as RowRule
from aad.storing import Rule as Rule
from aad.storing import Store as Store
from aad.storing import Taken as Taken
from aad.storing import Tally as Tally

M = TypeVar("M")


class Unavailable(Exception):  # noqa: N818 - an outcome that callers expect
    """A back end could not tell: neither yes nor no. Never shown to the user; `what` names the culprit, for the log."""

    def __init__(self, what: str, *, where: str = "", facts: tuple[Fact, ...] = ()) -> None:
        """Say `what` went wrong, in words an administrator understands, and `where`: "repository corp", "store" ...

        Without `where` no back end is down: it is the trouble of one login.
        """
        super().__init__(what)
        self.what = what
        self.where = where
        self.facts = facts

    @property
    def told(self) -> str:
        """Where and what, for a terminal."""
        return f"{self.where}: {self.what}" if self.where else self.what


class MisbehavedError(Unavailable):
    """A plugin of another package did in a call what its contract forbids (`aad.guard`): the login in progress ends.

    `why`: the same, without the plugin's name.
    """

    def __init__(self, what: str, why: str) -> None:
        """Say `what` it did, in words an administrator understands."""
        super().__init__(what)
        self.why = why


class Deferred(Unavailable):
    """A back end works, but doesn't take this now (4xx): the same may go well in a while."""


class AmbiguousUserError(Exception):
    """A repository holds two or more users of this name, so it can't be told which of them asks."""


@dataclass(frozen=True)
class Found:
    """The one user of a name, and what the repository said of the password, if it was asked.

    `facts`: what else belongs in the log (a server that is down, or up again).
    """

    user: User
    proof: Success | Failure | None = None
    facts: tuple[Fact, ...] = ()


Admit = Callable[[User], Awaitable[bool]]


async def without_password(user: User) -> bool:
    """Admit no user: for a search that checks no password."""
    del user
    return False


class Repository(AbstractAsyncContextManager["Repository"], Protocol):
    """Where users live. Plugins of this kind stand under `[repositories.NAME]`.

    Optional abilities: Pretends, LooksUpGroups; of its settings TellsGroups.
    """

    Settings: ClassVar[type]

    async def find(self, name: str, password: Secret | None, admit: Admit, deadline: float) -> Found | None:
        """Return the user called `name`, or None. AmbiguousUserError: two or more. Unavailable: could not tell.

        A disabled, locked or expired account is found too, with `User.barred`.
        If there is a `password` and `await admit(user)` says so, the password is checked on the way, so that search
        and bind are one job; `admit` counts the guess, so a proof is not believed without its yes. It may be asked
        again, and says the same. `deadline`: `time.monotonic()` seconds.
        """

    async def authenticate(self, user: User, password: Secret, deadline: float) -> Success | Failure:
        """Check the password, octet for octet. Unavailable: could not tell, which is never a wrong password."""

    async def probe(self) -> str:
        """Try whether this repository can be used, and say how in a few words (`aad check --online`)."""


class AddressRefusedError(Exception):
    """The message can't go to this address, now or ever (5xx, or no address at all): sending again won't help."""


class Later(Protocol):
    """A message that goes on after its caller's deadline."""

    async def receipt(self) -> Receipt:
        """Wait until it is settled. AddressRefusedError, Deferred, Unavailable, Underway (unknown): as `send`."""

    def withdraw(self) -> bool:
        """Stop it, if that is still possible; True: it won't arrive."""


class Underway(Exception):  # noqa: N818 - an outcome that callers expect
    """The message was not taken by the deadline, and may still arrive: if another one is sent, both may."""

    def __init__(self, what: str, later: Later | None = None) -> None:
        """Say `what` is known, and how to learn the rest (`later`); None: that can't be learnt."""
        super().__init__(what)
        self.later = later


class Record(Protocol):
    """Where one record goes: journal, file or stderr (`aad.logs.log`)."""

    def __call__(self, name: str, /, **fields: object) -> None:
        """Write the record `name` ("login.started"); a field that is None or empty is left out."""


class Sender(AbstractAsyncContextManager["Sender"], Protocol):
    """A way to send messages. Plugins of this kind stand under `[senders.NAME]`.

    Optional ability: Queueing.
    """

    Settings: ClassVar[type]

    def masked(self, address: str) -> str:
        """Return `address` masked, as a stranger may see it."""

    def usable(self, address: str) -> bool:
        """Say whether a message could be sent to `address`: one recipient, nothing else in it."""

    async def send(self, message: Message, deadline: float) -> Receipt:
        """Send; return when the mail server took it.

        AddressRefusedError: not to this address. Unavailable: it won't arrive; Deferred: nor now, but perhaps later.
        Underway: not taken by the `deadline` (`time.monotonic()` seconds), and still going on. On cancellation the
        message is withdrawn, if that is still possible.
        """

    async def probe(self) -> str:
        """Try whether this sender can be used, and say how in a few words (`aad check --online`)."""


class Method(Protocol[M]):
    """One way for users to prove who they are. Plugins of this kind stand under `[methods.NAME]`.

    A class with these members, and `__init__(settings, wiring)`, which opens nothing. It is found by an entry point of
    the group `aad.methods`, a built-in one by `daemon/plugin_registry.py`.
    `Memo`: a frozen dataclass of numbers and strings that comes back with the answer; a store can keep it as JSON.
    `proves`: "password", "code" ...: the word that the log puts before `.accepted` and `.refused`.
    One that has something to open also has `__aenter__` and `__aexit__`, and is entered and left as repositories and
    senders are. Optional abilities: Enrollable, ForeseesChallenge, AsksRepository, AcceptsAppendedCode;
    those of its settings are in `abilities.OF_SETTINGS`.
    """

    Settings: ClassVar[type]
    Memo: ClassVar[type]
    proves: ClassVar[str]

    async def begin(self, login: Login, answer: Answer | None, now: float, deadline: float) -> Outcome[M]:
        """Begin; `answer` is what came with the attempt, if this is the first method of the chain. Unavailable."""

    async def verify(self, login: Login, memo: M, answer: Answer, now: float, deadline: float) -> Outcome[M]:
        """Check the user's answer to this method's challenge, whose memo comes back. Unavailable."""


class ForeignSealError(Exception):
    """The value held for a user was sealed with another installation's key, or for another user, or isn't whole."""


@dataclass(frozen=True)
class Held:
    """The value that a user is enrolled with, opened; and as the store holds it, sealed."""

    value: Secret
    sealed: bytes


class Vault(Protocol):
    """What users are enrolled with for one method, sealed: a copy of the store is useless without the key."""

    async def find(self, user: User) -> Held | None:
        """Return what is held for `user`; None: they aren't enrolled. ForeignSealError, Unavailable."""

    async def swap(self, user: User, old: Held | None, new: Secret | None) -> bool:
        """Hold `new` in the place of `old` (None: of nothing, or nothing); False: `old` isn't held any more."""


class Messenger(Protocol):
    """Sends a method's messages: within the budgets, to the first address and by the first sender that takes it."""

    async def send(self, login: Login, senders: Sequence[str], draft: Draft, deadline: float) -> Sent:
        """Send; return when a sender took it, or at the `deadline` (`time.monotonic()` seconds) if it may still arrive.

        Unavailable: no sender could; it won't arrive.
        """

    def recipient(self, login: Login, senders: Sequence[str], attribute: str) -> str:
        """Return the address that a message will go to first, masked; empty: there is none."""


@dataclass(frozen=True, kw_only=True)
class Sent:
    """The fate of a message: on its way to `recipient` (masked), or `refused` for a reason; with facts for the log."""

    recipient: str = ""
    refused: str = ""
    facts: tuple[Fact, ...] = ()


class Outage(Protocol):
    """A function that is told, once each time, that a back end is down or that it works again."""

    def __call__(self, error: Unavailable, *, over: bool) -> None:
        """Take `error`, which names the back end by `where`; `over`: it works again."""


@dataclass(frozen=True, kw_only=True)
class Wiring:
    """What a plugin is given besides its settings: its own name, and the parts of aad that it may use.

    `key` is the installation's; `repositories`, `post` and `vault` are there for methods only. `attributes`: what a
    repository should read of a user besides what it needs itself, for `User.attributes`, by these names.
    `account_state`: some chain asks this repository for no password, so what it says of an account's state decides
    (`User.barred`). `outage`: for a store that notices by itself when it is down, or goes on without its server.
    """

    name: str
    key: Secret
    repositories: Mapping[str, Repository] = field(default_factory=dict)
    messenger: Messenger | None = None
    vault: Vault | None = None
    attributes: tuple[str, ...] = ()
    account_state: bool = False
    outage: Outage | None = None
