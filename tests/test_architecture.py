"""The house rules: imports point inward, and a dependency has one door."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from aad import registry

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "aad"
FILES = sorted(PACKAGE.rglob("*.py"))

# Room -> the rooms it may know. A file at the top is a room of its own.
MAY_KNOW = {
    "aad": set(),
    "core": {"core"},
    "texts": set(),
    "storing": set(),
    "folders": set(),
    "privileges": {"folders"},
    "secure_path": {"folders"},
    "group_lookup": set(),
    "ports": {"core", "group_lookup", "storing"},
    "certificate": {"core"},
    "config": {"certificate", "core", "config", "secure_path"},
    "registry": {"ports", "config"},
    "records": set(),
    "journal": set(),
    "logfile": {"folders"},
    "log": {"records", "journal", "logfile"},
    "logbook": {"core", "folders", "records", "logbook"},
    "service": set(),
    "randomness": set(),
    "story": {"core", "ports"},
    "asker": {"core"},
    "lockout": {"core", "ports"},
    "vault": {"core", "ports"},
    "enrolment": {"core", "ports", "vault"},
    "qr": {"core"},
    "history": {"core", "ports", "storing"},
    "outages": {"core", "ports"},
    "discards": {"core", "ports"},
    "delivery": {"core", "ports", "outages"},
    "post": {"core", "ports", "delivery", "outages"},
    "claim": {"ports"},
    "notices": {"core", "delivery", "notices", "outages", "ports", "storing", "texts"},
    "pending": {"claim", "core", "ports", "signer"},
    "signer": {"core"},
    "installation": {"core", "folders", "ports"},
    "identify": {"core", "lockout", "ports", "outages", "story"},
    "same": {"core", "ports"},
    "ahead": {"core", "pending", "ports"},
    "engine": {
        "ahead",
        "asker",
        "claim",
        "core",
        "ports",
        "identify",
        "lockout",
        "outages",
        "pending",
        "same",
        "story",
    },
    "upstream": {"core", "ports", "radius", "upstream"},
    "users": {"asker", "core", "ports", "secure_path", "users"},
    "methods": {"core", "ports", "texts", "upstream", "users"},
    "repositories": {"core", "ports", "users"},
    "senders": {"core", "ports"},
    "stores": {"core", "folders", "ports", "storing"},
    "radius": {"core", "discards", "ports", "engine", "radius"},
    "https": {"claim", "core", "discards", "ports", "engine", "https"},
    "portal": {
        *("core", "engine", "enrolment", "history", "https", "notices", "portal", "ports", "post", "qr", "signer"),
        "texts",
    },
    "selfservice": {
        *("assembly", "config", "core", "engine", "enrolment", "history", "https", "notices", "portal", "ports"),
        *("randomness", "registry"),
    },
    "webfront": {
        *("assembly", "certificate", "config", "core", "discards", "engine", "https", "notices", "portal", "ports"),
        *("randomness", "selfservice"),
    },
    "canary": {"canary", "core", "engine", "ports", "radius"},
    "guard": {"config", "core", "guard", "outages", "ports"},
    "assembly": {
        "aad",
        "registry",
        "config",
        "core",
        "ports",
        "engine",
        "enrolment",
        "folders",
        "guard",
        "identify",
        "installation",
        "lockout",
        "notices",
        "outages",
        "pending",
        "post",
        "privileges",
        "randomness",
        "same",
        "signer",
        "texts",
        "vault",
    },
    "importing": {"core", "importing"},
    "metrics": {"aad", "core", "metrics", "ports"},
    "watch": {"config", "log", "metrics", "ports", "radius", "registry"},
    "nases": {"config", "radius"},
    "sockets": {"config", "radius", "service"},
    "loop": set(),
    "garbage": set(),
    "workers": {"assembly", "config", "daemon", "loop", "ports", "radius", "registry", "service", "sockets"},
    "daemon": {
        "nases",
        "sockets",
        "aad",
        "assembly",
        "config",
        "core",
        "garbage",
        "history",
        "log",
        "loop",
        "notices",
        "outages",
        "ports",
        "radius",
        "registry",
        "service",
        "watch",
        "webfront",
    },
    "__main__": {"cli"},
}
MAY_KNOW["cli"] = {*MAY_KNOW, "cli"}
DOORS = {
    "pyotp": "core/code.py",
    "pyrad": "radius/vocabulary.py",
    # three libraries in one: MD4 and DES; RSA; ChaCha20-Poly1305
    "Cryptodome": "radius/mschap.py, senders/oauth_jwt.py, core/sealed.py",
    "segno": "qr.py",
    "ldap3": "repositories/ldap_filter.py",
    "aiosmtplib": "senders/smtp_open.py",
    "aiosmtpd": "cli/mailbox.py",
    "uvloop": "loop.py",
    "systemd": "logbook/journal.py",
    "h11": "https/wire.py",
    "jinja2": "portal/pages.py",
    "markupsafe": "portal/pages.py",
    "idna": "senders/address.py",
}
WORLD = {"asyncio", "time", "random", "secrets", "logging", "socket", "threading", "os", "subprocess", "datetime"}
PURE = [
    *sorted((PACKAGE / "importing").glob("*.py")),
    *sorted((PACKAGE / "core").glob("*.py")),
    PACKAGE / "metrics" / "counts.py",
    PACKAGE / "metrics" / "text.py",
    PACKAGE / "canary" / "letters.py",
    PACKAGE / "canary" / "report.py",
    *(PACKAGE / "https" / f"{name}.py" for name in ("callers", "openapi", "problems", "shapes", "web")),
    PACKAGE / "senders" / "oauth.py",
    PACKAGE / "repositories" / "ldap_account_state.py",
    PACKAGE / "repositories" / "ldap_answers.py",
    PACKAGE / "repositories" / "ldap_ber.py",
    PACKAGE / "repositories" / "ldap_reasons.py",
    PACKAGE / "repositories" / "ldap_values.py",
    PACKAGE / "senders" / "address.py",
    PACKAGE / "stores" / "aside.py",
    PACKAGE / "stores" / "valkey_lua.py",
    PACKAGE / "stores" / "valkey_reply.py",
    *(
        PACKAGE / "radius" / f"{name}.py"
        for name in (
            *("accounting", "clients", "duplicates", "granting", "mschap", "onefield", "packet", "password", "places"),
            "prompts",
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
    first = file.relative_to(PACKAGE).parts[0].removesuffix(".py")
    return "aad" if first == "__init__" else first


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_imports_point_inward(file: Path) -> None:
    known = {name.split(".")[1] for name in imports(file) if name.startswith("aad.") and not name.startswith("aad.__")}
    assert known - {room(file)} <= MAY_KNOW[room(file)]


def test_plugins_never_know_each_other() -> None:
    plugins = {place.partition(":")[0] for kind in registry.BUILT_IN.values() for place in kind.values()}
    for file in FILES:
        if room(file) in {"methods", "repositories", "senders", "stores"}:
            assert not plugins.intersection(imports(file)), file


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


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_files_and_functions_keep_their_measure(file: Path) -> None:
    text = file.read_text("utf-8")
    assert text.count("\n") <= 500
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            assert node.end_lineno - node.lineno < 40, f"{node.name} is too long"


def test_no_vague_names() -> None:
    vague = {"utils", "helpers", "manager", "handler", "base", "process", "context"}
    assert not [file for file in FILES if vague & set(file.stem.split("_"))]
