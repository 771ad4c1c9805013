"""All routes of the portal, and the page that shows a problem."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from aad.https import problems
from aad.https.messages import Request, Response, Route
from aad.https.problems import ProblemError
from aad.portal import account, enrol, helpdesk, pages
from aad.portal.access import NOT_YOURS, Access
from aad.portal.page_request import PortalContext
from aad.portal.sign_in import SignIn
from aad.portal.translations import saying

_TEXTS = {
    problems.NOTHING_HERE: "missing",
    problems.OTHER_METHOD: "missing",
    problems.UNAVAILABLE: "unavailable",
    problems.TOO_MANY_LOGINS: "busy",
    problems.FAULT: "fault",
    NOT_YOURS: "not_allowed",
}


def routes(context: PortalContext, randomness: Callable[[int], bytes]) -> Iterator[Route]:
    """Yield every route. `randomness(n)` gives n random octets."""
    access = Access(context)
    yield from pages.routes()
    yield from SignIn(context, access, randomness).routes()
    for room in (account, enrol):
        yield from room.routes(access)
    if context.helpers:
        yield from helpdesk.routes(access)


def shown(context: PortalContext, request: Request, problem: ProblemError) -> Response:
    """Return the page that shows a problem, in the language of the request."""
    language = context.language_of(request)
    what = saying(language)(_TEXTS.get(problem.sort, "form_stale"))
    page = context.pages.page("message", language, status=problem.sort.status, what=what, narrow=True)
    return Response(status=page.status, body=page.body, headers=(*page.headers, *problem.headers))
