"""Plugins of other packages: found by entry points, held against their port, named where they fail."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from aad.cli import main
from aad.config import ConfigError, load
from aad.daemon import plugin_registry

GOOD = """
from dataclasses import dataclass
from aad.core.outcome import Success
from aad.core.settings import option
@dataclass(frozen=True, kw_only=True)
class Settings:
    word: str = option("", "Any.")
@dataclass(frozen=True)
class Memo:
    pass
class Trust:
    Settings, Memo, proves = Settings, Memo, "trust"
    def __init__(self, settings, wiring): pass
    async def begin(self, login, answer, now, deadline): return Success()
    async def verify(self, login, memo, answer, now, deadline): return Success()
"""
CONFIG = """
[clients.gateway]
networks = ["192.0.2.1"]
secret = "a secret, long enough for everybody"
event = "vpn"
[repositories.local]
type = "file"
[methods.trust]
{method}
[chains.one]
methods = ["trust"]
[events.vpn]
"""
Bring = Callable[..., None]


@pytest.fixture
def bring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bring:
    """Return a function that puts a package with entry points where Python finds it."""

    def package(name: str, code: str, entries: str = "[aad.methods]\ntrust = {module}:Trust") -> None:
        module = name.replace("-", "_")
        site = tmp_path / name
        info = site / f"{module}-2.1.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 2.1\n")
        (info / "entry_points.txt").write_text(entries.format(module=module))
        (site / f"{module}.py").write_text(code)
        monkeypatch.syspath_prepend(site)
        sys.modules.pop(module, None)  # of another test

    return package


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "users.toml").touch(mode=0o600)
    path = tmp_path / "aad.toml"
    path.touch(mode=0o600)
    path.write_text(CONFIG.format(method=""))
    return path


def fault(file: Path) -> str:
    with pytest.raises(ConfigError) as error:
        load(file, plugin_registry)
    (one,) = error.value.faults
    return str(one).removeprefix(f"{file}: ")


def rows(capsys: pytest.CaptureFixture[str]) -> dict[tuple[str, str, str], dict[str, object]]:
    assert main(["plugins", "--json"]) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return {(row["kind"], row["type"], row["package"]): row for row in found}


def test_every_built_in_type_keeps_to_its_port() -> None:
    for kind, types in plugin_registry.BUILT_IN.items():
        for name in types:
            assert not list(plugin_registry._wrong(kind, plugin_registry.plugin_class(kind, name))), name


def test_a_package_s_method_is_one_like_any_other(bring: Bring, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bring("a-good-one", GOOD)
    file.write_text(CONFIG.format(method='word = "a"'))
    config = load(file, plugin_registry)
    assert (config.methods["trust"].settings.word, config.warnings) == ("a", ())
    assert rows(capsys)["methods", "trust", "a-good-one"] == {
        "kind": "methods",
        "type": "trust",
        "built_in": False,
        "package": "a-good-one",
        "version": "2.1",
        "class": "a_good_one:Trust",
        "used": True,
        "loads": True,
        "fault": "",
    }
    file.write_text(CONFIG.format(method="wort = 1"))
    assert fault(file) == 'methods.trust.wort: unknown key: did you mean "word"?'


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("raise RuntimeError('out of order')", "RuntimeError: out of order"),
        ("import nowhere_to_be_found", "ModuleNotFoundError: No module named 'nowhere_to_be_found'"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("def f(:", "SyntaxError: invalid syntax (a_bad_one.py, line 1)"),
        ("", "AttributeError: module 'a_bad_one' has no attribute 'Trust'"),
        ("Trust = 3", "should be a class"),
        ("class Trust: pass", "lacks Settings, Memo, proves, begin, verify (aad.ports.Method)"),
        (GOOD.replace("async def verify", "async def check"), "lacks verify (aad.ports.Method)"),
        (
            GOOD.replace("Settings, Memo, proves = Settings, Memo", "Settings, Memo, proves = int, int"),
            "Settings should be a dataclass; Memo should be a dataclass",
        ),
        (GOOD.replace('option("", "Any.")', '""'), "Settings.word should be an option(...) of aad.core.settings"),
        (GOOD.replace("word: str", "word: set"), "Settings.word is of a type that aad.toml has no values for"),
        (GOOD.replace("word: str", "word: 'Nowhere'"), "NameError: name 'Nowhere' is not defined"),
    ],
)
def test_one_that_cannot_be_loaded_is_a_fault_that_names_it(
    bring: Bring, file: Path, capsys: pytest.CaptureFixture[str], code: str, why: str
) -> None:
    bring("a-bad-one", code)
    said = f"a_bad_one:Trust of a-bad-one: {why}"
    assert fault(file) == f'methods.trust.type: "trust" can\'t be loaded: {said}'
    assert main(["plugins"]) == 0
    assert f"  can't be loaded: {said}\n" in capsys.readouterr().out


def test_one_that_nobody_names_hurts_nobody(bring: Bring, file: Path) -> None:
    bring("a-bad-one", "raise RuntimeError", "[aad.methods]\nbroken = {module}:Trust\n[aad.senders]\nx = {module}:X")
    file.write_text(CONFIG.format(method='type = "password"'))
    assert not load(file, plugin_registry).warnings


def test_a_built_in_type_goes_before_a_package_s_and_says_so(
    bring: Bring, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bring("an-impostor", "raise RuntimeError", "[aad.methods]\npassword = {module}:Trust\n")
    file.write_text(CONFIG.format(method='type = "password"'))
    (warning,) = load(file, plugin_registry).warnings
    assert str(warning).endswith(
        'methods.trust.type: package an-impostor brings a "password" too, which isn\'t used: see aad plugins'
    )
    assert plugin_registry.plugin_class("methods", "password").__module__ == "aad.methods.password"
    both = rows(capsys)
    assert both["methods", "password", "aad"]["used"]
    assert not both["methods", "password", "an-impostor"]["used"]


def test_of_two_packages_the_first_by_name_is_used(bring: Bring, file: Path) -> None:
    bring("one", GOOD)
    bring("another", GOOD)
    (warning,) = load(file, plugin_registry).warnings
    assert 'package one brings a "trust" too' in str(warning)
    assert plugin_registry.plugin_class("methods", "trust").__module__ == "another"


def test_a_sender_must_be_one_that_can_be_entered(bring: Bring) -> None:
    bring("a-sender", GOOD, "[aad.senders]\ntrust = {module}:Trust")
    with pytest.raises(
        ImportError, match=r"lacks masked, usable, send, probe, __aenter__, __aexit__ .aad.ports.Sender"
    ):
        plugin_registry.plugin_class("senders", "trust")
