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

    def __init__(self, context: PortalContext) -> None:
        """Keep what it gets."""
        self._context = context

    def inside(self, show: Showing, *, fresh: bool = False, helper: bool = False) -> Answering:
        """Answer by `show` whoever is signed in; with `fresh` only of late, with `helper` only one of the helpdesk."""

        async def answer(request: Request) -> Response:
            try:
                page_request = await self.page_request(request)
                if page_request is None:
                    return elsewhere("/sign-in", Cookie(name=COOKIE, value="", seconds=0))
                if request.method == "POST" and not self._context.forms.ours(page_request.session.token, request.form):
                    page_request.tell(
                        "portal.refused", user=page_request.user.name, reason="it isn't from a page of this session"
                    )
                    what = page_request.say("form_stale")
                    return page_request.page("message", status=HTTPStatus.FORBIDDEN, what=what)
                if helper and not page_request.helper:
                    page_request.tell(
                        "portal.refused", user=page_request.user.name, reason="it is for the helpdesk alone"
                    )
                    raise ProblemError(NOT_YOURS)
                if fresh and self._context.sessions.age(page_request.session) >= self._context.fresh:
                    return elsewhere("/sign-in?again=1")
                return await show(page_request)
            except Unavailable as error:
                self._context.engine.outages.down(error)
                raise ProblemError(problems.UNAVAILABLE, headers=again_in(2)) from None

        return answer

    async def page_request(self, request: Request) -> PageRequest | None:
        """Return who is here, as they are now; None: nobody who is signed in, or whom the repository bars or lacks."""
        context = self._context
        session = await context.sessions.find(request.cookies.get(COOKIE, ""))
        if session is None:
            return None
        try:
            user = await context.users.current(session.user, session.repository)
        except AmbiguousUserError:
            user = None
        if user is None or user.key != session.key:
            await context.sessions.end(session.token)
            return None
        if bar := context.engine.identify.shuts_out(context.event, user):
            await context.sessions.end(session.token)
            why = f"{bar.reason}: {bar.because}"
            context.record("portal.ended", client=context.client, caller=request.caller, user=user.name, reason=why)
            return None
        return PageRequest(
            context=context,
            http=request,
            session=session,
            user=user,
            language=context.language_of(request, user.language),
            helper=user.is_member(context.helpers) is True,
        )
