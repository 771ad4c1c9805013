"""The pages on which somebody proves that it is still they, before they change what they are enrolled with."""

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
from aad.portal.account import asked_alone, home, means_of
from aad.portal.page_request import PageRequest
from aad.portal.proofs import PATIENCE, Due, Granted, due
from aad.portal.translations import why
from aad.portal.user_status import MethodConfig

_KIND, _SENDING = "proof", "proof by message"
_PATHS = {"totp": "/enrol", "recovery_codes": "/codes"}
_PROMPTS = {"totp": "prove_app", "recovery_codes": "prove_codes"}


async def granted(visit: PageRequest, target: MethodConfig) -> Granted | Response:
    """Return the leave to change `target`, or the page that asks for what is needed first."""
    asked, ways, held = await _due(visit)
    if asked is Due.NOTHING:
        return _granted(visit, target.name, held, visit.parts.forms.once())
    if asked is Due.SIGN_IN:
        return elsewhere("/sign-in?again=1")
    messenger = visit.parts.people.messenger(visit.user)
    if asked is Due.MESSAGE and messenger:
        state = visit.sealed(_SENDING, PATIENCE, method=target.name)
        return visit.page("prove", narrow=True, label=_label(visit, target.name), state=state)
    if asked is Due.CODE:
        wanted = visit.request.query.get("by", target.name)
        by = wanted if wanted in ways else ways[0]
        others = [each for each in ways if each != by]
        return _page(visit, {"method": target.name, "by": by, "ticket": "", "prompt": "", "others": others})
    return visit.page("prove", status=HTTPStatus.FORBIDDEN, narrow=True, label=_label(visit, target.name), state="")


async def send(visit: PageRequest) -> Response:
    """Send a code to the user's address, if that is what is asked for."""
    known = visit.opened(_SENDING)
    if known is None:
        return await home(visit, HTTPStatus.FORBIDDEN, trouble=visit.say("too_late"))
    asked, _, _ = await _due(visit)
    by = visit.parts.people.messenger(visit.user)
    if asked is not Due.MESSAGE or by is None:
        return await home(visit, HTTPStatus.CONFLICT, trouble=visit.say("raced"))
    reply = await asked_alone(visit, by, NOTHING, proof=True)
    return await _told(visit, {"method": known["method"], "by": by.name, "others": []}, reply)


async def answered(visit: PageRequest) -> Granted | Response:
    """Return the leave that a right code is, or what is shown instead."""
    known, form = visit.opened(_KIND), visit.request.form
    if known is None:
        return await home(visit, HTTPStatus.FORBIDDEN, trouble=visit.say("too_late"))
    if (before := await _still(visit, known["by"])) is None:
        return await home(visit, HTTPStatus.CONFLICT, trouble=visit.say("raced"))
    ticket = base64.b64decode(known["ticket"]) or None
    again, typed = form.get("again") == "1" and ticket is not None, form.get("code", "").strip()
    if not typed and not again:
        return _page(visit, known, visit.say("code_missing"))
    answer = NOTHING if again else Plain(Secret(typed))
    reply = await asked_alone(visit, means_of(visit, known["by"]), answer, ticket, proof=True)
    if isinstance(reply, Accepted):
        return await _proved(visit, known, before, reply.login.nonce.hex())
    return await (_told(visit, known, reply, notice=visit.say("resent")) if again else _wrong(visit, known, reply))


async def _proved(visit: PageRequest, known: dict[str, Any], before: dict[str, str], once: str) -> Granted | Response:
    """Return the leave, unless something else than a last code was used up meanwhile.

    `once`: the same for all that one right code is the answer to: two forms at the same moment join one login.
    """
    held = (await _due(visit))[2]
    if held not in (before, before | {known["by"]: SPENT}):
        return await home(visit, HTTPStatus.CONFLICT, trouble=visit.say("raced"))
    return _granted(visit, known["method"], held, once)


async def _wrong(visit: PageRequest, known: dict[str, Any], reply: Reply) -> Response:
    if isinstance(reply, Rejected) and reply.reason not in {Reason.WRONG_CODE, Reason.USED_CODE}:
        return await _told(visit, known, reply)
    if not known["ticket"]:  # the next code is a challenge of its own
        return _page(visit, known, visit.say("code_wrong"))
    if isinstance(reply, Asked):  # the page says so in its own words, so the question stays as it was
        return await _told(visit, known, replace(reply, prompt=known["prompt"]), visit.say("code_wrong"))
    return await _told(visit, known, reply)


async def _due(visit: PageRequest) -> tuple[Due, tuple[str, ...], dict[str, str]]:
    """Return what is asked for now, the methods that can prove it, and what is held."""
    people, session = visit.parts.people, visit.session
    held, reached = await people.held(visit.user), people.messenger(visit.user) is not None
    return *due(session.before, session.own, held, second=session.second, reached=reached), held


async def _still(visit: PageRequest, by: str) -> dict[str, str] | None:
    """Return what is held, if a proof by this method is what is asked for now."""
    asked, ways, held = await _due(visit)
    messenger = visit.parts.people.messenger(visit.user)
    sent = asked is Due.MESSAGE and messenger is not None and messenger.name == by
    return held if sent or by in ways else None


def _granted(visit: PageRequest, method: str, held: dict[str, str], once: str) -> Granted:
    return Granted(method=method, held=held, once=once, until=visit.parts.store.now() + PATIENCE)


async def _told(
    visit: PageRequest, known: dict[str, Any], reply: Reply, mistake: str = "", notice: str = ""
) -> Response:
    if isinstance(reply, Asked):
        ticket = base64.b64encode(reply.ticket).decode()
        return _page(visit, known | {"ticket": ticket, "prompt": reply.prompt}, mistake, notice)
    reason = reply.reason if isinstance(reply, Rejected) else ""
    trouble = visit.say("prove_failed", why=why(reason, visit.say))
    return await home(visit, HTTPStatus.UNPROCESSABLE_ENTITY, trouble=trouble)


def _page(visit: PageRequest, known: dict[str, Any], mistake: str = "", notice: str = "") -> Response:
    """Ask for a code of the method `known["by"]`."""
    say, by, target = visit.say, visit.parts.people.means[known["by"]], visit.parts.people.means[known["method"]]
    prompt = known["prompt"] or say(_PROMPTS.get(by.type, "prove_other"), method=_label(visit, by.name))
    values = visit.parts.entry(by.name, say) | {"action": "/prove", "away": "/", "prompt": prompt}
    values |= {"heading": say("prove_title"), "lead": say("prove_lead", method=_label(visit, target.name))}
    values |= {"note": say("prove_lost"), "state": visit.sealed(_KIND, PATIENCE, **known)}
    path = f"{_PATHS[target.type]}?method={quote(target.name)}&by="
    others = [(f"{path}{quote(each)}", say("prove_by", method=_label(visit, each))) for each in known["others"]]
    mistakes = {"code": mistake} if mistake else {}
    more: dict[str, Any] = {"resend": bool(known["ticket"]), "others": others, "mistakes": mistakes, "notice": notice}
    status = HTTPStatus.UNPROCESSABLE_ENTITY if mistake else HTTPStatus.OK
    return visit.page("code", status=status, narrow=True, **values, **more)


def _label(visit: PageRequest, name: str) -> str:
    return visit.parts.people.label(name, visit.say)
