"""The method radius: another RADIUS server checks the password."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Self

from aad.core.conversation import Login
from aad.core.outcome import Failure, Reason, Success
from aad.core.secret import Secret
from aad.core.settings import Duration, option
from aad.methods.any_password import AnyPassword, AnyPasswordSettings
from aad.ports import Wiring
from aad.radius_client.failover import Failover, fault
from aad.radius_client.request import LONGEST_VALUE, PasswordCheck, Verdict

SHORT_SECRET = 12  # octets, as of a client


@dataclass(frozen=True, kw_only=True)
class RadiusSettings(AnyPasswordSettings):
    """[methods.NAME] with type = "radius"."""

    servers: tuple[str, ...] = option(doc="HOST or HOST:PORT, in order: the next one when one fails.")
    secret: Secret = option(doc="The secret that is shared with them.")
    nas_identifier: str = option("aad", "What we are called there (NAS-Identifier).")
    timeout: Duration = option(
        Duration(1.0), "Without a reply for so long, a request is sent again ...", at_least=0.1, at_most=30.0
    )
    retries: int = option(1, "... so many times; then the next server is asked.", at_least=0, at_most=10)

    def faults(self) -> Iterator[tuple[str, str]]:
        """Check servers, secret and name."""
        if not self.servers:
            yield "servers", 'should name at least one server, such as "radius.example.com:1812"'
        for number, server in enumerate(self.servers):
            if wrong := fault(server):
                yield f"servers.[{number}]", wrong
        if not self.secret:
            yield "secret", "should not be empty"
        if not 1 <= len(self.nas_identifier.encode()) <= LONGEST_VALUE:
            yield "nas_identifier", f"should have 1 to {LONGEST_VALUE} octets"

    def warnings(self) -> Iterator[tuple[str, str]]:
        """Warn of a secret that can be guessed: an eavesdropper on one request may try offline, without any limit."""
        if len(self.secret) <= SHORT_SECRET:
            yield "secret", f"has {len(self.secret)} octets and can be guessed: aad make-secret makes a good one"


class RadiusPassword(AnyPassword):
    """Has another RADIUS server check the password; the user and their groups still come from their repository."""

    Settings: ClassVar[type] = RadiusSettings

    def __init__(self, settings: RadiusSettings, wiring: Wiring) -> None:
        """Open nothing yet."""
        super().__init__(settings)
        del wiring
        self._settings = settings
        self._servers: Failover

    async def __aenter__(self) -> Self:
        """Prepare the servers; sockets are opened when they are needed."""
        self._servers = Failover(
            self._settings.servers, self._settings.secret, self._settings.timeout, self._settings.retries
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the sockets."""
        self._servers.close()

    async def checked(self, login: Login, password: Secret, deadline: float) -> Success | Failure:
        """Ask the servers in order, by PAP, until one answers. Unavailable: none did."""
        try:
            question = PasswordCheck(
                name=login.user.name,
                password=password,
                called=self._settings.nas_identifier,
                caller=login.calling_station,
            )
        except ValueError:  # RADIUS can't carry it, so it is no user's password there
            return Failure(Reason.WRONG_PASSWORD)
        verdict, facts = await self._servers.ask(question, deadline), self._servers.news()
        if verdict is Verdict.ACCEPTED:
            return Success(facts)
        return Failure(Reason.WRONG_PASSWORD if verdict is Verdict.REJECTED else Reason.UPSTREAM_CHALLENGE, facts)
