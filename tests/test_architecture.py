"""The house rules: imports point inward, a dependency has one door, tests share parts and not each other."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from aad.daemon import plugin_registry

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "aad"
FILES = sorted(PACKAGE.rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))

# Room -> the rooms it may know. A file at the top is a room of its own, and so is what stands in ROOMS_WITHIN.
ROOMS_WITHIN = {"radius": {"protocol"}}
MAY_KNOW = {
    "aad": set(),
    "core": set(),
    "texts": set(),
    "filesystem": set(),
    "abilities": {"core"},
    "storing": set(),
    "ports": {"abilities", "core", "storing"},
    "config": {"abilities", "core", "filesystem"},
    "net": {"core"},
    "radius.protocol": {"core"},
    "radius_client": {"core", "net", "ports", "radius.protocol"},
    "users_file": {"core", "filesystem", "ports"},
    "methods": {"core", "ports", "radius_client", "texts", "users_file"},
    "repositories": {"core", "net", "ports", "users_file"},
    "senders": {"core", "net", "ports"},
    "stores": {"core", "filesystem", "ports", "storing"},
    "login": {"core", "ports"},
    "guard": {"abilities", "config", "core", "login", "ports"},
    "enrolment": {"core", "ports"},
    "notices": {"aad", "core", "login", "ports", "storing", "texts"},
    "logs": {"core", "filesystem", "ports", "storing"},
    "metrics": {"aad", "core", "ports"},
    "radius": {"core", "login", "logs", "ports", "radius.protocol"},
    "https": {"core", "login", "logs", "ports"},
    "portal": {"aad", "core", "enrolment", "https", "login", "logs", "notices", "ports", "texts"},
    "canary": {"core", "login", "ports", "radius.protocol", "radius_client"},
    "migrate": {"core"},
    "daemon": {
        *("aad", "config", "core", "enrolment", "filesystem", "guard", "https", "login", "logs", "metrics", "notices"),
        *("portal", "ports", "radius", "radius.protocol", "texts"),
    },
    "__main__": {"cli"},
}
MAY_KNOW["cli"] = {*MAY_KNOW} - {"__main__"}
DOORS = {
    "pyotp": "core/one_time_code.py",
    "pyrad": "radius/protocol/attribute_dictionary.py",
    # three libraries in one: MD4 and DES; RSA; ChaCha20-Poly1305
    "Cryptodome": "radius/protocol/mschap.py, senders/smtp/oauth/jwt.py, core/sealed_box.py",
    "segno": "enrolment/qr_code.py",
    "ldap3": "repositories/ldap/filter.py",
    "aiosmtplib": "senders/smtp/connect.py",
    "aiosmtpd": "cli/mailbox.py",
    "uvloop": "daemon/event_loop.py",
    "systemd": "logs/journal_reader.py",
    "h11": "https/connection.py, senders/smtp/oauth/http_client.py",  # the server's side, and the client's
    "jinja2": "portal/pages.py",
    "markupsafe": "portal/pages.py",
    "idna": "senders/smtp/address.py",
}
WORLD = {"asyncio", "time", "random", "secrets", "logging", "socket", "threading", "os", "subprocess", "datetime"}
PURE = [
    *sorted((PACKAGE / "core").glob("*.py")),
    *sorted((PACKAGE / "migrate").glob("*.py")),
    *(
        PACKAGE / f"{name}.py"
        for name in (
            *("metrics/counters", "metrics/exposition", "canary/mail_matching", "canary/report", "net/backoff"),
            *(f"https/{name}" for name in ("client_address", "messages", "openapi", "problems", "schemas")),
            *("senders/smtp/address", "senders/smtp/oauth/requests"),
            *(
                f"repositories/ldap/{name}"
                for name in ("account_state", "decode", "encode", "result_codes", "user_entry", "values")
            ),
            *("stores/valkey/local_fallback", "stores/valkey/reply", "stores/valkey/scripts"),
            *(
                f"radius/{name}"
                for name in (
                    *("accounting", "clients", "duplicates", "password_with_code", "prompt_encoding"),
                    "reply_attributes",
                )
            ),
            *(f"radius/protocol/{name}" for name in ("mschap", "packet", "password", "user_address", "wire")),
        )
    ),
]


def imports(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert not node.level, f"{file}: a relative import"
            yield node.module
            if node.module == "aad":
                yield from (f"aad.{alias.name}" for alias in node.names)


def room(file: Path) -> str:
    first, *rest = file.relative_to(PACKAGE).with_suffix("").parts
    return "aad" if first == "__init__" else room_of("aad", first, *rest)


def room_of(_aad: str, first: str, *rest: str) -> str:
    """Return the room of a module's dotted name, cut at its dots."""
    return f"{first}.{rest[0]}" if rest and rest[0] in ROOMS_WITHIN.get(first, ()) else first


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_imports_point_inward(file: Path) -> None:
    names = {name for name in imports(file) if name.startswith("aad.") and not name.startswith("aad.__")}
    known = {room_of(*name.split(".")) for name in names}
    assert known - {room(file)} <= MAY_KNOW[room(file)]


def test_plugins_never_know_each_other() -> None:
    plugins = {place.partition(":")[0] for kind in plugin_registry.BUILT_IN.values() for place in kind.values()}
    for file in FILES:
        if room(file) in {"methods", "repositories", "senders", "stores"}:
            own = ".".join(file.relative_to(ROOT).with_suffix("").parts)
            others = {plugin for plugin in plugins if not own.startswith(plugin)}
            assert not others.intersection(imports(file)), file


def test_a_dependency_has_one_door() -> None:
    doors = defaultdict(set)
    for file in FILES:
        for name in imports(file):
            if name.split(".")[0] in DOORS:
                doors[name.split(".")[0]].add(str(file.relative_to(PACKAGE)))
    assert {name: files for name, files in doors.items() if files != set(DOORS[name].split(", "))} == {}


@pytest.mark.parametrize("file", PURE, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_pure_files_know_no_world(file: Path) -> None:
    assert not {name.split(".")[0] for name in imports(file)} & WORLD
    asynchronous = (ast.AsyncFunctionDef, ast.Await)
    assert not any(isinstance(node, asynchronous) for node in ast.walk(ast.parse(file.read_text("utf-8"))))


def test_no_test_module_imports_another() -> None:
    """What several of them use lives in tests/parts, or beside them in a file that holds no tests."""
    for file in TESTS:
        assert not [name for name in imports(file) if name.startswith("tests.") and ".test_" in name], file


def test_no_vague_names() -> None:
    vague = {"utils", "helpers", "manager", "handler", "base", "process", "context"}
    assert not [file for file in FILES if vague & set(file.stem.split("_"))]
