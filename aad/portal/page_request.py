"""PortalContext, what all pages need, and PageRequest, one request of a user who is signed in."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from aad.core.identity import User
from aad.core.user_address import written
from aad.https.login_front import LoginFront, LoginRequest
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
    """The parts that every page needs. `client`: the portal's name among the clients; `helpers`: keys of groups.

    `admins`: groups whose members may help members of `helpers` too.
    `password`: whether every chain begins with one. `fresh`: how many seconds after a sign-in something may be enrolled
    or reset. `second`: methods that prove something besides a password.
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
        """Return whether a member of the helpdesk may change something for a person; none may for themselves.

        Else a thief with a helper's open session could remove the helper's own second factor, or a colleague's.
        """
        if (person.repository, person.key) == (user.repository, user.key):
            return False
        # None: a person whose groups are unknown may be a helper.
        return person.is_member(self.helpers) is False or user.is_member(self.admins) is True

    def login_request(self, request: Request) -> LoginRequest:
        """Return client, event and address of a sign-in."""
        return LoginRequest(
            client=self.client,
            event=self.event,
            deadline=DEADLINE,
            user_address=request.caller,
            counted=request.counted,
        )

    def language_of(self, request: Request, user: str = "") -> str:
        """Return the language to answer in. `user`: the user's language by their repository, may be empty."""
        return suitable(user, request.headers.get("accept-language", ""), self.language)

    def entry(self, method: str, say: Say) -> dict[str, str]:
        """Return the input field for the answer to a method, for a template. `method` empty: a choice of methods."""
        config = self.users.methods.get(method)
        if config is None:
            secret = bool(method)  # a password, or the answer of a method that isn't known here
            kind = "current-password" if secret else "off"
            return {
                "type": "password" if secret else "text",
                "kind": kind,
                "label": say("password" if secret else "code"),
            }
        return {"type": "text", "kind": "digits" if config.type in DIGITS else "code", "label": say("code")}

    def resends(self, method: str) -> bool:
        """Return whether a method sends its code again on request."""
        config = self.users.methods.get(method)
        return config is not None and config.resends


@dataclass(frozen=True, kw_only=True)
class PageRequest:
    """One request. `http`: as it came; `user`: as their repository has them now; `helper`: of the helpdesk."""

    context: PortalContext
    http: Request
    session: Session
    user: User
    language: str
    helper: bool

    @property
    def say(self) -> Say:
        """The texts of the user's language, by key."""
        return saying(self.language)

    def page(self, name: str, /, *cookies: Cookie, status: HTTPStatus = HTTPStatus.OK, **values: object) -> Response:
        """Return a page for the user, of the template `name`."""
        values |= {"visitor": self.user.name, "helper": self.helper}
        values.setdefault("csrf", self.context.forms.token(self.session.token))
        return self.context.pages.page(name, self.language, *cookies, status=status, **values)

    def record(self, name: str, **fields: object) -> None:
        """Write a record of an action of the user's."""
        self.context.record(name, client=self.context.client, caller=self.http.source, **fields)

    async def noticed(self, user: User, what: What, *, by: By, method: str) -> str:
        """Store the notice of a change that is about to be made; return its id for `Notices.take_back`."""
        kind, place = self.context.users.methods[method].type, written(self.http.caller) if by is By.USER else ""
        return await self.context.notices.add(user, what, by=by, method=method, type=kind, place=place)

    def sealed(self, kind: str, seconds: float, **known: object) -> str:
        """Seal a page's state for this session's forms."""
        return self.context.forms.sealed(kind, self.session.token, seconds, **known)

    def opened(self, kind: str) -> dict[str, Any] | None:
        """Return the state that came back with the form; None: see `Forms.opened`."""
        return self.context.forms.opened(kind, self.session.token, self.http.form.get("state", ""))

    async def rows(self, user: User) -> list[str]:
        """Return a line for each row of failures that a user has any in. Unavailable."""
        now, wall, found = self.context.store.now(), time.time(), []
        for each in await self.context.engine.lockout.standings(user):
            since = _minute(wall - (now - each.since))
            text = self.say(f"row_{each.kind.name.lower()}", count=each.count, since=since)
            if each.until == math.inf:
                text = f"{text} {self.say('row_for_good')}"
            elif each.until:
                text = f"{text} {self.say('row_until', until=_minute(wall + (each.until - now)))}"
            found.append(text)
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
