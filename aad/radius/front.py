"""The RADIUS front: an Access-Request -> an Attempt for the engine -> one reply, or none on purpose."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from aad.core import rejection
from aad.core.answer import Answer
from aad.core.conversation import Accepted
from aad.core.identity import Attempt
from aad.core.outcome import Reason
from aad.core.raised import raised
from aad.core.seldom import Seldom
from aad.core.user_address import UNKNOWN, Unknown, UserAddress, place_of
from aad.login.engine import Asked, Engine, Reply
from aad.ports import Record, Unavailable
from aad.radius.accounting import class_of
from aad.radius.clients import Client
from aad.radius.protocol import constants
from aad.radius.protocol.packet import Request
from aad.radius.protocol.password import MsChap2, UnusablePassword
from aad.radius.protocol.wire import Attribute

MARGIN = 0.1  # seconds of a client's deadline that the reply needs to get there
TEN_MINUTES, A_DAY = 600.0, 86400.0  # seconds
_PROMPTS = {"no-echo": constants.NO_ECHO, "echo": constants.ECHO}


@dataclass(frozen=True)
class Verdict:
    """The reply: the packet's code and attributes, without those that every reply has."""

    code: int
    attributes: Sequence[Attribute] = ()
    late: bool = False  # it is delayed as a reject is


@dataclass(frozen=True, kw_only=True)
class Front:
    """Translates between RADIUS and the conversation. It never decides who gets in.

    `telling`: the events whose users learn why they are refused, once they have proved who they are.
    `accounting`: an Access-Accept has a Class, which ties the session to its login.
    """

    engine: Engine
    record: Record
    reject_message: str
    on_unavailable: str
    telling: frozenset[str] = frozenset()
    accounting: bool = False
    _unreadable: Seldom = field(default_factory=lambda: Seldom(TEN_MINUTES))
    _unknown: Seldom = field(default_factory=lambda: Seldom(A_DAY))

    async def verdict(
        self, request: Request, client: Client, answer: Answer | UnusablePassword, received: float
    ) -> Verdict | None:
        """Return what to reply; None: nothing, on purpose. `received`: `time.monotonic()` seconds."""
        if isinstance(answer, UnusablePassword):
            if answer.reason == Reason.UNREADABLE:
                self._record_unreadable(client, answer.what, received)
            return self._refused(request, client, f"{answer.reason}: {answer.what}")
        # RFC 5080 2.1.1: an unusable State is answered with Access-Reject; it is never the start of a login.
        if request.state == b"":
            return self._refused(request, client, Reason.STATE_MALFORMED)
        if not request.name or request.odd_name:
            return self._refused(request, client, "no User-Name that anybody could have")
        address = self._user_address(request, client, received)
        password, code, split = client.one_field.read(answer) if request.state is None else (answer, None, None)
        attempt = Attempt(
            event=client.event,
            client=client.name,
            name=request.name,
            answer=password,
            appended_code=code,
            maybe_split=split,
            deadline=received + client.deadline - MARGIN,
            user_address=address,
            counted=place_of(address),
            calling_station=(request.first(constants.CALLING_STATION_ID) or b"").decode(errors="replace"),
        )
        try:
            return self._verdict(await self._reply(request.state, attempt), client, answer)
        except Unavailable:
            return self._unavailable(client)
        except Exception as error:  # noqa: BLE001 - whatever went wrong, the server goes on and no user is let in
            self.record("fault", reason=raised(error), client=client.name, user=request.name)
            return self._unavailable(client)

    def _user_address(self, request: Request, client: Client, now: float) -> UserAddress:
        """Return the user's address; one that is unknown is recorded once a day of each client and cause."""
        if client.address_attribute is None:
            return UNKNOWN
        address = client.address_attribute.address(request)
        if isinstance(address, Unknown) and request.state is None:
            more = self._unknown.due((client.name, address.why), now)
            if more is not None:
                fields = {"client": client.name, "teller": f"client {client.name}", "reason": address.told + more}
                self.record("user_address.unknown", **fields)
        return address

    def _record_unreadable(self, client: Client, what: str, now: float) -> None:
        """Record, every ten minutes at most, the probable cause of passwords that are no text."""
        if (more := self._unreadable.due((client.name,), now)) is not None:
            reason = f"probably the shared secret of {client.name} is wrong: it signs nothing, and {what}"
            self.record("client.unreadable", client=client.name, reason=reason + more)

    async def _reply(self, state: bytes | None, attempt: Attempt) -> Reply:
        return await (self.engine.begin(attempt) if state is None else self.engine.answer(state, attempt))

    def _verdict(self, reply: Reply, client: Client, answer: Answer) -> Verdict:
        if isinstance(reply, Asked) and not client.challenge:
            # The user types the code behind the password next time; the prompt says so.
            words = client.wording.octets(reply.prompt, reply.values)
            return Verdict(constants.ACCESS_REJECT, [(constants.REPLY_MESSAGE, words)])
        if isinstance(reply, Asked):
            return Verdict(constants.ACCESS_CHALLENGE, _challenge(reply, client), late=reply.late)
        if isinstance(reply, Accepted):
            attributes = [answer.success] if isinstance(answer, MsChap2) and answer.success else []
            attributes += reply.granted
            if self.accounting:
                # Only then, and last: to some NASes (ocserv, Cisco's ASA) Class is also the name of a group.
                attributes.append(class_of(reply.login.reference))
            return Verdict(constants.ACCESS_ACCEPT, attributes)
        return self._reject(client, rejection.words(self.reject_message, reply, telling=client.event in self.telling))

    def _refused(self, request: Request, client: Client, reason: str) -> Verdict:
        # RFC 2865 2.2: a request that can't be served is rejected, not ignored.
        self.record("login.rejected", user=request.name, client=client.name, login_event=client.event, reason=reason)
        return self._reject(client, self.reject_message)

    def _reject(self, client: Client, message: str) -> Verdict:
        return Verdict(constants.ACCESS_REJECT, [(constants.REPLY_MESSAGE, client.wording.octets(message, {}))])

    def _unavailable(self, client: Client) -> Verdict | None:
        return self._reject(client, self.reject_message) if self.on_unavailable == "reject" else None


def _challenge(asked: Asked, client: Client) -> list[Attribute]:
    attributes = [
        (constants.STATE, asked.ticket),
        (constants.REPLY_MESSAGE, client.wording.octets(asked.prompt, asked.values)),
        (constants.SESSION_TIMEOUT, max(1, math.floor(asked.seconds)).to_bytes(4, "big")),
    ]
    if client.prompt_attribute:
        attributes.append((constants.PROMPT, _PROMPTS[client.prompt_attribute]))
    return attributes
