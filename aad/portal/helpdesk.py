"""The helpdesk: finds a person, sees why they aren't let in, unlocks and resets. Each action is a record."""

from __future__ import annotations

from http import HTTPStatus

from aad.core.identity import User, odd
from aad.https import problems
from aad.https.messages import Response, Route
from aad.https.problems import ProblemError
from aad.notices.kept import By, What
from aad.notices.text import line
from aad.portal.access import NOT_YOURS, Access
from aad.portal.account import method_of
from aad.portal.page_request import PageRequest
from aad.ports import AmbiguousUserError

_KIND, _RESET = "person", "reset"
_PATIENCE = 3600.0  # seconds that the forms of a person's page are taken


def routes(access: Access) -> list[Route]:
    """Return the routes of the helpdesk."""
    return [
        Route("GET", "/helpdesk", access.inside(_ask, helper=True)),
        Route("POST", "/helpdesk", access.inside(_find, helper=True)),
        Route("POST", "/helpdesk/unlock", access.inside(_unlock, helper=True)),
        Route("POST", "/helpdesk/reset", access.inside(_reset, fresh=True, helper=True)),
        Route("POST", "/helpdesk/reset/now", access.inside(_reset_now, fresh=True, helper=True)),
    ]


async def _ask(request: PageRequest) -> Response:
    return request.page("helpdesk", page="helpdesk", narrow=True)


async def _find(request: PageRequest) -> Response:
    name, mistake = request.http.form.get("name", "").strip(), "nobody"
    person = None
    if name and not odd(name):
        try:
            person = await request.context.users.find(name)
        except AmbiguousUserError:
            mistake = "several"
    if person is None:
        mistakes = {"name": request.say(mistake if name else "name_missing")}
        status = HTTPStatus.UNPROCESSABLE_ENTITY
        return request.page("helpdesk", status=status, page="helpdesk", narrow=True, name=name, mistakes=mistakes)
    request.record("helpdesk.looked", user=person.name, by=request.user.name, repository=person.repository)
    return await _person(request, person)


async def _unlock(request: PageRequest) -> Response:
    person = await _known(request)
    if await request.context.engine.lockout.unlock([person.repository], person.key):
        request.record("helpdesk.unlocked", user=person.name, by=request.user.name)
        return await _person(request, person, notice=request.say("unlocked", user=person.name))
    return await _person(request, person, notice=request.say("was_not_locked", user=person.name))


async def _reset(request: PageRequest) -> Response:
    """Show what a reset does, and ask for confirmation."""
    person = await _known(request)
    method = method_of(request, request.http.form.get("method", ""))
    if method.enrolment is None:
        raise ProblemError(problems.NOTHING_HERE)
    label = request.context.users.label(method.name, request.say)
    held = await method.enrolment.identity(person)
    if not held:
        return await _person(request, person, notice=request.say("reset_nothing", user=person.name, method=label))
    known = {"name": person.name, "repository": person.repository, "method": method.name, "held": held}
    state = request.sealed(_RESET, _PATIENCE, **known)
    return request.page("reset", page="helpdesk", narrow=True, person=person.name, label=label, state=state)


async def _reset_now(request: PageRequest) -> Response:
    """Remove what a person is enrolled with, and end every session of theirs."""
    person, known = await _known(request, _RESET), request.opened(_RESET) or {}
    method = method_of(request, known["method"])
    if method.enrolment is None:
        raise ProblemError(problems.NOTHING_HERE)
    label = request.context.users.label(method.name, request.say)
    if not await request.context.forms.first(known):
        return await _person(request, person, notice=request.say("form_used"))
    notice = await request.noticed(person, What.REMOVED, by=By.HELPDESK, method=method.name)
    # First: if the store failed after the removal, no reset would be offered any more, and open sessions would go on.
    await request.context.sessions.end_all(person.repository, person.key)
    if not await method.enrolment.exchange(person, known["held"], None):
        await request.context.notices.take_back(person, notice)
        return await _person(request, person, notice=request.say("raced"))
    request.context.notices.mail()
    request.record(
        "helpdesk.reset", user=person.name, by=request.user.name, method=method.name, repository=person.repository
    )
    return await _person(request, person, notice=request.say("reset_done", user=person.name, method=label))


async def _known(request: PageRequest, kind: str = _KIND) -> User:
    """Return the person that the form is about, as they are now.

    ProblemError: the form is too old, the person is gone, or this helper may not help them.
    """
    known = request.opened(kind)
    try:
        person = await request.context.users.current(known["name"], known["repository"]) if known else None
    except AmbiguousUserError:
        person = None
    if person is None:
        raise ProblemError(problems.NOTHING_HERE)
    if not request.context.may_help(request.user, person):
        request.record("portal.refused", user=request.user.name, reason=f"{person.name} is of the helpdesk too")
        raise ProblemError(NOT_YOURS)
    return person


async def _undelivered(request: PageRequest, person: User) -> dict[str, object] | None:
    """Return the notice that no mail could bring to the person, as the template shows it; None: there is none."""
    notice = await request.context.notices.undelivered(person.repository, person.key)
    if notice is None:
        return None
    return {"lines": [line(row, request.language) for row in notice.rows], "more": notice.more, "why": notice.trouble}


def _themselves(request: PageRequest, person: User) -> bool:
    return (person.repository, person.key) == (request.user.repository, request.user.key)


async def _person(request: PageRequest, person: User, notice: str = "") -> Response:
    context, say = request.context, request.say
    past = await request.past(person.key)
    rows = await request.rows(person)
    return request.page(
        "person",
        page="helpdesk",
        person=person.name,
        repository=person.repository,
        lockouts=rows,
        methods=await context.users.statuses(person, say),
        past=past,
        refusal=next((each for each in past if each["outcome"] != "accepted"), None),
        state=request.sealed(_KIND, _PATIENCE, name=person.name, repository=person.repository),
        own=_themselves(request, person),
        may_help=context.may_help(request.user, person),
        undelivered=await _undelivered(request, person),
        notice=notice,
    )
