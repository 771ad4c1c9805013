"""Delivers one message to one address: by each sender in order, the next one early where one is slow; avoids doubles.

A sender that is too slow has to withdraw the message before the next one gets it. Only where it can't (the mail server
may have the message, and doesn't say) two may arrive; they say the same, with the same code and reference.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from aad.core.message import Message, Receipt
from aad.core.outcome import Fact
from aad.login.outages import Outages
from aad.ports import AddressRefusedError, Deferred, Later, Sender, Unavailable, Underway

_SLOW = "not taken in time; withdrawn"


class Fate(IntEnum):
    """What became of a message; of several senders' the highest counts."""

    DOWN = 0  # it won't arrive
    REFUSED = 1  # it won't arrive, and the address is to blame
    DEFERRED = 2  # not now
    UNDERWAY = 3  # it may arrive
    TAKEN = 4


@dataclass(kw_only=True)
class Delivery:
    """Carries `message` through `senders`. `facts` are for the log; the caller writes them and takes them out."""

    senders: Sequence[tuple[str, Sender]]
    message: Message
    outages: Outages
    facts: list[Fact] = field(default_factory=list)
    failure: Unavailable | None = None
    began: float = field(default_factory=time.monotonic)
    _under_way: dict[str, tuple[Later, float]] = field(default_factory=dict)

    async def begin(self, deadline: float) -> Fate:
        """Let each sender try, in order, until one has taken it or refuses the address.

        Each gets an equal share of the time that is left until `deadline` (`time.monotonic()` seconds).
        """
        best = Fate.DOWN
        for number, (name, sender) in enumerate(self.senders):
            began = time.monotonic()
            share = began + (deadline - began) / (len(self.senders) - number)
            sending = self._fate_of(name, sender.send(self.message, share), began)
            fate = await (self._race(sending) if self._under_way else sending)
            if fate is Fate.UNDERWAY and number + 1 < len(self.senders):
                fate = self._withdrawn(name, began)
            best = max(best, fate)
            if fate in (Fate.TAKEN, Fate.REFUSED):
                break
        for name, (_, began) in self._under_way.items():
            self._add_fact("queued", name, began)
        return Fate.UNDERWAY if self._under_way and best is Fate.REFUSED else best

    async def settle(self) -> Fate:
        """Wait for every sender that may still have it taken; return what became of it."""
        return max([await self._settled(name) for name in list(self._under_way)], default=Fate.DOWN)

    def give_up(self) -> None:
        """Add the fact that it wasn't taken while its code was good."""
        self._add_fact("failed", self.senders[-1][0], self.began, "not taken while its code was good")

    @property
    def under_way(self) -> bool:
        """Whether a mail server may still take it."""
        return bool(self._under_way)

    async def _race(self, sending: Awaitable[Fate]) -> Fate:
        """Wait for this sender, or for one that began before and has not settled yet."""
        ours = asyncio.ensure_future(sending)
        others = {asyncio.create_task(self._settled(name)) for name in self._under_way}
        try:
            while not ours.done():
                done, _ = await asyncio.wait({ours, *others}, return_when=asyncio.FIRST_COMPLETED)
                others -= done
                if any(task.result() is Fate.TAKEN for task in done if task is not ours):
                    return Fate.TAKEN
            return ours.result()
        finally:
            for task in (ours, *others):
                task.cancel()  # which withdraws ours, if that is still possible
            await asyncio.gather(ours, *others, return_exceptions=True)

    async def _settled(self, name: str) -> Fate:
        later, began = self._under_way[name]
        fate = await self._fate_of(name, later.receipt(), began)
        del self._under_way[name]
        if fate is Fate.UNDERWAY:
            self._add_fact("failed", name, began, "nobody knows whether it arrives")
        return fate

    def _withdrawn(self, name: str, began: float) -> Fate:
        """Withdraw what a slow sender has, so that the next one may send it."""
        later = self._under_way[name][0] if name in self._under_way else None
        if later is None or not later.withdraw():
            return Fate.UNDERWAY
        del self._under_way[name]
        self._add_fact("failed", name, began, _SLOW)
        return Fate.DEFERRED

    async def _fate_of(self, name: str, sending: Awaitable[Receipt], began: float) -> Fate:
        """Wait for a sender, add a fact for the log, and return what its receipt or its error means."""
        try:
            receipt = await sending
        except AddressRefusedError as error:
            self._add_fact("failed", name, began, str(error))
            fate = Fate.REFUSED
        except Underway as error:
            if error.later is None:
                self._add_fact("failed", name, began, str(error))
            else:
                self._under_way[name] = (error.later, began)
            return Fate.UNDERWAY
        except Deferred as error:
            self._add_fact("deferred", name, began, error.what)
            fate = Fate.DEFERRED
        except Unavailable as error:
            self.outages.down(error)
            self.failure = error
            self._add_fact("failed", name, began, error.what)
            return Fate.DOWN
        else:
            self._add_fact("sent", name, began, queue_id=receipt.queue_id)
            fate = Fate.TAKEN
        self.outages.up(f"sender {name}")
        return fate

    def _add_fact(self, what: str, sender: str, began: float, reason: str = "", queue_id: str = "") -> None:
        fields = {
            "sender": sender,
            "recipient": self.message.masked,
            **({"queue_id": queue_id} if queue_id else {}),
            **({"reason": reason} if reason else {}),
            "ms": (time.monotonic() - began) * 1000,
        }
        self.facts.append(Fact(name=f"mail.{what}", fields=fields))
