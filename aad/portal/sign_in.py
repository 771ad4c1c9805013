"""Signing in, by the chains of the portal's event, and out. A stranger learns nothing about users here."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from dataclasses import replace
from http import HTTPStatus

from aad.core.conversation import Accepted
from aad.core.secret import Secret
from aad.https import problems
from aad.https.login_front import LoginReply
from aad.https.messages import Cookie, Request, Response, Route, elsewhere
from aad.https.problems import ProblemError, TooManyFailuresError, again_in
from aad.login.engine import Asked
from aad.portal.access import Access
from aad.portal.page_request import ANSWERING, PageRequest, PortalContext
from aad.portal.sessions import COOKIE
from aad.portal.translations import saying
from aad.ports import Unavailable

VISITOR = "__Host-aad-visitor"
_VISITOR = re.compile(r"[A-Za-z0-9_-]{32}")
_KIND = "sign in"


class SignIn:
    """The pages of signing in, and the end of a session."""

    def __init__(self, context: PortalContext, access: Access, randomness: Callable[[int], bytes]) -> None:
        """`randomness(n)` gives n random octets, for the tokens of browsers without a session."""
        self._context = context
        self._access = access
        self._randomness = randomness

    def routes(self) -> list[Route]:
        """Return the routes of signing in and out."""
        return [
            Route("GET", "/sign-in", self._show),
            Route("POST", "/sign-in", self._begin),
            Route("POST", "/sign-in/code", self._answer),
            Route("POST", "/sign-out", self._access.inside(self._out)),
        ]

    async def _show(self, request: Request) -> Response:
        again = request.query.get("again") == "1"
        try:
            page_request = await self._access.page_request(request)
        except Unavailable:
            raise ProblemError(problems.UNAVAILABLE, headers=again_in(2)) from None
        if page_request and not again:
            return elsewhere("/")
        return self._page(
            request, again=again and page_request is not None, name=page_request.user.name if page_request else ""
        )

    async def _begin(self, request: Request) -> Response:
        say, form = saying(self._context.language_of(request)), request.form
        if not self._context.forms.ours(_visitor(request), form):
            return self._page(request, status=HTTPStatus.FORBIDDEN, trouble=say("form_stale"))
        name, password = form.get("name", "").strip(), form.get("password", "")
        given = {"name": name, "password": password or not self._context.password}
        mistakes = {key: say(f"{key}_missing") for key, value in given.items() if not value}
        if mistakes:
            return self._page(request, status=HTTPStatus.UNPROCESSABLE_ENTITY, mistakes=mistakes, name=name)
        login_request = self._context.login_request(request)
        try:
            reply = await self._context.front.begin(login_request, name, Secret(password), request.received)
        except TooManyFailuresError as error:
            trouble = say("slowed", seconds=error.seconds)
            page = self._page(request, status=error.sort.status, trouble=trouble, name=name)
            return replace(page, headers=(*page.headers, *error.headers))
        return await self._respond(request, name, reply)

    async def _answer(self, request: Request) -> Response:
        say, form, visitor = saying(self._context.language_of(request)), request.form, _visitor(request)
        if not self._context.forms.ours(visitor, form):
            return self._page(request, status=HTTPStatus.FORBIDDEN, trouble=say("form_stale"))
        known = self._context.forms.opened(_KIND, visitor, form.get("state", ""))
        if known is None:
            return self._page(request, status=HTTPStatus.FORBIDDEN, trouble=say("too_late"))
        again, code = form.get("again") == "1", form.get("code", "")
        if self._context.entry(known["method"], say)["type"] != "password":
            code = code.strip()
        if not code and not again:
            mistakes = {"code": say("code_missing")}
            return self._code(request, known["method"], known["prompt"], form["state"], mistakes=mistakes)
        ticket, answer = base64.b64decode(known["ticket"]), Secret("" if again else code)
        login_request = self._context.login_request(request)
        reply = await self._context.front.answer(login_request, known["name"], ticket, answer, request.received)
        if isinstance(reply, Asked) and reply.method == known["method"] and not again:
            wrong = {"code": say("code_wrong")}  # the page says so in its own words, so the question stays as it was
            return self._asked(request, known["name"], replace(reply, prompt=known["prompt"]), mistakes=wrong)
        return await self._respond(request, known["name"], reply, notice=say("resent") if again else "")

    async def _respond(self, request: Request, name: str, reply: LoginReply, notice: str = "") -> Response:
        """Return the response to what the front told of a login."""
        say = saying(self._context.language_of(request))
        if isinstance(reply, Accepted):
            return await self._open(request, reply)
        if isinstance(reply, Asked):
            return self._asked(request, name, reply, notice=notice)
        # The same for everyone, except what the event tells users who have proved who they are.
        more = reply.words.removeprefix(self._context.front.reject_message).strip()
        trouble = f"{say('failed')} {more}".strip()
        return self._page(request, status=HTTPStatus.FORBIDDEN, trouble=trouble, name=name)

    def _asked(self, request: Request, name: str, asked: Asked, **values: object) -> Response:
        known = {"ticket": base64.b64encode(asked.ticket).decode(), "method": asked.method, "prompt": asked.prompt}
        seconds = asked.seconds + ANSWERING
        state = self._context.forms.sealed(_KIND, _visitor(request), seconds, name=name, **known)
        return self._code(request, asked.method, asked.prompt, state, **values)

    async def _open(self, request: Request, accepted: Accepted) -> Response:
        """Open a session, always a new one, in place of any that this browser had."""
        sessions = self._context.sessions
        try:
            await sessions.end(request.cookies.get(COOKIE, ""))
            user, methods = accepted.login.user, accepted.login.chain.methods
            before = await self._context.users.held(user)
            session = await sessions.open(user, second=not self._context.second.isdisjoint(methods), before=before)
        except Unavailable as error:
            self._context.engine.outages.down(error)
            raise ProblemError(problems.UNAVAILABLE, headers=again_in(2)) from None
        return elsewhere("/", Cookie(name=COOKIE, value=session.token), Cookie(name=VISITOR, value="", seconds=0))

    async def _out(self, page_request: PageRequest) -> Response:
        await self._context.sessions.end(page_request.session.token)
        page_request.record("portal.left", user=page_request.user.name)
        return elsewhere("/sign-in", Cookie(name=COOKIE, value="", seconds=0))

    def _page(self, request: Request, status: HTTPStatus = HTTPStatus.OK, **values: object) -> Response:
        """Return the sign-in form, for this browser alone."""
        visitor, cookies = _visitor(request), list[Cookie]()
        if not visitor:
            visitor = base64.urlsafe_b64encode(self._randomness(24)).decode()
            cookies.append(Cookie(name=VISITOR, value=visitor))
        values |= {"csrf": self._context.forms.token(visitor), "narrow": True}
        return self._context.pages.page(
            "sign_in", self._context.language_of(request), *cookies, status=status, **values
        )

    def _code(self, request: Request, method: str, prompt: str, state: str, **values: object) -> Response:
        language = self._context.language_of(request)
        say = saying(language)
        values |= self._context.entry(method, say)
        values |= {
            "action": "/sign-in/code",
            "away": "/sign-in",
            "heading": say("one_more_step"),
            "lead": "",
            "note": "",
        }
        values |= {"csrf": self._context.forms.token(_visitor(request)), "narrow": True}
        values |= {"prompt": prompt, "resend": self._context.resends(method), "state": state}
        status = HTTPStatus.UNPROCESSABLE_ENTITY if values.get("mistakes") else HTTPStatus.OK
        return self._context.pages.page("code", language, status=status, **values)


def _visitor(request: Request) -> str:
    """Return the token of a browser without a session; empty: it sent none of ours."""
    found = request.cookies.get(VISITOR, "")
    return found if _VISITOR.fullmatch(found) else ""
