"""Problem details (RFC 9457): what can go wrong with a request, raised as ProblemError. PURE."""

from __future__ import annotations

import json
from dataclasses import dataclass
from http import HTTPStatus

from aad.https.messages import Request, Response

KIND = "application/problem+json"


@dataclass(frozen=True)
class ProblemType:
    """One type. `name` is for programs and never changes; `detail` is for people, and quotes nothing of the request."""

    name: str
    status: HTTPStatus
    detail: str

    @property
    def title(self) -> str:
        """The name in words, RFC 9457's title."""
        return self.name.replace("-", " ")

    @property
    def type(self) -> str:
        """The URI, RFC 9457's type."""
        return f"urn:aad:problem:{self.name}"


NO_HTTP = ProblemType("no-http", HTTPStatus.BAD_REQUEST, "This is no request of HTTP/1.1.")
UNREADABLE = ProblemType("unreadable", HTTPStatus.BAD_REQUEST, "The request can't be read.")
BAD_IDEMPOTENCY_KEY = ProblemType(
    "bad-idempotency-key", HTTPStatus.BAD_REQUEST, "Idempotency-Key should have 1 to 128 printable characters of ASCII."
)
NO_KEY = ProblemType(
    "no-key", HTTPStatus.UNAUTHORIZED, "Authorization should be: Bearer, and an API key that is good here."
)
OTHER_EVENT = ProblemType("other-event", HTTPStatus.FORBIDDEN, "This key isn't for this event.")
NOTHING_HERE = ProblemType("nothing-here", HTTPStatus.NOT_FOUND, "There is nothing at this path.")
OTHER_METHOD = ProblemType("other-method", HTTPStatus.METHOD_NOT_ALLOWED, "This path doesn't take this method.")
TOO_SLOW = ProblemType("too-slow", HTTPStatus.REQUEST_TIMEOUT, "The request took too long to arrive.")
UNDER_WAY = ProblemType("under-way", HTTPStatus.CONFLICT, "A request with this Idempotency-Key is at work. Ask again.")
TOO_LARGE = ProblemType("too-large", HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The body is too large.")
OTHER_KIND = ProblemType(
    "other-kind", HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "The body is of another kind than is taken here."
)
WRONG_SHAPE = ProblemType("wrong-shape", HTTPStatus.UNPROCESSABLE_ENTITY, "The body isn't what the document asks for.")
KEY_REUSED = ProblemType(
    "idempotency-key-reused", HTTPStatus.UNPROCESSABLE_ENTITY, "This Idempotency-Key came with another request before."
)
HEAD_TOO_LARGE = ProblemType("head-too-large", HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "The head is too large.")
TOO_MANY_LOGINS = ProblemType(
    "too-many-logins", HTTPStatus.TOO_MANY_REQUESTS, "Too many logins of this key are at work."
)
TOO_MANY_FAILURES = ProblemType(
    "too-many-failures",
    HTTPStatus.TOO_MANY_REQUESTS,
    "Too many logins from the user's address have failed; for a while none may begin from there.",
)
FAULT = ProblemType("fault", HTTPStatus.INTERNAL_SERVER_ERROR, "Something went wrong here. It is in the log.")
UNAVAILABLE = ProblemType(
    "unavailable", HTTPStatus.SERVICE_UNAVAILABLE, "Nobody can tell now: a server that is asked is out of order."
)


class ProblemError(Exception):
    """A problem with this request. `headers` go with the response: Retry-After, Allow, WWW-Authenticate.

    `errors`: what is wrong where in the body (JSON Pointer).
    """

    def __init__(
        self,
        sort: ProblemType,
        detail: str = "",
        headers: tuple[tuple[str, str], ...] = (),
        errors: tuple[tuple[str, str], ...] = (),
    ) -> None:
        """Raise a problem of a type, `sort`; `detail`, if given, replaces that of the type."""
        super().__init__(sort.name)
        self.sort = sort
        self.detail = detail or sort.detail
        self.headers = headers
        self.errors = errors

    @property
    def document(self) -> dict[str, object]:
        """The members of the JSON object of RFC 9457 3."""
        members: dict[str, object] = {"type": self.sort.type, "title": self.sort.title, "detail": self.detail}
        members["status"] = self.sort.status.value
        if self.errors:
            members["errors"] = [{"pointer": pointer, "detail": detail} for pointer, detail in self.errors]
        return members


class TooManyFailuresError(ProblemError):
    """Logins from one source have failed too often. `seconds`: until another one may begin there."""

    def __init__(self, seconds: int) -> None:
        """Send Retry-After with it."""
        super().__init__(TOO_MANY_FAILURES, headers=again_in(seconds))
        self.seconds = seconds


def shown(_request: Request | None, problem: ProblemError) -> Response:
    """Return a problem as JSON."""
    body = json.dumps(problem.document).encode()
    return Response(status=problem.sort.status, body=body, kind=KIND, headers=problem.headers)


def again_in(seconds: int) -> tuple[tuple[str, str], ...]:
    """Return the header Retry-After."""
    return (("Retry-After", str(seconds)),)
