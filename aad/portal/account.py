"""The user's own page: their methods, last logins and lockouts; and the test of a method."""

from __future__ import annotations

import base64
import time
from dataclasses import replace
from http import HTTPStatus
from urllib.parse import quote

from aad.core.answer import NOTHING, Answer, Plain
from aad.core.conversation import Accepted, Rejected
from aad.core.identity import Attempt
from aad.core.secret import Secret
from aad.core.user_address import written
from aad.https import problems
from aad.https.messages import Response, Route, elsewhere
from aad.https.problems import ProblemError
from aad.login.engine import Asked, Reply
from aad.portal.access import Access
from aad.portal.page_request import ANSWERING, DEADLINE, PageRequest
from aad.portal.translations import why
from aad.portal.user_status import MethodConfig

_KIND = "test"


def routes(access: Access) -> list[Route]:
    """Return the routes of the page and the test."""
    return [
        Route("GET", "/", access.inside(_home)),
        Route("POST", "/test", access.inside(_begin)),
        Route("POST", "/test/code", access.inside(_answer)),
    ]


async def home(request: PageRequest, status: HTTPStatus = HTTPStatus.OK, **values: object) -> Response:
    """Return the user's page. `values`: what its template shows besides."""
    methods, past = (
        await request.context.users.statuses(request.user, request.say),
        await request.past(request.user.key),
    )
    rows = await request.rows(request.user)
    return request.page("home", status=status, page="home", methods=methods, past=past, lockouts=rows, **values)


async def asked_alone(
    request: PageRequest, method: MethodConfig, answer: Answer, ticket: bytes | None = None, *, proof: bool = False
) -> Reply:
    """Log the user in by this method alone, as any login: counted, locked and logged. Unavailable.

    `proof`: before a change, instead of a test. The challenge of one can't be answered as the other.
    """
    attempt = Attempt(
        event=(method.proofs if proof else method.tests)[request.user.repository],
        client=request.context.client,
        name=request.user.name,
        answer=answer,
        deadline=time.monotonic() + DEADLINE,
        user_address=request.http.caller,
        calling_station=written(request.http.caller),
        counted=request.http.counted,
    )
    engine = request.context.engine
    return await (engine.begin(attempt) if ticket is None else engine.answer(ticket, attempt))


def method_of(request: PageRequest, name: str) -> MethodConfig:
    """Return a method by its name in a form or a link. ProblemError: this user has none of that name."""
    method = request.context.users.methods.get(name)
    if method is None or request.user.repository not in method.tests:
        raise ProblemError(problems.NOTHING_HERE)
    return method


async def _home(request: PageRequest) -> Response:
    notice, query = "", request.http.query
    if query.get("said") == "works" and query.get("method") in request.context.users.methods:
        notice = request.say("test_works", method=request.context.users.label(query["method"], request.say))
    elif query.get("said") == "enrolled":
        notice = request.say("enrolled")
    return await home(request, notice=notice)


async def _begin(request: PageRequest) -> Response:
    method = method_of(request, request.http.form.get("method", ""))
    return await _respond(request, method, await asked_alone(request, method, NOTHING))


async def _answer(request: PageRequest) -> Response:
    known, form = request.opened(_KIND), request.http.form
    if known is None:
        return await home(request, HTTPStatus.FORBIDDEN, trouble=request.say("too_late"))
    method = method_of(request, known["method"])
    again, code = form.get("again") == "1", form.get("code", "").strip()
    if not code and not again:
        return _code(request, method, known["prompt"], form["state"], mistakes={"code": request.say("code_missing")})
    answer = NOTHING if again else Plain(Secret(code))
    reply = await asked_alone(request, method, answer, base64.b64decode(known["ticket"]))
    if isinstance(reply, Asked) and not again:  # the page says so in its own words, so the question stays as it was
        reply, mistakes = replace(reply, prompt=known["prompt"]), {"code": request.say("code_wrong")}
        return _code(request, method, reply.prompt, _state(request, method, reply), mistakes=mistakes)
    return await _respond(request, method, reply, notice=request.say("resent") if again else "")


async def _respond(request: PageRequest, method: MethodConfig, reply: Reply, notice: str = "") -> Response:
    if isinstance(reply, Accepted):
        return elsewhere(f"/?said=works&method={quote(method.name)}")
    if isinstance(reply, Rejected):
        trouble = request.say("test_failed", why=why(reply.reason, request.say))
        return await home(request, HTTPStatus.UNPROCESSABLE_ENTITY, trouble=trouble)
    return _code(request, method, reply.prompt, _state(request, method, reply), notice=notice)


def _state(request: PageRequest, method: MethodConfig, asked: Asked) -> str:
    ticket = base64.b64encode(asked.ticket).decode()
    return request.sealed(_KIND, asked.seconds + ANSWERING, ticket=ticket, method=method.name, prompt=asked.prompt)


def _code(request: PageRequest, method: MethodConfig, prompt: str, state: str, **values: object) -> Response:
    label = request.context.users.label(method.name, request.say)
    values |= request.context.entry(method.name, request.say)
    values |= {"action": "/test/code", "away": "/", "lead": request.say("test_lead"), "note": "", "narrow": True}
    values |= {"heading": request.say("test_title", method=label), "prompt": prompt}
    values |= {"resend": method.resends, "state": state}
    status = HTTPStatus.UNPROCESSABLE_ENTITY if values.get("mistakes") else HTTPStatus.OK
    return request.page("code", status=status, **values)
