"""Finds users for the pages, and shows their methods: whether each is set up, and where its messages go."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aad.core.identity import User
from aad.core.policy import Event
from aad.enrolment.enrolment import Enrolment
from aad.login.messenger import first_address
from aad.portal.translations import Say
from aad.ports import ForeignSealError, Repository, Sender, without_password

PATIENCE = 5.0  # seconds for a directory
DIGITS = ("email_otp", "totp", "hotp")
"""Types whose codes are digits."""


@dataclass(frozen=True, kw_only=True)
class MethodConfig:
    """A method that is configured. `sender`: masks addresses; `attribute`: where they are, as `User.reached_at` has it.

    `enrolment`: users are enrolled for it. `tests`: repository -> the event that asks for this method alone;
    `proofs`: the same, before a change of what a user is enrolled with.
    """

    name: str
    type: str
    resends: bool = False
    sender: Sender | None = None
    attribute: str = ""
    enrolment: Enrolment | None = None
    tests: Mapping[str, str]
    proofs: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class MethodStatus:
    """A method as its user sees it. `standing`: a text for them; `ready`: set up, or with codes left."""

    name: str
    type: str
    label: str
    standing: str
    ready: bool
    testable: bool
    resettable: bool


class UserStatus:
    """Finds users and their methods. Unavailable: a directory or the store is down."""

    def __init__(self, repositories: Mapping[str, Repository], event: Event, methods: Sequence[MethodConfig]) -> None:
        """Find users in the repositories of `event`."""
        self._repositories = repositories
        self._event = event
        self.methods = {each.name: each for each in methods}

    async def find(self, name: str) -> User | None:
        """Return the user of a name, typed as to sign in. AmbiguousUserError: two or more have it."""
        named = self._event.named(name)
        for place in [named.repository] if named.repository else self._event.repositories:
            if (user := await self.current(named.name, place)) is not None:
                return user
        return None

    async def current(self, name: str, repository: str) -> User | None:
        """Return a user that was found before, as the repository has them now. AmbiguousUserError."""
        if repository not in self._repositories:
            return None
        deadline = time.monotonic() + PATIENCE
        found = await self._repositories[repository].find(name, None, without_password, deadline)
        return found.user if found else None

    async def held(self, user: User) -> dict[str, str]:
        """Return what a user is enrolled with: method -> identity, "" for nothing."""
        return {
            each.name: await each.enrolment.identity(user)
            for each in self.methods.values()
            if each.enrolment is not None and user.repository in each.tests
        }

    def sending_method(self, user: User) -> MethodConfig | None:
        """Return the first method that sends codes, if it has an address of the user; else None."""
        for method in self.methods.values():
            if method.sender is not None and user.repository in method.tests:
                return method if first_address(method.sender, user, method.attribute) else None
        return None

    def label(self, name: str, say: Say) -> str:
        """Return what users call a method: by its type, and by its name where there are two of a type."""
        method = self.methods[name]
        key = f"type_{method.type}"
        known = method.type in (*DIGITS, "recovery_codes")
        alone = sum(each.type == method.type for each in self.methods.values()) == 1
        if not known:
            return name
        return say(key) if alone or name == method.type else f"{say(key)} ({name})"

    async def statuses(self, user: User, say: Say) -> list[MethodStatus]:
        """Return the methods that this user may have, and their standing in each."""
        return [
            await self._status(method, user, say) for method in self.methods.values() if user.repository in method.tests
        ]

    async def _status(self, method: MethodConfig, user: User, say: Say) -> MethodStatus:
        standing, ready, testable, resettable = "", True, True, False
        if method.enrolment is not None:
            standing, ready, resettable = await _enrolled(method.enrolment, user, say)
            testable = ready
        elif method.sender is not None:
            address = first_address(method.sender, user, method.attribute)
            standing = say("sent_to", address=address) if address else say("no_address")
            testable = bool(address)
        known: dict[str, Any] = {"ready": ready, "testable": testable, "resettable": resettable}
        return MethodStatus(
            name=method.name, type=method.type, label=self.label(method.name, say), standing=standing, **known
        )


async def _enrolled(enrolment: Enrolment, user: User, say: Say) -> tuple[str, bool, bool]:
    """Return the user's standing as a text, whether they can use it, and whether there is anything to reset."""
    try:
        if enrolment.type == "recovery_codes":
            left = await enrolment.left(user)
            return say("no_codes") if not left else say("codes_left", count=left), bool(left), left is not None
        held = await enrolment.vault.find(user) is not None
    except ForeignSealError:
        return say("needs_helpdesk"), False, True
    return say("is_set_up" if held else "not_set_up"), held, held
