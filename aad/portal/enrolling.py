"""Somebody sets up his app, or makes recovery codes: after a fresh sign-in, and for another app after a proof."""

from __future__ import annotations

from http import HTTPStatus

from aad import qr
from aad.core.answer import Plain
from aad.core.conversation import Accepted
from aad.core.recovery import LENGTH
from aad.core.secret import Secret
from aad.core.token import Token, base32, from_base32
from aad.enrolment import Enrolment
from aad.https import problems
from aad.https.problems import Problem
from aad.https.web import Cookie, Response, Route, elsewhere
from aad.portal.door import Door
from aad.portal.own import asked_alone, home, means_of
from aad.portal.pages import drawing
from aad.portal.people import Means
from aad.portal.sessions import COOKIE
from aad.portal.visit import Visit
from aad.ports import ForeignSeal

_APP, _PROOF, _CODES = "app", "proof", "codes"
_PATIENCE = 900.0  # seconds to find the phone and the app


def routes(door: Door) -> list[Route]:
    """Return what is answered here."""
    return [
        Route("GET", "/enrol", door.inside(_offer, fresh=True)),
        Route("POST", "/enrol/proof", door.inside(_prove, fresh=True)),
        Route("POST", "/enrol", door.inside(_confirm, fresh=True)),
        Route("GET", "/codes", door.inside(_codes, fresh=True)),
        Route("POST", "/codes", door.inside(_make, fresh=True)),
    ]


def _enrolment(visit: Visit, name: str, kind: str) -> Enrolment:
    """Return a method that users enrol for themselves. Problem: this is none."""
    enrolment = means_of(visit, name).enrolment
    if enrolment is None or enrolment.type != kind:
        raise Problem(problems.NOTHING_HERE)
    return enrolment


async def _offer(visit: Visit) -> Response:
    enrolment = _enrolment(visit, visit.request.query.get("method", ""), "totp")
    if await enrolment.enrolled(visit.user):
        return _proof(visit, enrolment)
    return _app(visit, enrolment, enrolment.token(), instead=False)


def _proof(visit: Visit, enrolment: Enrolment, mistake: str = "") -> Response:
    say = visit.say
    values: dict[str, object] = {"heading": say("prove_title"), "lead": "", "prompt": say("prove_lead")}
    values |= {"action": "/enrol/proof", "away": "/", "note": say("prove_lost"), "resend": False, "narrow": True}
    values |= {"type": "text", "kind": "code", "label": say("code")}  # letters too: it may be a recovery code
    values |= {"state": visit.sealed(_PROOF, _PATIENCE, method=enrolment.name)}
    status = HTTPStatus.UNPROCESSABLE_ENTITY if mistake else HTTPStatus.OK
    return visit.page("code", status=status, mistakes={"code": mistake} if mistake else {}, **values)


async def _prove(visit: Visit) -> Response:
    """Take a code of the app that is set up, or a recovery code, as proof that this is still he."""
    known = visit.opened(_PROOF)
    if known is None:
        return await home(visit, HTTPStatus.FORBIDDEN, trouble=visit.say("too_late"))
    enrolment = _enrolment(visit, known["method"], "totp")
    typed = visit.request.form.get("code", "").strip()
    if not typed:
        return _proof(visit, enrolment, visit.say("code_missing"))
    reply = await asked_alone(visit, _proving(visit, enrolment, typed), Plain(Secret(typed)))
    if not isinstance(reply, Accepted):
        return _proof(visit, enrolment, visit.say("code_wrong"))
    return _app(visit, enrolment, enrolment.token(), instead=True)


def _proving(visit: Visit, enrolment: Enrolment, typed: str) -> Means:
    """Return the method that a code is of, by its length."""
    means = visit.parts.people.means
    paper = [each for each in means.values() if each.type == "recovery_codes" and visit.user.repository in each.tests]
    return paper[0] if paper and len(typed.replace("-", "").replace(" ", "")) >= LENGTH else means[enrolment.name]


