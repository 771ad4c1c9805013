"""Users in an LDAP directory: found by a search, checked by a bind (RFC 4511, RFC 4513)."""

from __future__ import annotations

import ssl
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import replace
from types import TracebackType
from typing import ClassVar, Self, TypeVar

from aad.core.identity import User
from aad.core.outcome import Fact, Failure, Reason, Success
from aad.core.secret import Secret
from aad.net.resolve import Resolver
from aad.ports import Admit, AmbiguousUserError, Found, GroupLookup, Unavailable, Wiring
from aad.repositories.ldap.account_state import sight
from aad.repositories.ldap.connect import target
from aad.repositories.ldap.decode import UnreadableAnswerError
from aad.repositories.ldap.failover import (
    Account,
    Connections,
    Failover,
    OneUserRefusedError,
    Server,
    ServerRefusedError,
    UndecidedError,
)
from aad.repositories.ldap.groups import look_up_group
from aad.repositories.ldap.pool import Pool, PoolTimeoutError
from aad.repositories.ldap.result_codes import OURS, SIZE_LIMIT, SUCCESS, Result, verdict
from aad.repositories.ldap.settings import LdapSettings
from aad.repositories.ldap.transport import Turns
from aad.repositories.ldap.user_entry import UserReader

A = TypeVar("A")


