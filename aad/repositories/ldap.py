"""Users in an LDAP directory: found by a search, checked by a bind (RFC 4511, RFC 4513)."""

from __future__ import annotations

import re
import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self, TypeVar

from aad.core.identity import User, name_key
from aad.core.outcome import Failure, Reason, Success
from aad.core.secret import Secret
from aad.core.settings import Duration, option
from aad.ports import Admit, AmbiguousUser, Found, Unavailable, Wiring
from aad.repositories.ldap_ber import filled
from aad.repositories.ldap_line import Entry, compiled
from aad.repositories.ldap_names import Names
from aad.repositories.ldap_pool import Late, Pool
from aad.repositories.ldap_reasons import SIZE_LIMIT, SUCCESS, Result, verdict
from aad.repositories.ldap_servers import Account, Asker, Lines, Refused, Server, host_and_port, peer

A = TypeVar("A")
_NAME = "{name}"
_ASSERTION = re.compile(r"\(\s*([A-Za-z0-9.-]+)([^()=]*)=([^()]*)")  # (attribute:rule:=value
_MARKER = b"\x01the user's name\x01"  # stands for the name; no filter has it


@dataclass(frozen=True, kw_only=True)
class LdapSettings:
    """[repositories.NAME] with type = "ldap"."""

    servers: tuple[str, ...] = option(doc='In order: the next when one fails; "ldaps://HOST[:PORT]" or "ldap://..."')
    starttls: bool = option(default=False, doc="With ldap://: begin TLS before anything else, or don't talk at all.")
    ca_file: Path | None = option(None, "The authority that signed the servers' certificates; default: the system's.")
    bind_dn: str = option("", "The account that searches; default: anonymous.")
    bind_password: Secret | None = option(None, "Its password.")
    base_dn: str = option(doc="Where the users are, at any depth.")
    user_filter: str = option("(uid={name})", "Which of them is meant (RFC 4515); {name} arrives escaped.")
    email_attribute: str = option("mail", "Holds the addresses.")
    group_attribute: str = option("memberOf", "Holds the groups, as chains name them.")
    name_attribute: str = option("", "Holds the user's name; default: what user_filter compares {name} with first.")
    language_attribute: str = option("preferredLanguage", "Holds the language.")
    timeout: Duration = option(Duration(2.0), "For one server; then the next.", at_least=0.1, at_most=30.0)
    connections: int = option(8, "Logins that are checked at the same time.", at_least=1, at_most=64)

    def faults(self) -> Iterator[tuple[str, str]]:
        """Check what the keys mean together."""
        if not self.servers:
            yield "servers", 'should name at least one server, such as "ldaps://dc1.example.com"'
        for number, url in enumerate(self.servers):
            try:
                host_and_port(url)
            except ValueError:
                yield f"servers.[{number}]", f'"{url}" should be "ldaps://HOST", "ldap://HOST", or with ":PORT"'
        if self.starttls and any(url.startswith("ldaps:") for url in self.servers):
            yield "starttls", "goes with ldap://, but ldaps:// is TLS from the first octet: leave one of them out"
        if self.bind_dn and not self.bind_password:
            # RFC 4513 5.1.2: a bind with a name and no password succeeds, as anonymous.
            yield "bind_password", "missing: bind_dn can't log in without one"
        if self.bind_password and not self.bind_dn:
            yield "bind_dn", "missing: bind_password is for nobody"
        if self.ca_file:
            yield from _ca_faults(self.ca_file)
        yield from self._filter_faults()

    def warnings(self) -> Iterator[tuple[str, str]]:
        """Complain of passwords in the clear."""
        for number, url in enumerate(self.servers):
            if url.startswith("ldap://") and not self.starttls:
                yield f"servers.[{number}]", f'"{url}" sends passwords in the clear: use ldaps:// or starttls = true'

    def compared(self) -> str:
        """Return the attribute that holds the user's name."""
        with_name = (attribute for attribute, _, value in _ASSERTION.findall(self.user_filter) if _NAME in value)
        return self.name_attribute or next(with_name, "")

    def template(self) -> bytes:
        """Return user_filter as octets, with `_MARKER` where the name belongs. ValueError: it is no filter."""
        return compiled(self.user_filter.replace(_NAME, _MARKER.decode()))

    def _filter_faults(self) -> Iterator[tuple[str, str]]:
        if _NAME not in self.user_filter:
            yield "user_filter", 'should hold {name}, such as "(uid={name})": else it finds the same for everybody'
        elif _NAME in _ASSERTION.sub("", self.user_filter):
            yield "user_filter", 'should have {name} as a value, such as "(uid={name})"'
        else:
            try:
                self.template()
            except ValueError:
                yield "user_filter", 'is no search filter; should be such as "(uid={name})", in parentheses (RFC 4515)'


