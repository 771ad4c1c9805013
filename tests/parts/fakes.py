"""Small real things that stand where a test needs no server: a store, a repository, a sender in memory."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Self

from aad.core.answer import Answer, Plain
from aad.core.conversation import Login
from aad.core.identity import Attempt, User
from aad.core.mask import masked
from aad.core.message import Message, Receipt
from aad.core.outcome import Challenge, Failure, Outcome, Reason, Success
from aad.core.policy import Chain, Event
from aad.core.row import Rules
from aad.core.secret import Secret
from aad.core.settings import Rate
from aad.login.engine import Engine
from aad.login.identify import Identify
from aad.login.lockout import Lockout
from aad.login.messenger import Messenger
from aad.login.outages import Outages
from aad.login.pending import Pending, Places
from aad.login.signer import Signer
from aad.methods.email_otp import EmailOtp, EmailOtpSettings
from aad.methods.password import Password, PasswordSettings
from aad.ports import Admit, Change, Found, Kept, Method, RowRule, Rule, Taken, Tally, Wiring

KEY = Secret(b"an installation's key, 32 octets")
BOTH = Chain("both", ("password", "email_otp"))


class Opened:
    """What a plugin inherits that has nothing to open."""

    Settings: ClassVar[type] = object

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    async def probe(self) -> str:
        return "fine"


class MemoryStore(Opened):
    """A store that lasts as long as the test; its clock is set by hand."""

    shared: ClassVar[bool] = True

    def __init__(self) -> None:
        self.time = 1000.0
        self.logins: dict[bytes, Kept] = {}
        self.counted: dict[tuple[str, str, str], Tally] = {}
        self.held: dict[tuple[str, str], bytes] = {}
        self.passing: dict[tuple[str, str], tuple[bytes, float]] = {}

    def now(self) -> float:
        return self.time

    async def put_login(self, kept: Kept, most: int) -> bool:
        self.logins.pop(kept.ticket, None)
        others = [each for each in self.logins.values() if each.holder == kept.holder and each.expires > self.time]
        surplus = max(0, len(others) + 1 - most)
        going = [each for each in sorted(others, key=lambda each: each.proven) if each.proven <= kept.proven][:surplus]
        if len(going) < surplus:
            return False
        for each in going:
            del self.logins[each.ticket]
        self.logins[kept.ticket] = kept
        return True

    async def take_login(self, ticket: bytes, count: RowRule | None = None) -> Taken | None:
        kept = self.logins.get(ticket)
        if kept is None:
            return None
        if kept.row and count:
            change = count(kept.row, await self.get_expiring("row", kept.row))
            if change is None:
                return Taken(kept.login, refused=True)
            self._write("row", kept.row, change)
        del self.logins[ticket]
        return Taken(kept.login)

    async def logins_of(self, holder: str) -> list[tuple[bytes, bytes]]:
        return [
            (kept.ticket, kept.login)
            for kept in reversed(self.logins.values())
            if kept.holder == holder and kept.expires > self.time
        ]

    async def count_logins(self) -> int:
        return len(self.logins)

    async def increment(self, tally: Tally, limit: int, *, extend: bool) -> int:
        key = (tally.kind, tally.scope, tally.name)
        held = self.counted.get(key)
        if held is None or held.until <= self.time:
            held = replace(tally, count=0)
        if held.count >= limit:
            return 0
        until = tally.until if extend else held.until
        self.counted[key] = replace(held, count=held.count + 1, until=until)
        return held.count + 1

    async def decrement(self, kind: str, scope: str, name: str) -> None:
        held = self.counted.get((kind, scope, name))
        if held is not None:
            self.counted[kind, scope, name] = replace(held, count=max(0, held.count - 1))

    async def delete_counter(self, kind: str, scope: str, name: str) -> bool:
        gone = [key for key in self.counted if key[0] == kind and key[2] == name and scope in ("", key[1])]
        for key in gone:
            del self.counted[key]
        return bool(gone)

    async def counters(self, kind: str) -> list[Tally]:
        return [tally for tally in self.counted.values() if tally.kind == kind and tally.until > self.time]

    async def get(self, kind: str, name: str) -> bytes | None:
        return self.held.get((kind, name))

    async def compare_and_set(self, kind: str, name: str, old: bytes | None, new: bytes | None) -> bool:
        if self.held.get((kind, name)) != old:
            return False
        self.held.pop((kind, name), None)
        if new is not None:
            self.held[kind, name] = new
        return True

    async def get_expiring(self, kind: str, name: str) -> bytes | None:
        value, until = self.passing.get((kind, name), (b"", 0.0))
        return value if until > self.time else None

    async def compare_and_set_expiring(
        self, kind: str, name: str, old: bytes | None, new: bytes | None, until: float
    ) -> bool:
        if await self.get_expiring(kind, name) != old:
            return False
        self.passing.pop((kind, name), None)
        if new is not None:
            self.passing[kind, name] = (new, until)
        return True

    async def update_expiring(self, kind: str, name: str, rule: Rule, _expected: bytes | None = None) -> None:
        if (change := rule(await self.get_expiring(kind, name))) is not None:
            self._write(kind, name, change)

    async def put_expiring(self, kind: str, changes: Mapping[str, Change | None]) -> None:
        for name, change in changes.items():
            self._write(kind, name, change)

    def _write(self, kind: str, name: str, change: Change | None) -> None:
        self.passing.pop((kind, name), None)
        if change is not None and change.value is not None:
            self.passing[kind, name] = (change.value, change.until)

    async def all_expiring(self, kind: str) -> dict[str, bytes]:
        return {
            name: value for (each, name), (value, until) in self.passing.items() if each == kind and until > self.time
        }

    def failures(self) -> dict[tuple[str, str], int]:
        """Return the rows of failures: (row, user) -> how many."""
        found = {}
        for (kind, name), (value, until) in self.passing.items():
            row, _, user = name.split("\0") if kind == "row" else ("", "", "")
            if row and until > self.time and (count := json.loads(value).get("count", 0)):
                found[row, user] = count
        return found

    async def names(self, kind: str) -> list[str]:
        return sorted(name for each, name in self.held if each == kind)


class MemoryRepository(Opened):
    """Users and passwords in a dict. `trouble`, if set, is raised; `gate`, if set, is awaited before any answer."""

    def __init__(self, users: dict[str, tuple[User, bytes]]) -> None:
        self.users = users
        self.binds = 0
        self.trouble: Exception | None = None
        self.gate: Callable[[], Any] | None = None

    async def find(self, name: str, password: Secret | None, admit: Admit, _deadline: float) -> Found | None:
        if self.gate is not None:
            await self.gate()
        if self.trouble is not None:
            raise self.trouble
        if name not in self.users:
            return None
        user = self.users[name][0]
        return Found(user, self._checked(name, password) if password and await admit(user) else None)

    async def authenticate(self, user: User, password: Secret, _deadline: float) -> Success | Failure:
        return self._checked(user.handle, password)

    def _checked(self, name: str, password: Secret) -> Success | Failure:
        self.binds += 1
        return Success() if password == Secret(self.users[name][1]) else Failure(Reason.WRONG_PASSWORD)


class MemorySender(Opened):
    """Keeps what it is given. `trouble`, if set, is raised instead."""

    def __init__(self, name: str = "mail") -> None:
        self.name = name
        self.messages: list[Message] = []
        self.trouble: Exception | None = None

    def masked(self, address: str) -> str:
        return masked(address)

    def usable(self, address: str) -> bool:
        return address.count("@") == 1 and " " not in address

    async def send(self, message: Message, _deadline: float) -> Receipt:
        if self.trouble is not None:
            raise self.trouble
        self.messages.append(message)
        return Receipt(queue_id="Q1")

    @property
    def code(self) -> str:
        """The code of the last message."""
        return self.messages[-1].values["otp"]


@dataclass(frozen=True)
class Asked:
    """The memo of App."""

    tries: int = 2


class App(Opened):
    """A method that sends nothing: the code is always 424242."""

    Memo: ClassVar[type] = Asked
    proves: ClassVar[str] = "code"
    accepts_appended_code: ClassVar[bool] = True

    async def begin(self, _login: Login, _answer: Answer | None, now: float, _deadline: float) -> Outcome[Asked]:
        return self._asked(Asked(), now)

    async def verify(self, _login: Login, memo: Asked, answer: Answer, now: float, _deadline: float) -> Outcome[Asked]:
        if answer.matches(Secret(b"424242")):
            return Success()
        return self._asked(Asked(memo.tries - 1), now, wrong=True) if memo.tries > 1 else Failure(Reason.WRONG_CODE)

    @staticmethod
    def _asked(memo: Asked, now: float, *, wrong: bool = False) -> Challenge[Asked]:
        return Challenge(prompt="The app's code", memo=memo, expires=now + 60, fresh_until=0.0, wrong=wrong)


def user(name: str, *addresses: str, groups: tuple[str, ...] = (), handle: str = "") -> User:
    return User(name=name, repository="corp", handle=handle or name, addresses=addresses, groups=frozenset(groups))


@dataclass
class World:
    """An engine over fakes, and everything a test wants to look at or turn."""

    chains: tuple[Chain, ...] = (BOTH,)
    settings: EmailOtpSettings = field(default_factory=lambda: EmailOtpSettings(senders=("mail",)))
    per_user: Rate = field(default_factory=lambda: Rate(None, 0))
    most: int = 100
    decoys_last: float = 120.0
    rules: Rules = field(default_factory=Rules)
    event: Event | None = None
    senders: dict[str, MemorySender] = field(default_factory=lambda: {"mail": MemorySender()})

    def __post_init__(self) -> None:
        self.store = self.new_store()
        alice = user("alice", "alice@example.com", handle="alice")
        self.repository = MemoryRepository(
            {
                "alice": (alice, b"right"),
                "alias": (alice, b"right"),
                "bob": (user("bob", "bob@example.com"), b"right"),
                "carol": (user("carol", "no address"), b"right"),
            }
        )
        self.records: list[tuple[str, dict[str, object]]] = []
        outages = Outages(self.record)
        self.post = Messenger(self.senders, self.store, outages, self.record, budgets={"user": self.per_user})
        wiring = Wiring(name="test", key=KEY, repositories={"corp": self.repository}, messenger=self.post)
        methods: dict[str, Method[Any]] = {
            "password": Password(PasswordSettings(), wiring),
            "email_otp": EmailOtp(self.settings, wiring),
            "app": App(),
        }
        numbers = iter(range(1, 1_000_000))
        lockout = Lockout(self.store, self.rules, KEY)
        self.engine = Engine(
            identify=Identify(
                events={"vpn": self.event or Event("vpn", ("corp",), self.chains)},
                repositories={"corp": self.repository},
                methods=methods,
                lockout=lockout,
                outages=outages,
                randomness=secrets.token_bytes,
            ),
            methods=methods,
            pending=Pending(
                self.store,
                methods,
                lambda size: next(numbers).to_bytes(size, "big"),
                Signer(KEY, self.store.now, outages.foreign),
                Places(most=self.most, of_a_user=self.rules.attempts, decoys_last=self.decoys_last),
            ),
            lockout=lockout,
            outages=outages,
            record=self.record,
            now=self.store.now,
            randomness=secrets.token_bytes,
        )

    def new_store(self) -> MemoryStore:
        return MemoryStore()

    @property
    def sender(self) -> MemorySender:
        return self.senders["mail"]

    def record(self, name: str, /, **fields: object) -> None:
        self.records.append((name, fields))

    def names(self) -> list[str]:
        return [name for name, _ in self.records]

    def reasons(self, name: str) -> list[object]:
        return [fields.get("reason") for each, fields in self.records if each == name]


def attempt(typed: str | bytes = "right", name: str = "alice", client: str = "gw", event: str = "vpn") -> Attempt:
    return Attempt(event=event, client=client, name=name, answer=Plain(Secret(typed)), deadline=1e12)
