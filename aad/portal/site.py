"""All routes of the portal, and how it says that something went wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from aad.https import problems
from aad.https.problems import Problem
from aad.https.web import Request, Response, Route
from aad.portal import desk, enrolling, own, pages
from aad.portal.door import NOT_YOURS, Door
from aad.portal.signing import Signing
from aad.portal.visit import Parts
from aad.portal.words import saying

_SAID = {
    problems.NOTHING_HERE: "missing",
    problems.OTHER_METHOD: "missing",
    problems.UNAVAILABLE: "unavailable",
    problems.TOO_MANY_LOGINS: "busy",
    problems.FAULT: "fault",
    NOT_YOURS: "not_allowed",
}


def routes(parts: Parts, randomness: Callable[[int], bytes]) -> Iterator[Route]:
    """Yield every route. `randomness(n)` gives n random octets."""
    door = Door(parts)
    yield from pages.routes()
    yield from Signing(parts, door, randomness).routes()
    for room in (own, enrolling):
        yield from room.routes(door)
    if parts.helpers:
        yield from desk.routes(door)


def shown(parts: Parts, request: Request, problem: Problem) -> Response:
    """Return the page of a problem."""
    language = parts.language_of(request)
    what = saying(language)(_SAID.get(problem.sort, "form_stale"))
    page = parts.pages.page("message", language, status=problem.sort.status, what=what, narrow=True)
    return Response(status=page.status, body=page.body, headers=(*page.headers, *problem.headers))