def _app(visit: Visit, enrolment: Enrolment, token: Token, *, instead: bool, mistake: str = "") -> Response:
    """Show the secret of an app that isn't set up yet. `instead`: in the place of one, of which there is proof."""
    form, say = enrolment.settings.form, visit.say
    secret = base32(token.secret)
    values: dict[str, object] = {
        "qr": drawing(qr.svg(enrolment.address(token, visit.user))),
        "key": " ".join(secret[at : at + 4] for at in range(0, len(secret), 4)),
        "details": say(
            "enrol_details",
            account=visit.user.name,
            digits=form.digits,
            step=form.period,
            algorithm=form.algorithm.upper(),
        ),
        "state": visit.sealed(_APP, _PATIENCE, method=enrolment.name, secret=secret, instead=instead),
        "mistakes": {"code": mistake} if mistake else {},
    }
    status = HTTPStatus.UNPROCESSABLE_ENTITY if mistake else HTTPStatus.OK
    return visit.page("enrol", status=status, narrow=True, **values)


async def _confirm(visit: Visit) -> Response:
    """Hold the secret once the app has shown a code of it; every other session of his ends."""
    known = visit.opened(_APP)
    if known is None:
        return await home(visit, HTTPStatus.FORBIDDEN, trouble=visit.say("too_late"))
    enrolment, token = _enrolment(visit, known["method"], "totp"), Token(from_base32(known["secret"]))
    instead = bool(known["instead"])
    typed = visit.request.form.get("code", "").strip()
    after = enrolment.confirmed(token, visit.user, Plain(Secret(typed)))
    if after is None:
        mistake = visit.say("code_wrong" if typed else "code_missing")
        return _app(visit, enrolment, token, instead=instead, mistake=mistake)
    if not await visit.parts.forms.first(known):
        return await home(visit, HTTPStatus.CONFLICT, trouble=visit.say("form_used"))
    if not await enrolment.hold(visit.user, after, instead=instead):
        return await home(visit, HTTPStatus.CONFLICT, trouble=visit.say("raced"))
    visit.tell("user.enrolled", user=visit.user.name, method=enrolment.name, repository=visit.user.repository)
    return await _anew(visit, "/?said=enrolled")


async def _anew(visit: Visit, path: str) -> Response:
    """End all sessions of his, and go on with this one under another token."""
    sessions = visit.parts.sessions
    await sessions.end_all(visit.user.repository, visit.user.key)
    session = await sessions.open(visit.user, began=visit.session.began)
    return elsewhere(path, Cookie(name=COOKIE, value=session.token))


async def _codes(visit: Visit) -> Response:
    enrolment = _enrolment(visit, visit.request.query.get("method", ""), "recovery_codes")
    try:
        ready = bool(await enrolment.left(visit.user))
    except ForeignSeal:
        ready = False
    state = visit.sealed(_CODES, _PATIENCE, method=enrolment.name)
    return visit.page("codes", narrow=True, ready=ready, state=state, codes=())


async def _make(visit: Visit) -> Response:
    """Make codes, and show them this once: a page that is reloaded makes none."""
    known = visit.opened(_CODES)
    if known is None:
        return await home(visit, HTTPStatus.FORBIDDEN, trouble=visit.say("too_late"))
    enrolment = _enrolment(visit, known["method"], "recovery_codes")
    if not await visit.parts.forms.first(known):
        return await home(visit, HTTPStatus.CONFLICT, trouble=visit.say("form_used"))
    made = await enrolment.make_codes(visit.user)
    if made is None:
        return await home(visit, HTTPStatus.CONFLICT, trouble=visit.say("raced"))
    visit.tell("user.enrolled", user=visit.user.name, method=enrolment.name, repository=visit.user.repository)
    return visit.page("codes", narrow=True, codes=[code.text() for code in made[0]])
