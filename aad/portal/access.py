"""Who may see a page, and whose form counts: asked here, once, before any page of somebody who is signed in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus

from aad.https import problems
from aad.https.messages import Answering, Cookie, Request, Response, elsewhere
from aad.https.problems import ProblemError, again_in
from aad.portal.page_request import PageRequest, PortalContext
from aad.portal.sessions import COOKIE
from aad.ports import AmbiguousUserError, Unavailable

NOT_YOURS = problems.ProblemType("not-yours", HTTPStatus.FORBIDDEN, "This page is not for you.")
Showing = Callable[[PageRequest], Awaitable[Response]]


class Access:
    """Lets in who is signed in."""

    def __init__(self, parts: PortalContext) -> None:
        """Keep what it gets."""
        self._parts = parts

    def inside(self, show: Showing, *, fresh: bool = False, helper: bool = False) -> Answering:
        """Answer by `show` whoever is signed in; with `fresh` only of late, with `helper` only one of the helpdesk."""

        async def answer(request: Request) -> Response:
            try:
                visit = await self.visit(request)
                if visit is None:
                    return elsewhere("/sign-in", Cookie(name=COOKIE, value="", seconds=0))
                if request.method == "POST" and not self._parts.forms.ours(visit.session.token, request.form):
                    visit.tell("portal.refused", user=visit.user.name, reason="it isn't from a page of this session")
                    what = visit.say("form_stale")
                    return visit.page("message", status=HTTPStatus.FORBIDDEN, what=what)
                if helper and not visit.helper:
                    visit.tell("portal.refused", user=visit.user.name, reason="it is for the helpdesk alone")
                    raise ProblemError(NOT_YOURS)
                if fresh and self._parts.sessions.age(visit.session) >= self._parts.fresh:
                    return elsewhere("/sign-in?again=1")
                return await show(visit)
            except Unavailable as error:
                self._parts.engine.outages.down(error)
                raise ProblemError(problems.UNAVAILABLE, headers=again_in(2)) from None

        return answer

    async def visit(self, request: Request) -> PageRequest | None:
        """Return who is here, as they are now; None: nobody who is signed in, or whom the repository bars or lacks."""
        parts = self._parts
        session = await parts.sessions.find(request.cookies.get(COOKIE, ""))
        if session is None:
            return None
        try:
            user = await parts.people.again(session.user, session.repository)
        except AmbiguousUserError:
            user = None
        if user is None or user.key != session.key:
            await parts.sessions.end(session.token)
            return None
        if bar := parts.engine.identify.shuts_out(parts.event, user):
            await parts.sessions.end(session.token)
            why = f"{bar.reason}: {bar.because}"
            parts.record("portal.ended", client=parts.client, caller=request.caller, user=user.name, reason=why)
            return None
        return PageRequest(
            parts=parts,
            request=request,
            session=session,
            user=user,
            language=parts.language_of(request, user.language),
            helper=user.is_member(parts.helpers) is True,
        )
