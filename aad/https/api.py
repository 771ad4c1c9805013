"""The API for websites: POST /v1/logins begins a login, POST /v1/answers answers its challenge."""

from __future__ import annotations

import base64
import json
import math
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from aad.core import sealed_box
from aad.core.conversation import Accepted
from aad.core.outcome import Reason
from aad.core.secret import Secret
from aad.core.user_address import UNKNOWN, place_of, read
from aad.https import openapi, problems, schemas
from aad.https.idempotency import Document, IdempotentPost, IdempotentPosts, key_of
from aad.https.keys import Key, Keys, WrongNetworkError
from aad.https.login_front import LoginFront, LoginReply, LoginRequest
from aad.https.messages import OtherMediaTypeError, Request, Response, Route, UnreadableBodyError, written
from aad.https.openapi import Operation
from aad.https.problems import ProblemError
from aad.https.schemas import Field
from aad.login.engine import Asked
from aad.logs.discards import Discards
from aad.ports import Record

_BOUND = b"https login\0"
_LOGIN = (
    Field(name="name", doc="The user's name, as they typed it.", least=1, required=True),
    Field(name="password", doc="The user's password; left out, the chain begins without one.", most=512, secret=True),
    Field(name="event", doc="The event to log in for; default: the key's first event.", most=100),
    Field(
        name="caller",
        doc="The user's own address, for chains that ask for it; after too many failures only it has to wait, not the "
        "website's other users. Left out, it is unknown.",
        address=True,
    ),
)
_ANSWER = (
    Field(name="login", doc="What the challenge gave as its login.", least=1, most=4096, required=True, secret=True),
    Field(
        name="answer",
        doc="What the user typed; empty: the code is sent once more.",
        most=512,
        required=True,
        secret=True,
    ),
    Field(name="caller", doc="The user's own address.", address=True),
)


