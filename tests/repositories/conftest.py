"""The tests of the LDAP repository share: an authority, a directory that no test changes, ways to ask."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from aad.core.outcome import Failure, Success
from aad.core.secret import Secret
from aad.ports import Wiring
from aad.repositories.ldap import Ldap
from aad.repositories.ldap.settings import LdapSettings
from tests.parts.admission import everybody
from tests.parts.authority import Authority
from tests.parts.directory import STRICT_POLICY, Directory, Person

STRICT = {"pwdPolicySubentry": STRICT_POLICY}
LONG_AGO = "20200101000000Z"
LONG_PASSWORD = "0123456789abcdef" * 8
ODD_NAMES = ("Doe, John", "a+b=c", 'quo"te', "#hash", "back\\slash", "(par*en)", "Zoë <ö>", "semi;colon")

RICH = {"departmentNumber": "4711", "jpegPhoto": "\1\2", "description": "two\nlines", "title": "x" * 254}

PEOPLE = (
    Person("alice", "correct horse", ("alice@example.com",), ("vpn", "staff"), {"preferredLanguage": "de-CH"}),
    Person("bob", "①23", ("bob@example.com", "Bob <b@example.org>", "no address")),
    Person("Carol", "123"),
    Person("rich", "pw", extra=RICH),
    Person("nul", "in\0side"),
    Person("long", LONG_PASSWORD),
    Person("untouched", "secret"),
    Person("nopassword", ""),
    *(Person(name, "odd") for name in ODD_NAMES),
    *(Person("twin", "twin", unit=unit) for unit in ("left", "right")),
    *(Person("triplet", "triplet", unit=unit) for unit in ("left", "middle", "right")),
    Person("locked", "pw", extra={**STRICT, "pwdAccountLockedTime": "000001010000Z"}),
    Person("reset", "pw", extra={**STRICT, "pwdReset": "TRUE"}),
    Person("grace", "pw", extra={**STRICT, "pwdChangedTime": LONG_AGO}),
    Person("expired", "pw", extra={**STRICT, "pwdChangedTime": LONG_AGO, "pwdGraceUseTime": LONG_AGO}),
    Person("strict", "pw", extra=STRICT),
)


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def directory(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[Directory]:
    """No test may stop it, change it, or count records of its log under another name than the test's own."""
    policy = {"pwdMustChange": "TRUE", "pwdGraceAuthNLimit": "1"}
    with Directory(tmp_path_factory.mktemp("directory"), authority, PEOPLE, policy=policy) as running:
        yield running


def ldap(directory: Directory, /, *urls: str, **changes: Any) -> Ldap:
    """Return a repository of the directory's users; `changes` are settings."""
    settings: dict[str, Any] = {
        "servers": urls or (directory.ldap_uri,),
        "ca_file": directory.ca_file,
        "bind_dn": directory.bind_dn,
        "bind_password": Secret(directory.bind_password),
        "base_dn": directory.base_dn,
        "connections": 2,
    }
    return Ldap(LdapSettings(**(settings | changes)), Wiring(name="corp", key=Secret(b"")))


def within(seconds: float) -> float:
    """Return the deadline that is so far away."""
    return time.monotonic() + seconds


async def login(repository: Ldap, name: str, password: str | bytes, seconds: float = 5.0) -> Success | Failure | None:
    """Find and bind in one job; None: there is no such user."""
    found = await repository.find(name, Secret(password), everybody, within(seconds))
    return found.proof if found else None


async def alice(repository: Ldap, seconds: float = 5.0) -> Success | Failure | None:
    return await login(repository, "alice", "correct horse", seconds)
