"""[https] as a front of the daemon: API keys, API and portal of a configuration. Imported where it is configured."""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import Callable, Sequence
from typing import Any

from aad.config import certificate
from aad.config.https import Https
from aad.core import rejection
from aad.core.user_address import Networks
from aad.daemon.assembly import Assembled
from aad.daemon.front import no_change
from aad.https import problems
from aad.https.api import Api
from aad.https.idempotency import IdempotentPosts
from aad.https.keys import Key, Keys
from aad.https.login_front import LoginFront
from aad.https.messages import Route
from aad.https.router import Router, Showing
from aad.https.server import Server, Setup
from aad.https.slowing import Slowing
from aad.login.randomness import Randomness
from aad.logs.discards import Discards
from aad.notices.kept import Notices

SLACK = 1.0  # seconds: what a request in progress may take beyond its deadline and the delay of a refusal


class HttpsFront:
    """Serves HTTPS. Its server lasts, and which sources failed; a reload exchanges routes, keys and certificate."""

    def __init__(
        self, assembled: Assembled, https: Https, sockets: Sequence[socket.socket], woken: asyncio.Event
    ) -> None:
        """Serve on `sockets`, which are bound. `woken`: set when a notice is to be mailed. OSError: no certificate."""
        self._sockets = sockets
        self._notices = Notices(assembled.lasting.store, woken)
        self._discards = Discards(assembled.lasting.record, "request.refused")
        self._slowing = Slowing(assembled.lasting.record)
        self._server = Server(self._setup(assembled, https))

    async def listen(self) -> None:
        """Begin to serve."""
        self._server.listen(self._sockets)

    def follow(self, assembled: Assembled) -> Callable[[], None]:
        """Make routes, keys and TLS of a configuration ready; connections that are open keep their TLS. OSError.

        Without [https] it goes on as before, until the next restart.
        """
        if assembled.config.https is None:
            return no_change
        setup = self._setup(assembled, assembled.config.https)

        def exchange() -> None:
            self._server.setup = setup

        return exchange

    def at_work(self) -> set[asyncio.Task[Any]]:
        """Return the requests in progress."""
        return {*self._server.at_work()}

    async def drain(self, patience: float) -> None:
        """Take no more requests, and wait up to `patience` seconds for the responses that are due."""
        await self._server.drain(patience)

    def _setup(self, assembled: Assembled, https: Https) -> Setup:
        """Make what a configuration is served with. OSError: its certificate is gone, or can't be used."""
        try:
            tls = certificate.context(https.chain(), https.key)
        except ValueError as error:  # it was checked a moment ago, and another one was put there since
            message = f"{https.certificate} {error}"
            raise OSError(message) from None
        front = self._login_front(assembled, https)
        routes: list[Route] = list(self._api(assembled, https, front).routes())
        show: Showing = problems.shown
        if https.portal:
            from aad.daemon import portal  # noqa: PLC0415 - only who configures it needs its libraries

            pages, show = portal.added(assembled, https.portal, front, self._notices)
            routes += pages
        return Setup(
            router=Router(routes, assembled.lasting.record, show),
            tls=tls,
            trusted=Networks(https.trusted_proxies),
            connections=https.connections,
        )

    def _login_front(self, assembled: Assembled, https: Https) -> LoginFront:
        config = assembled.config
        return LoginFront(
            engine=assembled.engine,
            record=assembled.lasting.record,
            reject_message=config.radius.reject_message,
            reject_delay=config.radius.reject_delay,
            at_work=config.limits.at_work_per_client,
            random=random.SystemRandom().random,
            slowing=self._slowing,
            never_slowed=Networks(https.never_slowed),
            telling=assembled.telling,
        )

    def _api(self, assembled: Assembled, https: Https, front: LoginFront) -> Api:
        randomness, store = Randomness(), assembled.lasting.store
        slack = rejection.latest(front.reject_delay) + SLACK
        return Api(
            front=front,
            keys=_keys(https),
            idempotent_posts=IdempotentPosts(store, assembled.key, randomness, slack),
            key=assembled.key,
            randomness=randomness,
            discards=self._discards,
            record=assembled.lasting.record,
        )


def _keys(https: Https) -> Keys:
    return Keys(
        Key(
            name=name,
            hashes=tuple(filter(None, (each.hash, each.old_hash))),
            events=(each.event, *each.further_events),
            deadline=each.deadline,
            networks=Networks(each.networks) if each.networks else None,
            tell_groups=each.tell_groups,
        )
        for name, each in https.keys.items()
    )
