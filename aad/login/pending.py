"""Logins that wait for an answer, by ticket: bounded, kept over a restart, answered once."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from aad.core.chain_choice import Choice
from aad.core.conversation import Login, Running, Waiting
from aad.core.identity import User
from aad.core.outcome import Challenge
from aad.core.policy import Chain
from aad.core.row import Kind, row_name
from aad.login.lease import Lease
from aad.login.signer import Signer
from aad.ports import GRACE, Kept, Method, RowRule, Store, Tally

_OF_A_LOGIN = (
    "reference",
    "name",
    "event",
    "client",
    "calling_station",
    "proven",
    "signed_in",
    "discreet",
    "decoy",
    "mark",
)
DECOYS = "decoys"  # the counters of each client's, and of all together
TICKET_OCTETS = 24  # of randomness; written as 32 characters, and a State may have 16 to 64
PURPOSE = "waiting login"


class NoRoomError(Exception):
    """A user has as many challenges as there may be in one event, all begun with a proof, and this one was not."""


class TakenLogin(NamedTuple):
    """What waited under a ticket. No `waiting`: no login of ours; `refused`: by its row, and it goes on waiting."""

    waiting: Waiting | None
    refused: bool


@dataclass(frozen=True, kw_only=True)
class Places:
    """How many logins may wait: about `most` in all, and `of_a_user` in one event.

    `decoys_last`: seconds that a decoy waits for an answer, at most.
    """

    most: int
    of_a_user: int
    decoys_last: float


class Pending:
    """Keeps waiting logins in the store. Without the installation's key nothing there gives a password or a code away.

    Nor is it believed: a login is signed for its ticket, and what was changed or moved there is no login.
    """

    def __init__(
        self,
        store: Store,
        methods: Mapping[str, Method[Any]],
        randomness: Callable[[int], bytes],
        signer: Signer,
        places: Places,
    ) -> None:
        """Keep what it gets; `randomness(n)` gives n random octets."""
        self._store = store
        self._methods = methods
        self._places = places
        self._randomness = randomness
        self._signer = signer

    async def full(self) -> bool:
        """Say whether no further login may begin; those that wait go on."""
        return await self._store.count_logins() >= self._places.most

    async def keep(self, waiting: Waiting) -> bytes:
        """Keep a waiting login and return its ticket. NoRoomError."""
        ticket = self.ticket()
        await self.put_back(ticket, waiting)
        return ticket

    async def room_for_decoy(self, login: Login) -> bool:
        """Say whether one more decoy may wait. Unavailable.

        In the time that one lasts a client may begin a tenth as many as there are places, and all clients together a
        quarter: as such times follow one another, at most twice as many wait, and the others' logins find a place.
        """
        until = self._store.now() + self._places.decoys_last
        for name, most in ((login.client, self._places.most // 10), ("", self._places.most // 4)):
            tally = Tally(kind=DECOYS, scope="", name=name, count=1, until=until)
            if not await self._store.increment(tally, max(most, 1), extend=False):
                return False
        return True

    def ticket(self) -> bytes:
        """Return a ticket that nothing waits under yet."""
        # As text: some clients (radcli in ocserv) cut a State at its first zero octet.
        return base64.urlsafe_b64encode(self._randomness(TICKET_OCTETS))

    async def put_back(self, ticket: bytes, waiting: Waiting) -> None:
        """Keep a login under a ticket that it had: its answer could not be checked now. NoRoomError."""
        kept = Kept(
            ticket=ticket,
            holder=_holder(waiting.login),
            login=self._encoded(ticket, waiting),
            expires=waiting.challenge.expires,
            proven=waiting.login.proven,
            row=self.row(waiting),
        )
        if not await self._store.put_login(kept, self._places.of_a_user):
            raise NoRoomError

    async def take(self, ticket: bytes, count: RowRule | None = None) -> TakenLogin | None:
        """Return the login and forget it, and count in its row.

        None: no such ticket, used already, expired long ago; then nothing was counted, whatever `count` was asked.
        """
        taken = await self._store.take_login(ticket, count)
        return TakenLogin(self._decoded(ticket, taken.login), taken.refused) if taken else None

    def claim(self, deadline: float) -> Lease:
        """Return what keeps a login from being begun by two nodes at once; nothing is claimed yet."""
        return Lease(self._store, deadline)

    async def serving(
        self, running: Running, now: Callable[[], float], *, answerable: bool = False
    ) -> tuple[bytes, Waiting] | None:
        """Return ticket and login of a challenge that serves `running` too, which goes on waiting.

        `answerable`: an answer came with it, so the challenge need not be fresh.
        """
        for ticket, login in await self._store.logins_of(_holder(running.login)):
            waiting = self._decoded(ticket, login)
            if waiting and (waiting.belongs_to(running, now()) if answerable else waiting.is_fresh_for(running, now())):
                return ticket, waiting
        return None

    def row(self, state: Running | Waiting) -> str:
        """Return the name of the row in which a wrong answer counts; empty: in none."""
        kind, user = self.kind(state), state.login.user
        return "" if kind is None else row_name(kind, user.repository, user.key)

    def kind(self, state: Running | Waiting) -> Kind | None:
        """Return the row in which a wrong answer counts; None: it is no guess, but a choice, or to a decoy."""
        memo = state.memo if isinstance(state, Running) else state.challenge.memo
        if isinstance(memo, Choice) or state.login.decoy:
            return None
        return self._row_of(state.login, state.login.chain, state.position)

    def asks(self, running: Running) -> Kind | None:
        """Return the row of the codes that may be asked for now, by a method the user may choose too; None: none."""
        if running.login.decoy:
            return None
        chains = running.choices or (running.login.chain,)
        kinds = {self._row_of(running.login, chain, running.position) for chain in chains} - {Kind.PASSWORDS}
        return next(iter(kinds), None)

    def _row_of(self, login: Login, chain: Chain, position: int) -> Kind:
        if self._methods[chain.methods[position]].proves == "password":
            return Kind.PASSWORDS
        proven = login.signed_in or any(self._methods[name].proves == "password" for name in chain.methods[:position])
        return Kind.CODES if proven else Kind.UNPROVEN

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
        return Waiting(login=login, position=position, challenge=challenge)


def encoded(waiting: Waiting) -> bytes:
    """Write a waiting login as JSON. Facts and proof belong to the request that is over."""
    login, user, challenge = waiting.login, waiting.login.user, waiting.challenge
    return json.dumps(
        {
            "login": {name: getattr(login, name) for name in _OF_A_LOGIN} | {"nonce": login.nonce.hex()},
            "user": {
                "name": user.name,
                "repository": user.repository,
                "handle": user.handle,
                "addresses": user.addresses,
                "groups": sorted(user.groups),
                "groups_are_dns": user.groups_are_dns,
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
        }
    ).encode()


def _written(chain: Chain) -> dict[str, Any]:
    # For whom it is was decided when the login began.
    return {"name": chain.name, "methods": chain.methods, "short_name": chain.short_name}


def _chain(kept: Mapping[str, Any]) -> Chain:
    return Chain(**{**kept, "methods": tuple(kept["methods"])})


def owner(login: Login) -> str:
    """Return what two logins have in common of which one serves the other."""
    return f"{_holder(login)}\0{login.client}"


def _holder(login: Login) -> str:
    """Return who has only so many challenges in one event: a user, or whoever types the same."""
    whose = ("", login.mark) if login.mark else (login.user.repository, login.user.key)
    return "\0".join((login.event, *whose))
