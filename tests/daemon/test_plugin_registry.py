"""Plugins of other packages: found by entry points, compared with their port, named where they fail."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from aad import abilities, ports
from aad.cli import main
from aad.config import ConfigError, load
from aad.daemon import plugin_registry
from aad.guard import conformance

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
KEY = '    word: str = option("", "Any.")\n'
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
            assert not list(conformance.faults(kind, plugin_registry.plugin_class(kind, name))), name


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


def with_(member: str) -> str:
    return f"{GOOD}    {member}\n"


def with_settings(member: str) -> str:
    return GOOD.replace(KEY, f"{KEY}    {member}\n")


@pytest.mark.parametrize(
    ("code", "why"),
    [
        (with_("def forseen(self, login, now): pass"), "forseen: did you mean foreseen (aad.ports.ForeseesChallenge)?"),
        (with_("def foresee(self, login, now): pass"), "foresee: did you mean foreseen (aad.ports.ForeseesChallenge)?"),
        (with_("async def redy(self, user): pass"), "redy: did you mean ready (aad.ports.Enrollable)?"),
        (with_("ask_repository = True"), "ask_repository: did you mean asks_repository (aad.ports.AsksRepository)?"),
        (
            with_settings('adress_attribute: str = option("", "Any.")'),
            "Settings.adress_attribute: did you mean address_attribute (aad.ports.ChoosesAddress)?",
        ),
        (
            with_settings("def prompst(self): return {}"),
            "Settings.prompst: did you mean prompts (aad.ports.Prompts)?",
        ),
        (
            GOOD.replace("async def verify", "async def verfy"),
            "lacks verify (aad.ports.Method); verfy: did you mean verify (aad.ports.Method)?",
        ),
        (
            with_("def foreseen(self, login): pass"),
            "foreseen should take (login, now) and takes (login) (aad.ports.ForeseesChallenge)",
        ),
        (
            GOOD.replace("memo, answer, now, deadline", "memo, answer, deadline, now"),
            (
                "verify should take (login, memo, answer, now, deadline) "
                "and takes (login, memo, answer, deadline, now) (aad.ports.Method)"
            ),
        ),
        (
            with_("async def ready(self, user, more): pass"),
            "ready should take (user) and takes (user, more) (aad.ports.Enrollable)",
        ),
        (with_("def ready(self, user): return True"), "ready should be async (aad.ports.Enrollable)"),
        (
            with_("async def foreseen(self, login, now): pass"),
            "foreseen should not be async (aad.ports.ForeseesChallenge)",
        ),
        (with_("ready = True"), "ready should be a function (aad.ports.Enrollable)"),
        (
            with_("def asks_repository(self): return True"),
            "asks_repository should be a value, and is a function (aad.ports.AsksRepository)",
        ),
        (
            with_("asks_repository = property(lambda self: False)"),
            "asks_repository should be a value of the class (aad.ports.AsksRepository)",
        ),
        (with_('asks_repository = "yes"'), "asks_repository should be bool (aad.ports.AsksRepository)"),
        (
            with_settings('senders: str = option("", "Any.")'),
            "Settings.senders should be tuple[str, ...] (aad.ports.UsesSenders)",
        ),
        (
            with_settings("@property\n    def reads(self) -> str: return ''"),
            "Settings.reads should be tuple[str, ...] (aad.ports.ReadsAttributes)",
        ),
        (
            with_settings('address_attribute: str = option("", "Any.")'),
            "Settings.address_attribute needs senders beside it (aad.ports.ChoosesAddress)",
        ),
        (
            with_settings("def faults(self, more): pass"),
            "Settings.faults should take () and takes (more) (aad.ports.FindsFaults)",
        ),
    ],
)
def test_an_ability_that_is_misspelt_or_half_there_is_a_fault(bring: Bring, code: str, why: str) -> None:
    bring("a-bad-one", code)
    with pytest.raises(ImportError) as error:
        plugin_registry.plugin_class("methods", "trust")
    assert str(error.value) == f"a_bad_one:Trust of a-bad-one: {why}"


@pytest.mark.parametrize(
    "code",
    [
        with_("def foreseen(self, login, now, more=None): pass"),
        with_("def foreseen(self, *given): pass"),
        with_("async def ready(*arguments, **named): return True"),
        with_("def foreseen(self, _login, _now): pass"),
        with_("foreseen = staticmethod(lambda login, now: None)"),
        with_("foreseen = classmethod(lambda cls, login, now: None)"),
        with_("async def ready(self, user): return True"),
        with_("accepts_appended_code = property(lambda self: True)"),
        with_("def _forseen(self): pass"),
        with_("async def read(self, login, answer): pass"),
        with_("def already(self): pass\n    foresees = 3"),
        with_settings('prompt: str = option("", "Any.")'),
        with_settings('prompt: str = option("", "Any.")\n    def prompts(self): return {}'),
        with_settings('server: str = option("", "Any.")\n    threads: int = option(1, "Any.")'),
        with_settings('send_after: int = option(1, "Any.")\n    def defaults(self): pass'),
        with_settings('senders: tuple[str, ...] = option((), "Any.")'),
        with_settings('period: int = option(1, "Any.")'),
        with_settings("@property\n    def reads(self): return ()"),
    ],
)
def test_names_and_parameters_of_its_own_are_a_plugin_s_to_choose(bring: Bring, code: str) -> None:
    bring("a-good-one", code)
    assert plugin_registry.plugin_class("methods", "trust").__name__ == "Trust"


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


def test_the_document_for_authors_names_each_ability_and_its_members() -> None:
    text = (Path(__file__).parents[2] / "docs" / "plugins.md").read_text("utf-8")
    rows = [line for line in text.splitlines() if line.startswith("|")]
    for table in (abilities.OF_PLUGINS, abilities.OF_SETTINGS):
        for ability in (each for kind in table.values() for each in kind):
            (row,) = [line for line in rows if f"| `{ability.__name__}` |" in line]
            assert getattr(ports, ability.__name__) is ability
            assert [one.name for one in conformance._members(ability) if one.name not in row] == []
