"""What can go wrong with a request, for whoever sent it (RFC 9457): a Problem is raised. PURE."""

from __future__ import annotations

import json
from dataclasses import dataclass
from http import HTTPStatus

from aad.https.web import Request, Response

KIND = "application/problem+json"


@dataclass(frozen=True)
class Sort:
    """One sort. `name` stands for ever, for programs; `detail` is for people, and quotes nothing of the request."""

    name: str
    status: HTTPStatus
    detail: str

    @property
    def type(self) -> str:
        """The URI that RFC 9457 wants."""
        return f"urn:aad:problem:{self.name}"


NO_HTTP = Sort("no-http", HTTPStatus.BAD_REQUEST, "This is no request of HTTP/1.1.")
UNREADABLE = Sort("unreadable", HTTPStatus.BAD_REQUEST, "The request can't be read.")
NOTHING_HERE = Sort("nothing-here", HTTPStatus.NOT_FOUND, "There is nothing at this path.")
OTHER_METHOD = Sort("other-method", HTTPStatus.METHOD_NOT_ALLOWED, "This path doesn't take this method.")
TOO_SLOW = Sort("too-slow", HTTPStatus.REQUEST_TIMEOUT, "The request took too long to arrive.")
TOO_LARGE = Sort("too-large", HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The body is too large.")
OTHER_KIND = Sort("other-kind", HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "The body is of another kind than is taken here.")
HEAD_TOO_LARGE = Sort("head-too-large", HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "The head is too large.")
TOO_MANY_LOGINS = Sort("too-many-logins", HTTPStatus.TOO_MANY_REQUESTS, "Too many logins of this key are at work.")
FAULT = Sort("fault", HTTPStatus.INTERNAL_SERVER_ERROR, "Something went wrong here. It is in the log.")
UNAVAILABLE = Sort(
    "unavailable", HTTPStatus.SERVICE_UNAVAILABLE, "Nobody can tell now: a server that is asked is out of order."
)


class Problem(Exception):  # noqa: N818 - the word of RFC 9457
    """What is wrong with this request. `headers` go with the response: Retry-After, Allow, WWW-Authenticate."""

    def __init__(self, sort: Sort, detail: str = "", headers: tuple[tuple[str, str], ...] = ()) -> None:
        """Be of a `sort`; `detail`: more than that says of itself."""
        super().__init__(sort.name)
        self.sort = sort
        self.detail = detail or sort.detail
        self.headers = headers

    @property
    def document(self) -> dict[str, object]:
        """The problem as RFC 9457 3 has it."""
        status = self.sort.status
        return {"type": self.sort.type, "title": status.phrase, "status": status.value, "detail": self.detail}


def shown(_request: Request | None, problem: Problem) -> Response:
    """Return a problem as JSON."""
    body = json.dumps(problem.document).encode()
    return Response(status=problem.sort.status, body=body, kind=KIND, headers=problem.headers)


def again_in(seconds: int) -> tuple[tuple[str, str], ...]:
    """Return the header that says when to come again."""
    return (("Retry-After", str(seconds)),)
