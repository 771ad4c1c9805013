"""Enrolment: users set up an app or make recovery codes, after a fresh sign-in and a proof that it is they."""

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
from aad.portal.account import home, method_of
from aad.portal.page_request import PageRequest
from aad.portal.pages import drawing
from aad.portal.proofs import PATIENCE, Granted, used_up
from aad.portal.sessions import COOKIE
from aad.portal.user_status import MethodConfig

_APP, _CODES = "app", "codes"


def routes(access: Access) -> list[Route]:
    """Return the routes of enrolment."""
    return [
        Route("GET", "/enrol", access.inside(_offer, fresh=True)),
        Route("POST", "/enrol", access.inside(_confirm, fresh=True)),
        Route("GET", "/codes", access.inside(_codes, fresh=True)),
        Route("POST", "/codes", access.inside(_make, fresh=True)),
        Route("POST", "/prove", access.inside(_prove, fresh=True)),
        Route("POST", "/prove/send", access.inside(proving.send, fresh=True)),
    ]


def _target(request: PageRequest, name: str, kind: str) -> tuple[MethodConfig, Enrolment]:
    """Return a method of type `kind` that users enrol for themselves. ProblemError: it isn't one."""
    method = method_of(request, name)
    if method.enrolment is None or method.type != kind:
        raise ProblemError(problems.NOTHING_HERE)
    return method, method.enrolment


async def _offer(request: PageRequest) -> Response:
    method, enrolment = _target(request, request.http.query.get("method", ""), "totp")
    granted = await proving.granted(request, method)
    return granted if isinstance(granted, Response) else _app(request, enrolment, enrolment.token(), granted)


async def _codes(request: PageRequest) -> Response:
    method, _ = _target(request, request.http.query.get("method", ""), "recovery_codes")
    granted = await proving.granted(request, method)
    return granted if isinstance(granted, Response) else _batch(request, granted)


async def _prove(request: PageRequest) -> Response:
    """Show the change that a right code permits."""
    granted = await proving.answered(request)
    if isinstance(granted, Response):
        return granted
    method = method_of(request, granted.method)
    if method.type == "recovery_codes":
        return _batch(request, granted)
    _, enrolment = _target(request, granted.method, "totp")
    return _app(request, enrolment, enrolment.token(), granted)


def _app(request: PageRequest, enrolment: Enrolment, token: OtpToken, granted: Granted, mistake: str = "") -> Response:
    """Show the secret of an app that isn't set up yet."""
    form, say = enrolment.settings.form, request.say
    secret = base32(token.secret)
    values: dict[str, object] = {
        "qr": drawing(qr_code.svg(enrolment.address(token, request.user))),
        "key": " ".join(secret[at : at + 4] for at in range(0, len(secret), 4)),
        "details": say(
            "enrol_details",
            account=request.user.name,
            digits=form.digits,
            step=form.period,
            algorithm=form.algorithm.upper(),
        ),
        "state": request.sealed(_APP, PATIENCE, secret=secret, granted=granted.known()),
        "mistakes": {"code": mistake} if mistake else {},
    }
    status = HTTPStatus.UNPROCESSABLE_ENTITY if mistake else HTTPStatus.OK
    return request.page("enrol", status=status, narrow=True, **values)


async def _confirm(request: PageRequest) -> Response:
    """Store the secret once the app has shown a code of it; every other session of the user ends."""
    known = request.opened(_APP)
    if known is None:
        return await home(request, HTTPStatus.FORBIDDEN, trouble=request.say("too_late"))
    granted = Granted(**known["granted"])
    _, enrolment = _target(request, granted.method, "totp")
    token = OtpToken(from_base32(known["secret"]))
    code = request.http.form.get("code", "").strip()
    after = enrolment.confirmed(token, request.user, Plain(Secret(code)))
    if after is None:
        return _app(request, enrolment, token, granted, request.say("code_wrong" if code else "code_missing"))
    if refused := await _changed(request, enrolment, granted, after):
        return refused
    sessions, own = request.context.sessions, {enrolment.name: enrolment.identity_of(after)}
    session = await sessions.replace_all(request.session, **own)
    return elsewhere("/?said=enrolled", Cookie(name=COOKIE, value=session.token))


def _batch(request: PageRequest, granted: Granted) -> Response:
    """Offer to make codes, with the permission sealed in the form."""
    ready = bool(granted.held.get(granted.method))
    state = request.sealed(_CODES, PATIENCE, granted=granted.known())
    return request.page("codes", narrow=True, ready=ready, state=state, codes=())


async def _make(request: PageRequest) -> Response:
    """Make codes, and show them this once: reloading the page makes none."""
    known = request.opened(_CODES)
    if known is None:
        return await home(request, HTTPStatus.FORBIDDEN, trouble=request.say("too_late"))
    granted = Granted(**known["granted"])
    _, enrolment = _target(request, granted.method, "recovery_codes")
    batch = enrolment.batch()
    if refused := await _changed(request, enrolment, granted, batch.encoded()):
        return refused
    await request.context.sessions.enrolled(request.session, **{enrolment.name: enrolment.identity_of(batch.encoded())})
    return request.page("codes", narrow=True, codes=[code.text() for code in enrolment.spelled(batch)])


async def _changed(request: PageRequest, enrolment: Enrolment, granted: Granted, value: Secret) -> Response | None:
    """Put `value` in the place of what is held, with this leave; return the page that says why not, or None."""
    if refused := await used_up(request, granted):
        return refused
    before = granted.held.get(enrolment.name, "")
    codes = enrolment.type == "recovery_codes"
    what = What.CODES if codes and before else What.REPLACED if before else What.SET_UP
    notice = await request.noticed(request.user, what, by=By.USER, method=enrolment.name)
    if not await enrolment.exchange(request.user, before, value):
        await request.context.notices.take_back(request.user, notice)
        return await home(request, HTTPStatus.CONFLICT, trouble=request.say("raced"))
    request.context.notices.mail()
    request.record("user.enrolled", user=request.user.name, method=enrolment.name, repository=request.user.repository)
    return None
