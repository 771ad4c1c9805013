"""Fair queueing: whose turn it is where many jobs wait for few workers. PURE: `now` is a clock that never goes back.

1. Clients take turns. The sources of one client take turns within those of their client, so however many there are,
   another client's turn comes no later.
2. Of one source, the job that came first is first.
3. Of one source and of one client, only so many wait. Where a client has one too many, the last of its longest queue
   has to go, so that a source that floods gives way itself.
4. A job whose deadline is over has no turn.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

J = TypeVar("J", bound=Hashable)
_Queue = OrderedDict[J, float]  # the jobs that wait, the first first -> their deadlines


def share(whole: int) -> int:
    """Return how many of the places that all share one source may take: a quarter, but always sixteen."""
    return max(whole // 4, 16)


@dataclass(frozen=True, slots=True)
class Source:
    """A source of requests: a client (a NAS, a website, the portal), and of it one place (`user_address.place_of`).

    The place is empty where nothing is known of it: all of these are one source.
    """

    client: str
    place: str = ""


class Turns(Generic[J]):
    """The jobs that wait: at most `each` of one source, and `most` of one client."""

    def __init__(self, each: int, most: int) -> None:
        """Begin with none."""
        self._each, self._most = each, most
        self._clients: OrderedDict[str, OrderedDict[str, _Queue[J]]] = OrderedDict()  # in the order of their turns
        self._count: dict[str, int] = {}

    def __len__(self) -> int:
        """Count the jobs that wait."""
        return sum(self._count.values())

    def join(self, source: Source, job: J, until: float) -> J | None:
        """Let a job wait for its turn, until a deadline; return the job that has to go for it, perhaps itself."""
        sources = self._clients.setdefault(source.client, OrderedDict())
        own: _Queue[J] = sources.setdefault(source.place, OrderedDict())
        own[job] = until
        self._count[source.client] = self._count.get(source.client, 0) + 1
        longest = None
        if len(own) > self._each:
            longest = source.place
        elif self._count[source.client] > self._most:
            longest = max(sources, key=lambda place: (len(sources[place]), place == source.place))
        if longest is None:
            return None
        last = next(reversed(sources[longest]))
        self.leave(Source(source.client, longest), last)
        return last

    def leave(self, source: Source, job: J) -> None:
        """Let a job go, if it waits."""
        sources = self._clients.get(source.client, OrderedDict())
        own: _Queue[J] = sources.get(source.place, OrderedDict())
        if own.pop(job, None) is None:
            return
        self._count[source.client] -= 1
        if not own:
            del sources[source.place]
        if not sources:
            del self._clients[source.client], self._count[source.client]

    def next(self, now: float) -> J | None:
        """Return the job whose turn it is; it waits no longer. None: there is none."""
        while self._clients:
            client, sources = next(iter(self._clients.items()))
            place, own = next(iter(sources.items()))
            job, until = next(iter(own.items()))
            self.leave(Source(client, place), job)
            if now < until:  # a job that is too late uses up no turn of its source
                self._passed(client, place)
                return job
        return None

    def _passed(self, client: str, place: str) -> None:
        """Put a client and a source that had a turn behind all others."""
        if client in self._clients:
            self._clients.move_to_end(client)
            if place in self._clients[client]:
                self._clients[client].move_to_end(place)
