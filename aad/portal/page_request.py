"""What pages are made with, and one request of somebody who is signed in."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from aad.core.identity import User
from aad.core.user_address import written
from aad.https.login_front import Asking, LoginFront
from aad.https.messages import Cookie, Request, Response
from aad.login.engine import Engine
from aad.logs.login_history import PastLogin, last_logins
from aad.notices.kept import By, Notices, What
from aad.portal.forms import Forms
from aad.portal.pages import Pages
from aad.portal.sessions import Session, Sessions
from aad.portal.translations import Say, saying, suitable
from aad.portal.user_status import DIGITS, UserStatus
from aad.ports import Record, Store

ANSWERING = 60.0  # seconds that a form outlives the code it asks for: the method itself says that it is too late
DEADLINE = 10.0  # seconds that a browser waits


@dataclass(frozen=True, kw_only=True)
class PortalContext:
    """What every page needs. `client`: what the portal is called among the clients; `helpers`: keys of groups.

    `admins`: those of them that help members of `helpers`.
    `password`: whether every chain begins with one. `fresh`: how many seconds after a sign-in something may be enrolled
    or reset. `second`: methods that prove something beside a password.
    """

    front: LoginFront
    engine: Engine
    store: Store
    pages: Pages
    forms: Forms
    sessions: Sessions
    users: UserStatus
    record: Record
    notices: Notices
    client: str
    event: str
    helpers: frozenset[str]
    admins: frozenset[str]
    password: bool
    fresh: float
    second: frozenset[str]
    language: str

    def may_help(self, user: User, person: User) -> bool:
        """Say whether a member of the helpdesk may change something for a person; nobody may for themselves.

        Else whoever finds a helper's open session gets rid of the helper's own second factor, or of a colleague's.
        """
        if (person.repository, person.key) == (user.repository, user.key):
            return False
        # A person of whom nobody can tell may be a helper.
        return person.is_member(self.helpers) is False or user.is_member(self.admins) is True

    def asking(self, request: Request) -> Asking:
        """Return who asks to sign in."""
        return Asking(
            client=self.client,
            event=self.event,
            deadline=DEADLINE,
            user_address=request.caller,
            counted=request.counted,
        )

    def language_of(self, request: Request, user: str = "") -> str:
        """Return the language to answer in. `user`: what the user's repository says."""
        return suitable(user, request.headers.get("accept-language", ""), self.language)

    def entry(self, method: str, say: Say) -> dict[str, str]:
        """Return how the answer to a method's question is typed, for a template. `method` empty: a choice."""
        config = self.users.methods.get(method)
        if config is None:
            secret = bool(method)  # a password, or another one's
            kind = "current-password" if secret else "off"
            return {
                "type": "password" if secret else "text",
                "kind": kind,
                "label": say("password" if secret else "code"),
            }
        return {"type": "text", "kind": "digits" if config.type in DIGITS else "code", "label": say("code")}

    def resends(self, method: str) -> bool:
        """Say whether a method sends its code again to who asks."""
        config = self.users.methods.get(method)
        return config is not None and config.resends


@dataclass(frozen=True, kw_only=True)
class PageRequest:
    """One request. `user` is as his repository has him now."""

    context: PortalContext
    http: Request
    session: Session
    user: User
    language: str
    helper: bool

    @property
    def say(self) -> Say:
        """What says things in his language."""
        return saying(self.language)

    def page(self, name: str, /, *cookies: Cookie, status: HTTPStatus = HTTPStatus.OK, **values: object) -> Response:
        """Return a page for him."""
        values |= {"visitor": self.user.name, "helper": self.helper}
        values.setdefault("csrf", self.context.forms.token(self.session.token))
        return self.context.pages.page(name, self.language, *cookies, status=status, **values)

    def tell(self, name: str, **fields: object) -> None:
        """Write a record of what he did."""
        self.context.record(name, client=self.context.client, caller=self.http.source, **fields)

    async def noticed(self, user: User, what: What, *, by: By, method: str) -> str:
        """Write the notice of a change that is about to be made; return what takes it back."""
        kind, place = self.context.users.methods[method].type, written(self.http.caller) if by is By.USER else ""
        return await self.context.notices.add(user, what, by=by, method=method, type=kind, place=place)

    def sealed(self, kind: str, seconds: float, **known: object) -> str:
        """Seal what a page of his knows."""
        return self.context.forms.sealed(kind, self.session.token, seconds, **known)

    def opened(self, kind: str) -> dict[str, Any] | None:
        """Return what the form's page knew."""
        return self.context.forms.opened(kind, self.session.token, self.http.form.get("state", ""))

    async def rows(self, user: User) -> list[str]:
        """Say how a user stands in each row of failures that has any. Unavailable."""
        now, wall, found = self.context.store.now(), time.time(), []
        for each in await self.context.engine.lockout.standings(user):
            since = _minute(wall - (now - each.since))
            said = self.say(f"row_{each.kind.name.lower()}", count=each.count, since=since)
            if each.until == math.inf:
                said = f"{said} {self.say('row_for_good')}"
            elif each.until:
                said = f"{said} {self.say('row_until', until=_minute(wall + (each.until - now)))}"
            found.append(said)
        return found

    async def past(self, key: str) -> list[dict[str, object]]:
        """Return the last logins of the user of this key, as a template shows them."""
        return [_shown(each) for each in await last_logins(self.context.store, key)]


def _minute(wall: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(wall))


def _shown(past: PastLogin) -> dict[str, object]:
    then = time.localtime(past.at)
    return vars(past) | {
        "when": _minute(past.at),
        "iso": time.strftime("%Y-%m-%dT%H:%M:%S%z", then),
    }
