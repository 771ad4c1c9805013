"""What somebody sees and tests of his own."""

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


def routes(door: Access) -> list[Route]:
    """Return what is answered here."""
    return [
        Route("GET", "/", door.inside(_home)),
        Route("POST", "/test", door.inside(_begin)),
        Route("POST", "/test/code", door.inside(_answer)),
    ]


async def home(visit: PageRequest, status: HTTPStatus = HTTPStatus.OK, **values: object) -> Response:
    """Return his page."""
    ways, past = await visit.parts.people.ways(visit.user, visit.say), await visit.past(visit.user.key)
    rows = await visit.rows(visit.user)
    return visit.page("home", status=status, page="home", methods=ways, past=past, lockouts=rows, **values)


async def asked_alone(
    visit: PageRequest, means: MethodConfig, answer: Answer, ticket: bytes | None = None, *, proof: bool = False
) -> Reply:
    """Ask nothing but this method of the user, by the engine, as any login: counted, locked and logged. Unavailable.

    A challenge of a test is none of a `proof`, nor the other way round.
    """
    attempt = Attempt(
        event=(means.proofs if proof else means.tests)[visit.user.repository],
        client=visit.parts.client,
        name=visit.user.name,
        answer=answer,
        deadline=time.monotonic() + DEADLINE,
        user_address=visit.request.caller,
        calling_station=written(visit.request.caller),
        counted=visit.request.counted,
    )
    engine = visit.parts.engine
    return await (engine.begin(attempt) if ticket is None else engine.answer(ticket, attempt))


def means_of(visit: PageRequest, name: str) -> MethodConfig:
    """Return a method by the name that a form or a link has. ProblemError: there is none for him."""
    means = visit.parts.people.means.get(name)
    if means is None or visit.user.repository not in means.tests:
        raise ProblemError(problems.NOTHING_HERE)
    return means


async def _home(visit: PageRequest) -> Response:
    said, query = "", visit.request.query
    if query.get("said") == "works" and query.get("method") in visit.parts.people.means:
        said = visit.say("test_works", method=visit.parts.people.label(query["method"], visit.say))
    elif query.get("said") == "enrolled":
        said = visit.say("enrolled")
    return await home(visit, notice=said)


async def _begin(visit: PageRequest) -> Response:
    means = means_of(visit, visit.request.form.get("method", ""))
    return await _told(visit, means, await asked_alone(visit, means, NOTHING))


async def _answer(visit: PageRequest) -> Response:
    known, form = visit.opened(_KIND), visit.request.form
    if known is None:
        return await home(visit, HTTPStatus.FORBIDDEN, trouble=visit.say("too_late"))
    means = means_of(visit, known["method"])
    again, typed = form.get("again") == "1", form.get("code", "").strip()
    if not typed and not again:
        return _code(visit, means, known["prompt"], form["state"], mistakes={"code": visit.say("code_missing")})
    answer = NOTHING if again else Plain(Secret(typed))
    reply = await asked_alone(visit, means, answer, base64.b64decode(known["ticket"]))
    if isinstance(reply, Asked) and not again:  # the page says so in its own words, so the question stays as it was
        reply, mistakes = replace(reply, prompt=known["prompt"]), {"code": visit.say("code_wrong")}
        return _code(visit, means, reply.prompt, _state(visit, means, reply), mistakes=mistakes)
    return await _told(visit, means, reply, notice=visit.say("resent") if again else "")


async def _told(visit: PageRequest, means: MethodConfig, reply: Reply, notice: str = "") -> Response:
    if isinstance(reply, Accepted):
        return elsewhere(f"/?said=works&method={quote(means.name)}")
    if isinstance(reply, Rejected):
        trouble = visit.say("test_failed", why=why(reply.reason, visit.say))
        return await home(visit, HTTPStatus.UNPROCESSABLE_ENTITY, trouble=trouble)
    return _code(visit, means, reply.prompt, _state(visit, means, reply), notice=notice)


def _state(visit: PageRequest, means: MethodConfig, asked: Asked) -> str:
    ticket = base64.b64encode(asked.ticket).decode()
    return visit.sealed(_KIND, asked.seconds + ANSWERING, ticket=ticket, method=means.name, prompt=asked.prompt)


def _code(visit: PageRequest, means: MethodConfig, prompt: str, state: str, **values: object) -> Response:
    label = visit.parts.people.label(means.name, visit.say)
    values |= visit.parts.entry(means.name, visit.say)
    values |= {"action": "/test/code", "away": "/", "lead": visit.say("test_lead"), "note": "", "narrow": True}
    values |= {"heading": visit.say("test_title", method=label), "prompt": prompt}
    values |= {"resend": means.resends, "state": state}
    status = HTTPStatus.UNPROCESSABLE_ENTITY if values.get("mistakes") else HTTPStatus.OK
    return visit.page("code", status=status, **values)
