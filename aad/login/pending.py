"""Keeps the logins that wait for an answer in the store, by ticket: bounded, over a restart, answered once."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from aad.core.conversation import Login, Running, Waiting
from aad.login import waiting_codec
from aad.login.guess_rows import GuessRows
from aad.login.lease import Lease
from aad.login.signer import Signer
from aad.ports import GRACE, Kept, Method, RowRule, Store, Tally, is_shared

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
    """The logins that wait. Without the installation's key nothing in the store gives a password or a code away.

    Nor is the store believed: a login is signed for its ticket, and what was changed or moved there is no login.
    """

    def __init__(
        self,
        store: Store,
        methods: Mapping[str, Method[Any]],
        randomness: Callable[[int], bytes],
        signer: Signer,
        places: Places,
    ) -> None:
        """Wait in `store`; `randomness(n)` gives n random octets, and `signer` signs with the installation's key."""
        self._store = store
        self._shared = is_shared(store)
        self._methods = methods
        self._rows = GuessRows(methods)
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
            row=self._rows.name(waiting),
        )
        if not await self._store.put_login(kept, self._places.of_a_user):
            raise NoRoomError

    async def take(self, ticket: bytes, count: RowRule | None = None) -> TakenLogin | None:
        """Return the login and forget it, and count in its row.

        None: no such ticket, used already, expired long ago; then nothing was counted, whatever `count` was asked.
        """
        taken = await self._store.take_login(ticket, count)
        return TakenLogin(self._decoded(ticket, taken.login), taken.refused) if taken else None

    def lease(self, deadline: float) -> Lease:
        """Return what keeps a login from being begun by two nodes at once; it isn't acquired yet."""
        return Lease(self._store, deadline, needed=self._shared)

    async def challenge_for(
        self, running: Running, now: Callable[[], float], *, answerable: bool = False
    ) -> tuple[bytes, Waiting] | None:
        """Return ticket and login of a challenge that `running`, the same login begun again, gets too; it stays there.

        `answerable`: an answer came with `running`, so the challenge need not be fresh.
        """
        for ticket, login in await self._store.logins_of(_holder(running.login)):
            waiting = self._decoded(ticket, login)
            if waiting and (waiting.belongs_to(running, now()) if answerable else waiting.is_fresh_for(running, now())):
                return ticket, waiting
        return None

    def _encoded(self, ticket: bytes, waiting: Waiting) -> bytes:
        """Return what the store keeps under a ticket: signed JSON."""
        return self._signer.sign(PURPOSE, ticket, waiting_codec.encoded(waiting), waiting.challenge.expires)

    def _decoded(self, ticket: bytes, kept: bytes) -> Waiting | None:
        """Read what was kept under a ticket. None: not by us, or by a version or configuration that is gone."""
        content = self._signer.verified(PURPOSE, ticket, kept, grace=GRACE)
        return None if content is None else waiting_codec.decoded(content, self._methods)


def owner(login: Login) -> str:
    """Return the key under which a login and the same one begun again share one challenge."""
    return f"{_holder(login)}\0{login.client}"


def _holder(login: Login) -> str:
    """Return the key by which challenges in one event are limited: the user's, or that of what was typed (a mark)."""
    whose = ("", login.mark) if login.mark else (login.user.repository, login.user.key)
    return "\0".join((login.event, *whose))
