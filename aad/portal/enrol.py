"""Somebody sets up their app, or makes recovery codes: after a fresh sign-in, and with a proof that it is they."""

from __future__ import annotations

from http import HTTPStatus

from aad.core.answer import Plain
from aad.core.otp_token import OtpToken, base32, from_base32
from aad.core.secret import Secret
from aad.enrolment import qr_code
from aad.enrolment.enrolment import Enrolment
from aad.https import problems
from aad.https.messages import Cookie, Response, Route, elsewhere
from aad.https.problems import ProblemError
from aad.notices.kept import By, What
from aad.portal import proving
from aad.portal.access import Access
from aad.portal.account import home, means_of
from aad.portal.page_request import PageRequest
from aad.portal.pages import drawing
from aad.portal.proofs import PATIENCE, Granted, used_up
from aad.portal.sessions import COOKIE
from aad.portal.user_status import MethodConfig

_APP, _CODES = "app", "codes"


def routes(door: Access) -> list[Route]:
    """Return what is answered here."""
    return [
        Route("GET", "/enrol", door.inside(_offer, fresh=True)),
        Route("POST", "/enrol", door.inside(_confirm, fresh=True)),
        Route("GET", "/codes", door.inside(_codes, fresh=True)),
        Route("POST", "/codes", door.inside(_make, fresh=True)),
        Route("POST", "/prove", door.inside(_prove, fresh=True)),
        Route("POST", "/prove/send", door.inside(proving.send, fresh=True)),
    ]


def _target(visit: PageRequest, name: str, kind: str) -> tuple[MethodConfig, Enrolment]:
    """Return a method that users enrol for themselves. ProblemError: this is none."""
    means = means_of(visit, name)
    if means.enrolment is None or means.type != kind:
        raise ProblemError(problems.NOTHING_HERE)
    return means, means.enrolment


async def _offer(visit: PageRequest) -> Response:
    means, enrolment = _target(visit, visit.request.query.get("method", ""), "totp")
    granted = await proving.granted(visit, means)
    return granted if isinstance(granted, Response) else _app(visit, enrolment, enrolment.token(), granted)


async def _codes(visit: PageRequest) -> Response:
    means, _ = _target(visit, visit.request.query.get("method", ""), "recovery_codes")
    granted = await proving.granted(visit, means)
    return granted if isinstance(granted, Response) else _batch(visit, granted)


async def _prove(visit: PageRequest) -> Response:
    """Go on with what a right code is the leave for."""
    granted = await proving.answered(visit)
    if isinstance(granted, Response):
        return granted
    means = means_of(visit, granted.method)
    if means.type == "recovery_codes":
        return _batch(visit, granted)
    _, enrolment = _target(visit, granted.method, "totp")
    return _app(visit, enrolment, enrolment.token(), granted)


def _app(visit: PageRequest, enrolment: Enrolment, token: OtpToken, granted: Granted, mistake: str = "") -> Response:
    """Show the secret of an app that isn't set up yet."""
    form, say = enrolment.settings.form, visit.say
    secret = base32(token.secret)
    values: dict[str, object] = {
        "qr": drawing(qr_code.svg(enrolment.address(token, visit.user))),
        "key": " ".join(secret[at : at + 4] for at in range(0, len(secret), 4)),
        "details": say(
            "enrol_details",
            account=visit.user.name,
            digits=form.digits,
            step=form.period,
            algorithm=form.algorithm.upper(),
        ),
        "state": visit.sealed(_APP, PATIENCE, secret=secret, granted=granted.known()),
        "mistakes": {"code": mistake} if mistake else {},
    }
    status = HTTPStatus.UNPROCESSABLE_ENTITY if mistake else HTTPStatus.OK
    return visit.page("enrol", status=status, narrow=True, **values)


async def _confirm(visit: PageRequest) -> Response:
    """Hold the secret once the app has shown a code of it; every other session of theirs ends."""
    known = visit.opened(_APP)
    if known is None:
        return await home(visit, HTTPStatus.FORBIDDEN, trouble=visit.say("too_late"))
    granted = Granted(**known["granted"])
    _, enrolment = _target(visit, granted.method, "totp")
    token = OtpToken(from_base32(known["secret"]))
    typed = visit.request.form.get("code", "").strip()
    after = enrolment.confirmed(token, visit.user, Plain(Secret(typed)))
    if after is None:
        return _app(visit, enrolment, token, granted, visit.say("code_wrong" if typed else "code_missing"))
    if refused := await _changed(visit, enrolment, granted, after):
        return refused
    sessions, own = visit.parts.sessions, {enrolment.name: enrolment.identity_of(after)}
    session = await sessions.anew(visit.session, **own)
    return elsewhere("/?said=enrolled", Cookie(name=COOKIE, value=session.token))


def _batch(visit: PageRequest, granted: Granted) -> Response:
    """Offer to make codes, with leave to."""
    ready = bool(granted.held.get(granted.method))
    state = visit.sealed(_CODES, PATIENCE, granted=granted.known())
    return visit.page("codes", narrow=True, ready=ready, state=state, codes=())


async def _make(visit: PageRequest) -> Response:
    """Make codes, and show them this once: a page that is reloaded makes none."""
    known = visit.opened(_CODES)
    if known is None:
        return await home(visit, HTTPStatus.FORBIDDEN, trouble=visit.say("too_late"))
    granted = Granted(**known["granted"])
    _, enrolment = _target(visit, granted.method, "recovery_codes")
    batch = enrolment.batch()
    if refused := await _changed(visit, enrolment, granted, batch.encoded()):
        return refused
    await visit.parts.sessions.enrolled(visit.session, **{enrolment.name: enrolment.identity_of(batch.encoded())})
    return visit.page("codes", narrow=True, codes=[code.text() for code in enrolment.spelled(batch)])


async def _changed(visit: PageRequest, enrolment: Enrolment, granted: Granted, value: Secret) -> Response | None:
    """Put `value` in the place of what is held, with this leave; return the page that says why not, or None."""
    if refused := await used_up(visit, granted):
        return refused
    before = granted.held.get(enrolment.name, "")
    codes = enrolment.type == "recovery_codes"
    what = What.CODES if codes and before else What.REPLACED if before else What.SET_UP
    notice = await visit.noticed(visit.user, what, by=By.USER, method=enrolment.name)
    if not await enrolment.exchange(visit.user, before, value):
        await visit.parts.notices.take_back(visit.user, notice)
        return await home(visit, HTTPStatus.CONFLICT, trouble=visit.say("raced"))
    visit.parts.notices.mail()
    visit.tell("user.enrolled", user=visit.user.name, method=enrolment.name, repository=visit.user.repository)
    return None