class Ldap:
    """Finds users by a search and checks passwords by a bind with the DN that the search returned."""

    Settings: ClassVar[type] = LdapSettings

    def __init__(self, settings: LdapSettings, wiring: Wiring) -> None:
        """Keep what it gets."""
        self._settings = settings
        self._name = wiring.name
        self._where = f"repository {wiring.name}"
        self._template = settings.template()
        self._name_attribute = settings.compared()
        attributes = (
            self._name_attribute,
            settings.email_attribute,
            settings.group_attribute,
            settings.language_attribute,
        )
        self._attributes = tuple(dict.fromkeys(attribute for attribute in attributes if attribute))
        self._pool: Pool[Asker]

    async def __aenter__(self) -> Self:
        """Start the threads; they connect when they are asked. Unavailable: the authority's file can't be used."""
        settings, names = self._settings, Names()
        tls = self._tls()
        servers = [Server(url, peer(url, tls, starttls=settings.starttls)) for url in settings.servers]
        account = Account(settings.bind_dn, settings.bind_password or Secret(b""))
        askers = [Asker(servers, names, account, settings.timeout) for _ in range(settings.connections)]
        self._pool = Pool(f"ldap {self._name}", askers)
        self._pool.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close all connections."""
        await self._pool.stop()

    async def find(self, name: str, password: Secret | None, admit: Admit, deadline: float) -> Found | None:
        """Search the user; if there is a password and `admit` says so, bind, in the same job (ports.Repository)."""
        if (filter_ := self._filter(name)) is None:
            return None

        def question(lines: Lines) -> Found | AmbiguousUser | None:
            result, entries = lines.search(self._settings.base_dn, filter_, self._attributes)
            if result.code == SIZE_LIMIT or len(entries) > 1:
                return AmbiguousUser()
            if result.code != SUCCESS:
                raise Refused(_search_words(self._settings.base_dn, result))
            if not entries:
                return None
            user = self._user(entries[0])
            return Found(user, _proof(lines, user, password) if password and admit(user) else None)

        found = await self._ask(lambda asker: asker.ask(question, deadline), deadline)
        if isinstance(found, AmbiguousUser):
            raise found
        return found

    async def authenticate(self, user: User, password: Secret, deadline: float) -> Success | Failure:
        """Bind with the user's DN (ports.Repository)."""
        if not password:
            return Failure(Reason.EMPTY_PASSWORD)

        def question(lines: Lines) -> Success | Failure:
            return _proof(lines, user, password)

        return await self._ask(lambda asker: asker.ask(question, deadline), deadline)

    async def probe(self) -> str:
        """Ask every server for the base. Unavailable: none can be used."""
        base, account = self._settings.base_dn, self._settings.bind_dn or "nobody"

        def question(lines: Lines) -> str:
            result = lines.base_found(base)
            if result.code != SUCCESS:
                raise Refused(_search_words(base, result))
            return f"bound as {account}, base found"

        deadline = time.monotonic() + self._settings.timeout * (len(self._settings.servers) + 1)
        answers = await self._ask(lambda asker: list(asker.ask_each(question)), deadline)
        words = "; ".join(f"{url}: {what}" for url, what, _ in answers)
        if not any(could_tell for _, _, could_tell in answers):
            raise Unavailable(words, where=self._where)
        return words

    async def _ask(self, work: Callable[[Asker], A], deadline: float) -> A:
        try:
            return await self._pool.do(work, deadline)
        except Unavailable as error:
            error.where = self._where
            raise
        except Late as late:
            raise Unavailable(str(late), where=self._where) from late

    def _filter(self, name: str) -> bytes | None:
        """Put the name into the filter, octet for octet; None: nobody is called so, as it is no text."""
        try:
            return filled(self._template, _MARKER, name.encode()) if name else None
        except UnicodeEncodeError:
            return None

    def _user(self, entry: Entry) -> User:
        """Read the user out of his entry.

        An entry has one name, whatever was typed: else each of its names would have its own lockout.
        """
        settings, values = self._settings, entry.values
        return User(
            name=min(values.get(self._name_attribute.lower(), ()), key=name_key, default=entry.dn),
            repository=self._name,
            handle=entry.dn,
            addresses=values.get(settings.email_attribute.lower(), ()),
            groups=frozenset(values.get(settings.group_attribute.lower(), ())),
            language=next(iter(values.get(settings.language_attribute.lower(), ())), ""),
        )

    def _tls(self) -> ssl.SSLContext | None:
        """Return what verifies the servers' certificates, chain and name; one for all, as it takes 25 ms to make."""
        if not (self._settings.starttls or any(url.startswith("ldaps:") for url in self._settings.servers)):
            return None
        try:
            return ssl.create_default_context(cafile=self._settings.ca_file)
        except OSError as error:
            message = f"{self._settings.ca_file} can't be used: {error}"
            raise Unavailable(message, where=self._where) from error


def _proof(lines: Lines, user: User, password: Secret) -> Success | Failure:
    """Bind as the user. Refused: the server said neither yes nor no."""
    if not user.handle:
        message = "an entry without a DN"
        raise Refused(message)
    result = lines.bind(user.handle, password.reveal())
    proof = verdict(result)
    if proof is None:
        message = f"the bind as the user was answered with {result}"
        raise Refused(message)
    return proof


def _search_words(base: str, result: Result) -> str:
    return f"the search in {base} was answered with {result}"


def _ca_faults(ca_file: Path) -> Iterator[tuple[str, str]]:
    try:
        ssl.create_default_context(cafile=ca_file)
    except ssl.SSLError:
        yield "ca_file", f"{ca_file} should hold certificates in PEM"
    except OSError as error:
        yield "ca_file", f"{ca_file} can't be read: {error.strerror}"
