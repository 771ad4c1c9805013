"""One Access-Request -> the engine -> one reply, or none on purpose."""

from __future__ import annotations

import math
import traceback
from dataclasses import dataclass

from aad.core.answer import NOTHING, Answer
from aad.core.conversation import Accepted, Rejected
from aad.core.identity import Attempt
from aad.core.outcome import Reason
from aad.engine import Asked, Engine, Reply
from aad.ports import Record, Unavailable
from aad.radius import packet
from aad.radius.clients import Client
from aad.radius.packet import Request
from aad.radius.password import MsChapV2

MARGIN = 0.1  # seconds of a client's deadline that the reply needs to get there
PROMPT_OCTETS = 250  # some clients take no more in a Reply-Message
_PROMPTS = {"no-echo": 0, "echo": 1}  # RFC 2869 5.10


@dataclass(frozen=True)
class Verdict:
    """What goes back: the packet's code and attributes, without those that every reply has."""

    code: int
    attributes: tuple[tuple[int, bytes], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Front:
    """Translates between RADIUS and the conversation. It decides nothing about who gets in."""

    engine: Engine
    record: Record
    reject_message: str
    on_unavailable: str

    async def verdict(
        self, request: Request, client: Client, answer: Answer | Reason, received: float
    ) -> Verdict | None:
        """Return what to reply; None: nothing, on purpose. `received`: `time.monotonic()` seconds."""
        attempt = Attempt(
            event=client.event,
            endpoint=client.name,
            name=request.name,
            answer=NOTHING if isinstance(answer, Reason) else answer,
            deadline=received + client.deadline - MARGIN,
            caller=request.text(packet.CALLING_STATION_ID),
        )
        refused = _refused(request, answer)
        if refused:
            self.record(
                "login.rejected", user=attempt.name, client=client.name, login_event=client.event, reason=refused
            )
            return self._reject()
        try:
            reply = await self._reply(request.every(packet.STATE), attempt)
        except Unavailable:
            return self._unavailable()
        except Exception as error:  # noqa: BLE001 - whatever went wrong, the server goes on and nobody is let in
            self.record("fault", reason=repr(type(error)), client=client.name, traceback=traceback.format_exc())
            return self._unavailable()
        return self._verdict(reply, client, attempt.answer)

    async def _reply(self, states: list[bytes], attempt: Attempt) -> Reply:
        if states:
            return await self.engine.answer(states[0], attempt)
        return await self.engine.begin(attempt)

    def _verdict(self, reply: Reply, client: Client, answer: Answer) -> Verdict:
        if isinstance(reply, Asked):
            return Verdict(packet.ACCESS_CHALLENGE, _challenge(reply, client))
        if isinstance(reply, Accepted):
            proof = ((packet.VENDOR_SPECIFIC, answer.success()),) if isinstance(answer, MsChapV2) else ()
            return Verdict(packet.ACCESS_ACCEPT, proof)
        assert isinstance(reply, Rejected)  # noqa: S101 - for the type checker; anything else is no Accept either
        return self._reject()

    def _reject(self) -> Verdict:
        # The same octets whatever the reason: what a stranger can learn is nothing.
        return Verdict(packet.ACCESS_REJECT, ((packet.REPLY_MESSAGE, self.reject_message.encode()),))

    def _unavailable(self) -> Verdict | None:
        return self._reject() if self.on_unavailable == "reject" else None


def _refused(request: Request, answer: Answer | Reason) -> str:
    """Return why a request is refused before anybody is asked; empty if it isn't.

    RFC 2865 2.2, RFC 5080 2.1.1: what can't be done is refused, not ignored, and an unusable State is never the start
    of a login.
    """
    if isinstance(answer, Reason):
        return answer
    states = request.every(packet.STATE)
    if len(states) > 1 or b"" in states:
        return Reason.STATE_MALFORMED
    if not request.name:
        return "no User-Name"
    return ""


def _challenge(asked: Asked, client: Client) -> tuple[tuple[int, bytes], ...]:
    attributes = [
        (packet.STATE, asked.ticket),
        (packet.REPLY_MESSAGE, cut(asked.prompt)),
        (packet.SESSION_TIMEOUT, max(1, math.floor(asked.seconds)).to_bytes(4, "big")),
    ]
    if client.prompt_attribute:
        attributes.append((packet.PROMPT, _PROMPTS[client.prompt_attribute].to_bytes(4, "big")))
    return tuple(attributes)


def cut(text: str) -> bytes:
    """Return at most 250 octets of UTF-8, cut between characters; never none, since some clients need a text."""
    return text.encode(errors="replace")[:PROMPT_OCTETS].decode(errors="ignore").encode() or b"?"
