"""[store] with type = "valkey": what is right is understood, what is wrong is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from aad.core.secret import Secret
from aad.stores.valkey.settings import Target, ValkeySettings
from tests.parts.configuration import SMALLEST, faults, loaded


@pytest.mark.parametrize(
    ("url", "route"),
    [
        ("valkey://h", Target(host="h")),
        ("redis://h:1/2", Target(host="h", port=1, database=2)),
        ("valkeys://h:1", Target(host="h", port=1, tls=True)),
        ("rediss://[::1]:1/3", Target(host="::1", port=1, database=3, tls=True)),
        ("unix:///run/v.sock", Target(path="/run/v.sock")),
        ("unix:///run/v.sock?db=4", Target(path="/run/v.sock", database=4)),
    ],
)
def test_the_url_says_the_way(url: str, route: Target) -> None:
    settings = ValkeySettings(url=url)
    assert list(settings.faults()) == []
    assert settings.route() == route


@pytest.mark.parametrize(
    "url", ["", "h:6379", "http://h", "valkey://", "valkey://h/x", "valkey://h:99999", "valkey://h?x=1", "unix://run/v"]
)
def test_another_url_is_a_fault(url: str) -> None:
    assert [key for key, _ in ValkeySettings(url=url).faults()] == ["url"]


def test_a_password_in_the_url_is_a_fault() -> None:
    ((key, what),) = ValkeySettings(url="valkey://:hunter2@h").faults()
    assert key == "url"
    assert "hunter2" not in what


@pytest.mark.parametrize(
    ("given", "key"),
    [
        ({"ca_file": Path(__file__)}, "ca_file"),
        ({"url": "valkeys://h", "ca_file": Path("/nowhere")}, "ca_file"),
        ({"sentinels": ("s1:26379", "a/b")}, "sentinels.[1]"),
        ({"url": "unix:///v.sock", "sentinels": ("s1",)}, "sentinels"),
        ({"prefix": ""}, "prefix"),
    ],
)
def test_what_does_not_fit_is_a_fault(given: dict[str, object], key: str) -> None:
    settings = ValkeySettings(**given)  # type: ignore[arg-type]
    assert [fault for fault, _ in settings.faults()] == [key]


def test_sentinels_are_asked_at_their_port() -> None:
    settings = ValkeySettings(url="valkey://mymaster/0", sentinels=("s1", "s2:1"), sentinel_password=Secret("p"))
    assert settings.route().sentinels == (("s1", 26379), ("s2", 1))
    assert str(settings.route()) == "service mymaster"


def test_only_what_others_could_read_is_warned_of() -> None:
    assert list(ValkeySettings().warnings()) == []
    assert list(ValkeySettings(url="valkeys://h").warnings()) == []
    assert [key for key, _ in ValkeySettings(url="valkey://h").warnings()] == ["url"]


def test_a_shared_store_needs_the_installations_key(tmp_path: Path) -> None:
    missing = "store.key: missing: nodes that share a store have the same key"
    assert [fault.startswith(missing) for fault in faults(tmp_path, SMALLEST + '[store]\ntype = "valkey"\n')] == [True]
    config = loaded(tmp_path, SMALLEST + '[store]\ntype = "valkey"\nkey = "0123456789abcdef"\n')
    assert config.key == Secret("0123456789abcdef")
