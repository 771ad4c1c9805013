"""[https] at work: the site of one configuration, and the server that outlives it. Imported where it is configured."""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import Sequence

from aad.config import Config, certificate
from aad.config.https import Https
from aad.core import rejection
from aad.core.secret import Secret
from aad.core.user_address import Networks
from aad.daemon import assembly
from aad.https import problems
from aad.https.api import Api
from aad.https.idempotency import IdempotentPosts
from aad.https.keys import Key, Keys
from aad.https.login_front import LoginFront
from aad.https.messages import Response, Route
from aad.https.router import Router, Showing
from aad.https.server import Server, Setup
from aad.https.slowing import Slowing
from aad.login.engine import Engine
from aad.login.randomness import Randomness
from aad.logs.discards import Discards
from aad.notices.kept import Notices
from aad.ports import Record, Store

SLACK = 1.0  # seconds: what a request at work may take beyond its deadline and the delay of a refusal


class HttpsService:
    """Serves HTTPS; a reload exchanges what it serves and the certificate, its sockets stay."""

    def __init__(self, record: Record, store: Store, woken: asyncio.Event) -> None:
        """Keep what lasts. `woken`: a notice is to be mailed."""
        self._record = record
        self._store = store
        self._notices = Notices(store, woken)
        self._random = random.SystemRandom().random
        self._randomness = Randomness()
        self._discards = Discards(record, "request.refused")
        self._slowing = Slowing(record)
        self._server: Server | None = None

    def made(self, config: Config, engine: Engine) -> Setup | None:
        """Make the site of a configuration; nothing changes yet. OSError: its certificate is gone. None: no [https]."""
        https = config.https
        if https is None:
            return None
        try:
            tls = certificate.context(https.chain(), https.key)
        except ValueError as error:  # since it was checked, a moment ago, another one was put there
            message = f"{https.certificate} {error}"
            raise OSError(message) from None
        routes, show = self._routes(config, https, engine)
        return Setup(
            site=Router(routes, self._record, show),
            tls=tls,
            trusted=Networks(https.trusted_proxies),
            connections=https.connections,
        )

    def follow(self, setup: Setup | None) -> None:
        """Serve this from now on; who is connected already keeps his TLS. None: as before, until the next restart."""
        if setup is None:
            return
        if self._server is None:
            self._server = Server(setup)
        self._server.setup = setup

    def listen(self, sockets: Sequence[socket.socket]) -> None:
        """Begin to serve these sockets."""
        if self._server is not None:
            self._server.listen(sockets)

    def at_work(self) -> set[asyncio.Task[Response]]:
        """Return the requests that are at work now."""
        return self._server.at_work() if self._server else set()

    async def drain(self, patience: float) -> None:
        """Take no more requests, and wait up to `patience` seconds for the responses that are due."""
        if self._server is not None:
            await self._server.drain(patience)

    def _routes(self, config: Config, https: Https, engine: Engine) -> tuple[list[Route], Showing]:
        """Return all that there is, and how a problem is shown."""
        front = LoginFront(
            engine=engine,
            record=self._record,
            reject_message=config.radius.reject_message,
            reject_delay=config.radius.reject_delay,
            at_work=config.limits.at_work_per_client,
            random=self._random,
            slowing=self._slowing,
            never_slowed=Networks(https.never_slowed),
            telling=frozenset(name for name, event in config.events.items() if event.tell_reasons),
        )
        routes: list[Route] = list(self._api(https, front, assembly.installation_key(config)).routes())
        show: Showing = problems.shown
        if https.portal:
            from aad.daemon import portal  # noqa: PLC0415 - only who configures it needs its libraries

            pages, show = portal.added(config, https.portal, front, self._store, self._record, self._notices)
            routes += pages
        return routes, show

    def _api(self, https: Https, front: LoginFront, key: Secret) -> Api:
        keys = Keys(
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
        return Api(
            front=front,
            keys=keys,
            once=IdempotentPosts(self._store, key, self._randomness, rejection.latest(front.reject_delay) + SLACK),
            key=key,
            randomness=self._randomness,
            discards=self._discards,
            record=self._record,
        )
