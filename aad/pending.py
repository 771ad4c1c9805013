"""Logins that wait for an answer, by ticket: bounded, kept over a restart, answered once."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any

from aad.claim import Claim
from aad.core.choice import Choice
from aad.core.conversation import Login, Running, Waiting
from aad.core.identity import User
from aad.core.outcome import Challenge
from aad.core.policy import Chain
from aad.ports import Method, Store
from aad.signer import Signer

TICKET_OCTETS = 24  # of randomness; written as 32 characters, and a State may have 16 to 64
PURPOSE = "waiting login"
GRACE = 60.0  # seconds that stores give out an expired login for, so that its user is told "expired"


class Pending:
    """Keeps waiting logins in the store. The store gets neither password nor code, nor anything that gives one away.

    Nor is it believed: a login is signed for its ticket, and what was changed or moved there is no login.
    """

    def __init__(
        self,
        store: Store,
        methods: Mapping[str, Method[Any]],
        most: int,
        randomness: Callable[[int], bytes],
        signer: Signer,
    ) -> None:
        """Keep at most about `most` logins; `randomness(n)` gives n random octets."""
        self._store = store
        self._methods = methods
        self._most = most
        self._randomness = randomness
        self._signer = signer

    async def full(self) -> bool:
        """Say whether no further login may begin; those that wait go on."""
        return await self._store.waiting() >= self._most

    async def keep(self, waiting: Waiting) -> bytes:
        """Keep a waiting login and return its ticket."""
        # As text: some clients (radcli in ocserv) cut a State at its first zero octet.
        ticket = base64.urlsafe_b64encode(self._randomness(TICKET_OCTETS))
        await self.put_back(ticket, waiting)
        return ticket

    async def put_back(self, ticket: bytes, waiting: Waiting) -> None:
        """Keep a login under a ticket that it had: its answer could not be checked now."""
        await self._store.keep(ticket, owner(waiting.login), self._encoded(ticket, waiting), waiting.challenge.expires)

    async def take(self, ticket: bytes) -> Waiting | None:
        """Return the login and forget it; None: no such ticket, used already, or expired long ago."""
        kept = await self._store.take(ticket)
        return None if kept is None else self._decoded(ticket, kept)

    def claim(self, deadline: float) -> Claim:
        """Return what keeps a login from being begun by two nodes at once; nothing is claimed yet."""
        return Claim(self._store, deadline)

    async def serving(self, running: Running, now: Callable[[], float]) -> tuple[bytes, Waiting] | None:
        """Return ticket and login of a challenge that serves `running` too, which goes on waiting."""
        kept = await self._store.again(owner(running.login))
        waiting = self._decoded(*kept) if kept else None
        return (kept[0], waiting) if kept and waiting and waiting.serves(running, now()) else None

    async def answerable(self, running: Running, now: float) -> tuple[bytes, Waiting] | None:
        """Return ticket and login of a challenge whose answer may come with `running`, the same login begun again."""
        kept = await self._store.again(owner(running.login))
        waiting = self._decoded(*kept) if kept else None
        return (kept[0], waiting) if kept and waiting and waiting.same(running, now) else None

    def _encoded(self, ticket: bytes, waiting: Waiting) -> bytes:
        """Return what to keep under a ticket."""
        return self._signer.sign(PURPOSE, ticket, encoded(waiting), waiting.challenge.expires)

    def _decoded(self, ticket: bytes, kept: bytes) -> Waiting | None:
        """Read what was kept under a ticket. None: not by us, or by a version or configuration that is gone."""
        content = self._signer.verified(PURPOSE, ticket, kept, grace=GRACE)
        try:
            return None if content is None else self._read(content)
        except (AttributeError, LookupError, TypeError, ValueError):  # ours, so another version of us has written it
            return None

    def _read(self, content: bytes) -> Waiting | None:
        """Read what `encoded` wrote. None: by a configuration whose method is gone. Raises: by another version."""
        data = json.loads(content)
        chain, *others = (_chain(each) for each in (data["chain"], *data.get("others", ())))
        position = data["position"]
        if not {*chain.methods, *(name for other in others for name in other.methods)} <= self._methods.keys():
            return None
        kept_memo = data["challenge"]["memo"]
        memo = Choice if data.get("choice") else self._methods[chain.methods[position]].Memo
        user = data["user"]
        user = User(
            **{
                **user,
                "addresses": tuple(user["addresses"]),
                "groups": frozenset(user["groups"]),
                "attributes": {name: tuple(values) for name, values in user.get("attributes", {}).items()},
            }
        )
        login = Login(
            **{**data["login"], "nonce": bytes.fromhex(data["login"]["nonce"])},
            user=user,
            chain=chain,
            others=tuple(others),
        )
        challenge: Challenge[Any] = Challenge(**{**data["challenge"], "memo": memo(**kept_memo)})
        return Waiting(login=login, position=position, challenge=challenge, wrong=data["wrong"])


def encoded(waiting: Waiting) -> bytes:
    """Write a waiting login as JSON. Facts and proof belong to the request that is over."""
    login, user, challenge = waiting.login, waiting.login.user, waiting.challenge
    return json.dumps(
        {
            "login": {
                "reference": login.reference,
                "nonce": login.nonce.hex(),
                "name": login.name,
                "event": login.event,
                "endpoint": login.endpoint,
                "caller": login.caller,
            },
            "user": {
                "name": user.name,
                "repository": user.repository,
                "handle": user.handle,
                "addresses": user.addresses,
                "groups": sorted(user.groups),
                "language": user.language,
                "attributes": dict(user.attributes),
            },
            "chain": _written(login.chain),
            "others": [_written(other) for other in login.others],
            "choice": isinstance(challenge.memo, Choice),
            "position": waiting.position,
            "challenge": {
                "prompt": challenge.prompt,
                "memo": vars(challenge.memo),
                "expires": challenge.expires,
                "fresh_until": challenge.fresh_until,
                "because": challenge.because,
                "wrong": challenge.wrong,
                "values": dict(challenge.values),
            },
            "wrong": waiting.wrong,
        }
    ).encode()


def _written(chain: Chain) -> dict[str, Any]:
    # For whom it is was decided when the login began.
    return {"name": chain.name, "methods": chain.methods, "short_name": chain.short_name}


def _chain(kept: Mapping[str, Any]) -> Chain:
    return Chain(**{**kept, "methods": tuple(kept["methods"])})


def owner(login: Login) -> str:
    """Return what two logins have in common of which one serves the other."""
    return f"{login.event}\0{login.endpoint}\0{login.user.repository}\0{login.user.key}"
