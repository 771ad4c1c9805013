"""Router: finds the route of a request; adds what all have in common: problems, headers for browsers, faults."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from aad.core.raised import raised
from aad.core.seldom import Seldom
from aad.core.user_address import Unknown
from aad.https import problems
from aad.https.messages import OtherMediaTypeError, Request, Response, Route, UnreadableBodyError
from aad.https.problems import ProblemError, shown
from aad.ports import Record

POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "Strict-Transport-Security": "max-age=31536000",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""Sent with every response, unless it has a header of that name itself."""

Showing = Callable[[Request | None, ProblemError], Response]
_SAME = {"HEAD": "GET"}
_A_DAY = 86400.0  # seconds


class Router:
    """All routes. Whatever goes wrong, there is a response, and no user is let in by it."""

    def __init__(self, routes: Iterable[Route], record: Record, show: Showing = shown) -> None:
        """Serve `routes`; `show` makes a response of a problem. ValueError: two routes are the same."""
        every = list(routes)
        self._answers = {(route.path, route.method): route for route in every}
        if len(self._answers) != len(every):
            message = "two routes have the same method and path"
            raise ValueError(message)
        self._methods: dict[str, set[str]] = {}
        for route in every:
            self._methods.setdefault(route.path, set()).update({route.method, *_also(route.method)})
        self._record = record
        self._show = show
        self._unknown = Seldom(_A_DAY)

    async def answer(self, request: Request) -> Response:
        """Return the response to a request, whatever goes wrong."""
        try:
            return await self._answer(request)
        except ProblemError as problem:
            return self.problem(problem, request)
        except OtherMediaTypeError as error:
            return self.problem(ProblemError(problems.OTHER_KIND, str(error)), request)
        except UnreadableBodyError as error:
            return self.problem(ProblemError(problems.UNREADABLE, str(error)), request)
        except Exception as error:  # noqa: BLE001 - whatever went wrong, the server goes on and no user is let in
            self._record("fault", reason=f"{request.method} {request.path}: {raised(error)}")
            return self.problem(ProblemError(problems.FAULT), request)

    def problem(self, problem: ProblemError, request: Request | None = None) -> Response:
        """Return a problem's response. `request` is None where the octets that came were no request."""
        return self._show(request, problem)

    async def _answer(self, request: Request) -> Response:
        route = self._answers.get((request.path, _SAME.get(request.method, request.method)))
        if route is not None:
            if isinstance(request.caller, Unknown) and not route.open_to_all:
                self._record_unknown(request.peer, request.caller)
            return await route.answer(request)
        if request.path not in self._methods:
            raise ProblemError(problems.NOTHING_HERE)
        allow = ", ".join(sorted(self._methods[request.path]))
        raise ProblemError(problems.OTHER_METHOD, f"This path takes {allow}.", (("Allow", allow),))

    def _record_unknown(self, peer: str, caller: Unknown) -> None:
        """Record, once a day for each proxy and reason, that a proxy's headers don't tell the client's address."""
        more = self._unknown.due((peer, caller.why), time.monotonic())
        if more is not None:
            reason = caller.told + more
            self._record("user_address.unknown", teller=f"proxy {peer}", reason=reason, source=peer)


def _also(method: str) -> set[str]:
    return {same for same, other in _SAME.items() if other == method}


def headers(response: Response) -> list[tuple[str, str]]:
    """Return all headers of a response but Date, Content-Length and Connection."""
    own = {name.lower() for name, _ in response.headers}
    found = [("Content-Type", response.kind)] if response.body else []
    found += [pair for pair in HEADERS.items() if pair[0].lower() not in own]
    found += response.headers
    found += [("Set-Cookie", str(cookie)) for cookie in response.cookies]
    return found
