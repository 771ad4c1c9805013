"""The pages on which a user gives the proof that `proofs` asks for, before a change of their enrolment."""

from __future__ import annotations

import base64
from dataclasses import replace
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from aad.core.answer import NOTHING, Plain
from aad.core.conversation import Accepted, Rejected
from aad.core.outcome import Reason
from aad.core.secret import Secret
from aad.enrolment.enrolment import SPENT
from aad.https.messages import Response, elsewhere
from aad.login.engine import Asked, Reply
from aad.portal.account import asked_alone, home, method_of
from aad.portal.page_request import PageRequest
from aad.portal.proofs import PATIENCE, Due, Granted, due
from aad.portal.translations import why
from aad.portal.user_status import MethodConfig

_KIND, _SENDING = "proof", "proof by message"
_PATHS = {"totp": "/enrol", "recovery_codes": "/codes"}
_PROMPTS = {"totp": "prove_app", "recovery_codes": "prove_codes"}


async def granted(request: PageRequest, target: MethodConfig) -> Granted | Response:
    """Return the permission to change `target`, or the page that asks for the proof."""
    asked, ways, held = await _due(request)
    if asked is Due.NOTHING:
        return _granted(request, target.name, held, request.context.forms.new_id())
    if asked is Due.SIGN_IN:
        return elsewhere("/sign-in?again=1")
    sending = request.context.users.sending_method(request.user)
    if asked is Due.MESSAGE and sending:
        state = request.sealed(_SENDING, PATIENCE, method=target.name)
        return request.page("prove", narrow=True, label=_label(request, target.name), state=state)
    if asked is Due.CODE:
        wanted = request.http.query.get("by", target.name)
        by = wanted if wanted in ways else ways[0]
        others = [each for each in ways if each != by]
        return _page(request, {"method": target.name, "by": by, "ticket": "", "prompt": "", "others": others})
    return request.page("prove", status=HTTPStatus.FORBIDDEN, narrow=True, label=_label(request, target.name), state="")


async def send(request: PageRequest) -> Response:
    """Send a code to the user's address, if that is the proof that is asked for."""
    known = request.opened(_SENDING)
    if known is None:
        return await home(request, HTTPStatus.FORBIDDEN, trouble=request.say("too_late"))
    asked, _, _ = await _due(request)
    by = request.context.users.sending_method(request.user)
    if asked is not Due.MESSAGE or by is None:
        return await home(request, HTTPStatus.CONFLICT, trouble=request.say("raced"))
    reply = await asked_alone(request, by, NOTHING, proof=True)
    return await _respond(request, {"method": known["method"], "by": by.name, "others": []}, reply)


async def answered(request: PageRequest) -> Granted | Response:
    """Return the permission that a right code gives, or the page to show instead."""
    known, form = request.opened(_KIND), request.http.form
    if known is None:
        return await home(request, HTTPStatus.FORBIDDEN, trouble=request.say("too_late"))
    if (before := await _still(request, known["by"])) is None:
        return await home(request, HTTPStatus.CONFLICT, trouble=request.say("raced"))
    ticket = base64.b64decode(known["ticket"]) or None
    again, code = form.get("again") == "1" and ticket is not None, form.get("code", "").strip()
    if not code and not again:
        return _page(request, known, request.say("code_missing"))
    answer = NOTHING if again else Plain(Secret(code))
    reply = await asked_alone(request, method_of(request, known["by"]), answer, ticket, proof=True)
    if isinstance(reply, Accepted):
        return await _proved(request, known, before, reply.login.nonce.hex())
    return await (
        _respond(request, known, reply, notice=request.say("resent")) if again else _wrong(request, known, reply)
    )


async def _proved(request: PageRequest, known: dict[str, Any], before: dict[str, str], once: str) -> Granted | Response:
    """Return the permission, unless enrolment changed meanwhile by more than a last code used up.

    `once`: the permission's id, the same for all forms that one right code answers: two at once join one login.
    """
    held = (await _due(request))[2]
    if held not in (before, before | {known["by"]: SPENT}):
        return await home(request, HTTPStatus.CONFLICT, trouble=request.say("raced"))
    return _granted(request, known["method"], held, once)


async def _wrong(request: PageRequest, known: dict[str, Any], reply: Reply) -> Response:
    if isinstance(reply, Rejected) and reply.reason not in {Reason.WRONG_CODE, Reason.USED_CODE}:
        return await _respond(request, known, reply)
    if not known["ticket"]:  # the next code is a challenge of its own
        return _page(request, known, request.say("code_wrong"))
    if isinstance(reply, Asked):  # the page says so in its own words, so the question stays as it was
        return await _respond(request, known, replace(reply, prompt=known["prompt"]), request.say("code_wrong"))
    return await _respond(request, known, reply)


async def _due(request: PageRequest) -> tuple[Due, tuple[str, ...], dict[str, str]]:
    """Return the proof that is asked for now, the methods whose codes are that proof, and what is enrolled."""
    users, session = request.context.users, request.session
    held, reached = await users.held(request.user), users.sending_method(request.user) is not None
    return *due(session.before, session.own, held, second=session.second, reached=reached), held


async def _still(request: PageRequest, by: str) -> dict[str, str] | None:
    """Return what is enrolled, if a proof by this method is asked for now."""
    asked, ways, held = await _due(request)
    sending = request.context.users.sending_method(request.user)
    sent = asked is Due.MESSAGE and sending is not None and sending.name == by
    return held if sent or by in ways else None


def _granted(request: PageRequest, method: str, held: dict[str, str], once: str) -> Granted:
    return Granted(method=method, held=held, once=once, until=request.context.store.now() + PATIENCE)


async def _respond(
    request: PageRequest, known: dict[str, Any], reply: Reply, mistake: str = "", notice: str = ""
) -> Response:
    if isinstance(reply, Asked):
        ticket = base64.b64encode(reply.ticket).decode()
        return _page(request, known | {"ticket": ticket, "prompt": reply.prompt}, mistake, notice)
    reason = reply.reason if isinstance(reply, Rejected) else ""
    trouble = request.say("prove_failed", why=why(reason, request.say))
    return await home(request, HTTPStatus.UNPROCESSABLE_ENTITY, trouble=trouble)


def _page(request: PageRequest, known: dict[str, Any], mistake: str = "", notice: str = "") -> Response:
    """Ask for a code of the method `known["by"]`."""
    say, by, target = (
        request.say,
        request.context.users.methods[known["by"]],
        request.context.users.methods[known["method"]],
    )
    prompt = known["prompt"] or say(_PROMPTS.get(by.type, "prove_other"), method=_label(request, by.name))
    values = request.context.entry(by.name, say) | {"action": "/prove", "away": "/", "prompt": prompt}
    values |= {"heading": say("prove_title"), "lead": say("prove_lead", method=_label(request, target.name))}
    values |= {"note": say("prove_lost"), "state": request.sealed(_KIND, PATIENCE, **known)}
    path = f"{_PATHS[target.type]}?method={quote(target.name)}&by="
    others = [(f"{path}{quote(each)}", say("prove_by", method=_label(request, each))) for each in known["others"]]
    mistakes = {"code": mistake} if mistake else {}
    more: dict[str, Any] = {"resend": bool(known["ticket"]), "others": others, "mistakes": mistakes, "notice": notice}
    status = HTTPStatus.UNPROCESSABLE_ENTITY if mistake else HTTPStatus.OK
    return request.page("code", status=status, narrow=True, **values, **more)


def _label(request: PageRequest, name: str) -> str:
    return request.context.users.label(name, request.say)
