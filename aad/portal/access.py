"""Access control: session, form token, helpdesk and fresh sign-in, checked before every page of a signed-in user."""

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
    """Checks requests, and lets pages answer those of users who are signed in."""

    def __init__(self, context: PortalContext) -> None:
        """Check against sessions, forms and users of `context`."""
        self._context = context

    def inside(self, show: Showing, *, fresh: bool = False, helper: bool = False) -> Answering:
        """Let `show` answer users who are signed in; `fresh`: only if recently; `helper`: only the helpdesk."""

        async def answer(request: Request) -> Response:
            try:
                page_request = await self.page_request(request)
                if page_request is None:
                    return elsewhere("/sign-in", Cookie(name=COOKIE, value="", seconds=0))
                if request.method == "POST" and not self._context.forms.ours(page_request.session.token, request.form):
                    page_request.record(
                        "portal.refused", user=page_request.user.name, reason="it isn't from a page of this session"
                    )
                    what = page_request.say("form_stale")
                    return page_request.page("message", status=HTTPStatus.FORBIDDEN, what=what)
                if helper and not page_request.helper:
                    page_request.record(
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
        """Return the request with its user, as the repository has them now; None: not signed in, gone, or barred."""
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