class Ldap:
    """Finds users by a search and checks passwords by a bind with the DN that the search returned."""

    Settings: ClassVar[type] = LdapSettings

    def __init__(self, settings: LdapSettings, wiring: Wiring) -> None:
        """Compile the filters; nothing is opened. `wiring.attributes` are read of each user besides."""
        self._settings = settings
        self._where = f"repository {wiring.name}"
        self._account_state = wiring.account_state
        self._reader = UserReader(settings, wiring.name, wiring.attributes, account_state=wiring.account_state)
        self._pool: Pool[Failover]
        self._news: deque[Fact] = deque(maxlen=100)

    async def __aenter__(self) -> Self:
        """Read the authority's file; connections are made when they are needed. Unavailable: it can't be used."""
        settings, resolver, turns = self._settings, Resolver(), Turns()
        tls = self._tls()
        servers = [
            Server(url, target(url, tls, starttls=settings.starttls), self._news, turns) for url in settings.servers
        ]
        account = Account(settings.bind_dn, settings.bind_password or Secret(b""))
        self._pool = Pool([Failover(servers, resolver, account, settings.timeout) for _ in range(settings.connections)])
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close all connections."""
        await self._pool.stop()

    async def find(self, name: str, password: Secret | None, admit: Admit, deadline: float) -> Found | None:
        """Search the user; if there is a password and `admit` says so, bind, in the same job (ports.Repository)."""
        if (wanted := self._reader.user_search(name)) is None:
            return None

        async def work(connections: Connections) -> Found | AmbiguousUserError | None:
            result, entries = await connections.search(wanted)
            if result.code == SIZE_LIMIT or len(entries) > 1:
                return AmbiguousUserError()
            if result.code != SUCCESS:
                raise ServerRefusedError(_search_answered(wanted.base, result), ours=result.code in OURS)
            if not entries:
                return None
            user = await self._with_groups(connections, self._reader.user(entries[0], time.time()))
            return Found(
                user, await self._proof(connections, user, password) if password and await admit(user) else None
            )

        found = await self._ask(lambda failover: failover.ask(work, deadline), deadline)
        if isinstance(found, AmbiguousUserError):
            raise found
        return replace(found, facts=self._take_news()) if found and self._news else found

    async def authenticate(self, user: User, password: Secret, deadline: float) -> Success | Failure:
        """Bind with the user's DN (ports.Repository)."""
        if not password:
            return Failure(Reason.EMPTY_PASSWORD)

        async def work(connections: Connections) -> Success | Failure:
            return await self._proof(connections, user, password)

        return await self._ask(lambda failover: failover.ask(work, deadline), deadline)

    async def probe(self) -> str:
        """Ask every server for the bases. Unavailable: none can be used."""
        settings, account = self._settings, self._settings.bind_dn or "nobody"

        async def work(connections: Connections) -> str:
            for base in dict.fromkeys((settings.base_dn, settings.groups_below())):
                result = await connections.base_found(base)
                if result.code != SUCCESS:
                    raise ServerRefusedError(_search_answered(base, result), ours=True)
            seen = f", {await self._state_seen(connections)}" if self._account_state else ""
            return f"bound as {account}, base found{seen}"

        deadline = time.monotonic() + self._settings.timeout * (len(self._settings.servers) + 1)

        async def every(failover: Failover) -> list[tuple[str, str, bool]]:
            return [answer async for answer in failover.ask_each(work)]

        answers = await self._ask(every, deadline)
        summary = "; ".join(f"{url}: {what}" for url, what, _ in answers)
        if not any(could_tell for _, _, could_tell in answers):
            raise Unavailable(summary, where=self._where)
        return summary

    async def look_up_group(self, group: str, deadline: float) -> GroupLookup:
        """Look for a group (ports.LooksUpGroups)."""

        async def work(connections: Connections) -> GroupLookup:
            return await look_up_group(connections, self._settings, group)

        return await self._ask(lambda failover: failover.ask(work, deadline), deadline)

    async def _ask(self, job: Callable[[Failover], Awaitable[A]], deadline: float) -> A:
        try:
            return await self._pool.do(job, deadline)
        except Unavailable as error:
            error.where, error.facts = "" if isinstance(error, UndecidedError) else self._where, self._take_news()
            raise
        except PoolTimeoutError as late:
            raise Unavailable(str(late), where=self._where) from late

    async def _state_seen(self, connections: Connections) -> str:
        """Say what is seen of accounts' states. ServerRefusedError: so little that no user would be let in by it."""
        try:
            result, entries = await connections.search(self._reader.sample())
        except ValueError:
            return "user_filter finds no users to see account states of"
        if result.code not in {SUCCESS, SIZE_LIMIT}:
            return f"account states can't be looked at: {_search_answered(self._settings.base_dn, result)}"
        users = [entry.values for entry in entries]
        summary, enough = sight(users, self._settings.directory, self._settings.bind_dn or "nobody")
        if not enough:
            raise ServerRefusedError(summary)
        return summary

    def _take_news(self) -> tuple[Fact, ...]:
        """Return, once, what is new about the servers, for the log."""
        return tuple(self._news.popleft() for _ in range(len(self._news)))

    async def _with_groups(self, connections: Connections, user: User) -> User:
        """Search the groups that the user's entry doesn't name, if they are wanted.

        OneUserRefusedError: not all of them are known; without them a chain for members would give way to a weaker one.
        """
        if (wanted := self._reader.group_search(user)) is None:
            return user
        try:
            result, entries = await connections.search(wanted)
        except UnreadableAnswerError as unreadable:
            message = f"the search in {wanted.base} was answered with {unreadable}"
            raise OneUserRefusedError(message) from None
        if result.code != SUCCESS:
            raise OneUserRefusedError(_search_answered(wanted.base, result))
        return replace(user, groups=user.groups.union(entry.dn for entry in entries))

    async def _proof(self, connections: Connections, user: User, password: Secret) -> Success | Failure:
        """Bind as the user. OneUserRefusedError: the server said neither yes nor no."""
        if not user.handle:
            message = "an entry without a DN"
            raise OneUserRefusedError(message)
        try:
            result = await connections.bind(user.handle, password.reveal())
        except UnreadableAnswerError as unreadable:
            message = f"the bind as the user was answered with {unreadable}"
            raise OneUserRefusedError(message) from None
        proof = verdict(result, self._settings.directory)
        if proof is None:
            message = f"the bind as the user was answered with {result}"
            raise OneUserRefusedError(message)
        return proof

    def _tls(self) -> ssl.SSLContext | None:
        """Return what verifies the servers' certificates, chain and name; one for all, as it takes 25 ms to make.

        Unavailable: the authority's file can't be used.
        """
        if not (self._settings.starttls or any(url.startswith("ldaps:") for url in self._settings.servers)):
            return None
        try:
            return ssl.create_default_context(cafile=self._settings.ca_file)
        except OSError as error:
            message = f"{self._settings.ca_file} can't be used: {error}"
            raise Unavailable(message, where=self._where) from error


def _search_answered(base: str, result: Result) -> str:
    return f"the search in {base} was answered with {result}"
