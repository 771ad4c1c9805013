"""The helpdesk: finds a person, sees why he isn't let in, unlocks and resets. Whatever it does is a record."""

from __future__ import annotations

from http import HTTPStatus

from aad.core.identity import User, odd
from aad.https import problems
from aad.https.messages import Response, Route
from aad.https.problems import ProblemError
from aad.notices.kept import By, What
from aad.notices.text import line
from aad.portal.access import NOT_YOURS, Access
from aad.portal.account import means_of
from aad.portal.page_request import PageRequest
from aad.ports import AmbiguousUserError

_KIND, _RESET = "person", "reset"
_PATIENCE = 3600.0  # seconds that a person's page is good for


def routes(door: Access) -> list[Route]:
    """Return what is answered here."""
    return [
        Route("GET", "/helpdesk", door.inside(_ask, helper=True)),
        Route("POST", "/helpdesk", door.inside(_find, helper=True)),
        Route("POST", "/helpdesk/unlock", door.inside(_unlock, helper=True)),
        Route("POST", "/helpdesk/reset", door.inside(_reset, fresh=True, helper=True)),
        Route("POST", "/helpdesk/reset/now", door.inside(_reset_now, fresh=True, helper=True)),
    ]


async def _ask(visit: PageRequest) -> Response:
    return visit.page("helpdesk", page="helpdesk", narrow=True)


async def _find(visit: PageRequest) -> Response:
    name, mistake = visit.request.form.get("name", "").strip(), "nobody"
    person = None
    if name and not odd(name):
        try:
            person = await visit.parts.people.find(name)
        except AmbiguousUserError:
            mistake = "several"
    if person is None:
        mistakes = {"name": visit.say(mistake if name else "name_missing")}
        status = HTTPStatus.UNPROCESSABLE_ENTITY
        return visit.page("helpdesk", status=status, page="helpdesk", narrow=True, name=name, mistakes=mistakes)
    visit.tell("helpdesk.looked", user=person.name, by=visit.user.name, repository=person.repository)
    return await _person(visit, person)


async def _unlock(visit: PageRequest) -> Response:
    person = await _known(visit)
    if await visit.parts.engine.lockout.unlock([person.repository], person.key):
        visit.tell("helpdesk.unlocked", user=person.name, by=visit.user.name)
        return await _person(visit, person, notice=visit.say("unlocked", user=person.name))
    return await _person(visit, person, notice=visit.say("was_not_locked", user=person.name))


async def _reset(visit: PageRequest) -> Response:
    """Say what a reset does, and ask back."""
    person = await _known(visit)
    means = means_of(visit, visit.request.form.get("method", ""))
    if means.enrolment is None:
        raise ProblemError(problems.NOTHING_HERE)
    label = visit.parts.people.label(means.name, visit.say)
    held = await means.enrolment.identity(person)
    if not held:
        return await _person(visit, person, notice=visit.say("reset_nothing", user=person.name, method=label))
    known = {"name": person.name, "repository": person.repository, "method": means.name, "held": held}
    state = visit.sealed(_RESET, _PATIENCE, **known)
    return visit.page("reset", page="helpdesk", narrow=True, person=person.name, label=label, state=state)


async def _reset_now(visit: PageRequest) -> Response:
    """Remove what somebody is enrolled with; whoever is signed in as they isn't any more."""
    person, known = await _known(visit, _RESET), visit.opened(_RESET) or {}
    means = means_of(visit, known["method"])
    if means.enrolment is None:
        raise ProblemError(problems.NOTHING_HERE)
    label = visit.parts.people.label(means.name, visit.say)
    if not await visit.parts.forms.first(known):
        return await _person(visit, person, notice=visit.say("form_used"))
    notice = await visit.noticed(person, What.REMOVED, by=By.HELPDESK, method=means.name)
    # First: were the store to go now, nothing would be offered to reset any more, and whoever is signed in would stay.
    await visit.parts.sessions.end_all(person.repository, person.key)
    if not await means.enrolment.exchange(person, known["held"], None):
        await visit.parts.notices.take_back(person, notice)
        return await _person(visit, person, notice=visit.say("raced"))
    visit.parts.notices.mail()
    visit.tell("helpdesk.reset", user=person.name, by=visit.user.name, method=means.name, repository=person.repository)
    return await _person(visit, person, notice=visit.say("reset_done", user=person.name, method=label))


async def _known(visit: PageRequest, kind: str = _KIND) -> User:
    """Return the person that the form is about, as they are now.

    ProblemError: the form is too old, or they are gone, or they are somebody whom this helper may not help.
    """
    known = visit.opened(kind)
    try:
        person = await visit.parts.people.again(known["name"], known["repository"]) if known else None
    except AmbiguousUserError:
        person = None
    if person is None:
        raise ProblemError(problems.NOTHING_HERE)
    if not visit.parts.may_help(visit.user, person):
        visit.tell("portal.refused", user=visit.user.name, reason=f"{person.name} is of the helpdesk too")
        raise ProblemError(NOT_YOURS)
    return person


async def _undelivered(visit: PageRequest, person: User) -> dict[str, object] | None:
    """Return what the person could not be told by mail, as the template shows it."""
    notice = await visit.parts.notices.undelivered(person.repository, person.key)
    if notice is None:
        return None
    return {"lines": [line(row, visit.language) for row in notice.rows], "more": notice.more, "why": notice.trouble}


def _themselves(visit: PageRequest, person: User) -> bool:
    return (person.repository, person.key) == (visit.user.repository, visit.user.key)


async def _person(visit: PageRequest, person: User, notice: str = "") -> Response:
    parts, say = visit.parts, visit.say
    past = await visit.past(person.key)
    rows = await visit.rows(person)
    return visit.page(
        "person",
        page="helpdesk",
        person=person.name,
        repository=person.repository,
        lockouts=rows,
        methods=await parts.people.ways(person, say),
        past=past,
        refusal=next((each for each in past if each["outcome"] != "accepted"), None),
        state=visit.sealed(_KIND, _PATIENCE, name=person.name, repository=person.repository),
        own=_themselves(visit, person),
        may_help=parts.may_help(visit.user, person),
        undelivered=await _undelivered(visit, person),
        notice=notice,
    )