@dataclass(frozen=True, kw_only=True)
class Api:
    """The operations. `key`: the installation's; a handle that it sealed for one API key opens for no other."""

    front: LoginFront
    keys: Keys
    idempotent_posts: IdempotentPosts
    key: Secret
    randomness: Callable[[int], bytes]
    discards: Discards
    record: Record

    def routes(self) -> Iterator[Route]:
        """Yield the routes. The OpenAPI document is made of the same tables as the checks of a body."""
        document = openapi.document(OPERATIONS)
        for operation in OPERATIONS:
            yield Route("POST", operation.path, self._answering(operation))
        yield Route("GET", "/openapi.json", _constant(document), open_to_all=True)
        yield Route("GET", "/health", _constant({"result": "serving"}), open_to_all=True)

    def _answering(self, operation: Operation) -> Callable[[Request], Awaitable[Response]]:
        work = _WORK[operation.path]

        async def answer(request: Request) -> Response:
            key: Key | None = None
            try:
                key = self.keys.of(request)
                body = schemas.checked(request.json, operation.fields)
                return written(
                    await self._idempotently(operation, request, key, lambda: work(self, request, key, body))
                )
            except (ProblemError, OtherMediaTypeError, UnreadableBodyError) as error:
                self._record_refusal(error, request, key)
                raise

        return answer

    async def _idempotently(
        self, operation: Operation, request: Request, key: Key, work: Callable[[], Awaitable[Document]]
    ) -> Document:
        header = request.headers.get("idempotency-key")
        if header is None:
            return await work()
        deadline = request.received + key.deadline
        post = IdempotentPost(key.name, operation.path, key_of(header), request.body, deadline)
        return await self.idempotent_posts.answered(post, work)

    def _record_refusal(self, error: Exception, request: Request, key: Key | None) -> None:
        """Record it, many of them at a time: a website may be set up wrongly, or an attacker may be trying keys."""
        if isinstance(error, ProblemError) and error.sort in {problems.UNAVAILABLE, problems.UNDER_WAY}:
            return
        reason = error.sort.title if isinstance(error, ProblemError) else str(error)
        name = key.name if key else ""
        if isinstance(error, WrongNetworkError):
            name, reason = error.name, error.why
        self.discards.discard(reason, time.monotonic(), client=name, source=request.source)

    async def login(self, request: Request, key: Key, body: Mapping[str, str]) -> Document:
        """Begin a login; return its result, as the API's document describes it. ProblemError."""
        event = body.get("event", key.events[0])
        if event not in key.events:
            raise ProblemError(problems.OTHER_EVENT)
        login_request = _login_request(key, event, body)
        reply = await self.front.begin(login_request, body["name"], Secret(body.get("password", "")), request.received)
        return self._result(reply, key, event, body["name"])

    async def answer(self, request: Request, key: Key, body: Mapping[str, str]) -> Document:
        """Answer a challenge; return its result, as the API's document describes it. ProblemError."""
        try:
            octets = base64.urlsafe_b64decode(body["login"].encode("ascii"))
            ticket, event, name = json.loads(sealed_box.opened(self.key, _bound(key), octets).reveal())
        except ValueError:  # no handle of ours, or another key's, whose login goes on waiting
            who = {"user": "", "client": key.name, "login_event": key.events[0]}
            self.record("login.rejected", reason=Reason.STATE_UNKNOWN, **who)
            return _refused((await self.front.refused(request.received)).words)
        login_request = _login_request(key, event, body)
        reply = await self.front.answer(login_request, name, ticket.encode(), Secret(body["answer"]), request.received)
        return self._result(reply, key, event, name)

    def _result(self, reply: LoginReply, key: Key, event: str, name: str) -> Document:
        """Return a result as the document describes it."""
        if isinstance(reply, Accepted):
            user: dict[str, Any] = {"name": reply.login.user.name, "repository": reply.login.user.repository}
            if key.tell_groups:
                user |= {"groups": sorted(reply.login.user.groups)}
            return {"result": "accepted", "reference": reply.login.reference, "event": event, "user": user}
        if isinstance(reply, Asked):
            return {
                "result": "challenge",
                "login": self._handle(reply, key, event, name),
                "prompt": reply.prompt,
                "expires_in": max(1, math.floor(reply.seconds)),
                "values": dict(reply.values),
            }
        return _refused(reply.words)

    def _handle(self, asked: Asked, key: Key, event: str, name: str) -> str:
        # Sealed: a browser that the website passes it through can't see which user logs in, nor make another one of it.
        held = Secret(json.dumps([asked.ticket.decode(), event, name], ensure_ascii=False))
        octets = sealed_box.seal(self.key, _bound(key), held, self.randomness(sealed_box.NONCE_OCTETS))
        return base64.urlsafe_b64encode(octets).decode()


def _bound(key: Key) -> bytes:
    return _BOUND + key.name.encode()


def _login_request(key: Key, event: str, body: Mapping[str, str]) -> LoginRequest:
    place = read(body["caller"]) if "caller" in body else UNKNOWN
    return LoginRequest(
        client=key.name, event=event, deadline=key.deadline, user_address=place, counted=place_of(place)
    )


def _refused(words: str) -> Document:
    return {"result": "refused", "message": words}


def _constant(document: Mapping[str, Any]) -> Callable[[Request], Awaitable[Response]]:
    response = written(document)

    async def answer(_request: Request) -> Response:
        return response

    return answer


OPERATIONS = (
    Operation(
        path="/v1/logins",
        name="login",
        doc="Begin a login. Begun again with the same name and password while its code is fresh, it gets a challenge "
        "for the same code, and no second mail.",
        fields=_LOGIN,
        problems=(problems.OTHER_EVENT, problems.TOO_MANY_LOGINS, problems.TOO_MANY_FAILURES),
    ),
    Operation(
        path="/v1/answers",
        name="answer",
        doc="Answer a challenge. Each challenge is answered once: what comes back is the end, or another challenge.",
        fields=_ANSWER,
    ),
)
_WORK = {"/v1/logins": Api.login, "/v1/answers": Api.answer}
