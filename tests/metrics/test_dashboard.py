"""The dashboard and the alerts ask for nothing that the daemon doesn't export."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aad.core.outcome import Reason
from tests.parts.counting import KNOWN, counting, page
from tests.parts.scrape import Scrape

CONF = Path(__file__).parent.parent.parent / "conf"
DASHBOARD = json.loads((CONF / "grafana-dashboard.json").read_text("utf-8"))
RULES = (CONF / "prometheus-rules.yml").read_text("utf-8")
NAME = re.compile(r"\b(?:aad|process)_[a-z_]+\b")
SELECTOR = re.compile(r"\b((?:aad|process)_[a-z_]+)\{([^}]*)\}")
MATCHER = re.compile(r'(\w+)(=~|!=|=)"([^"]*)"')
ADDED = {"instance", "job"}  # by Prometheus


def queries(tree: Any) -> Iterator[str]:
    """Yield every query of a dashboard, wherever it stands."""
    if isinstance(tree, dict):
        yield from (said for key, said in tree.items() if key in {"expr", "definition"} and isinstance(said, str))
    for below in tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ():
        yield from queries(below)


def alerts() -> list[str]:
    """Return the expressions of the rules; a folded one goes on in the lines that are further in."""
    return [
        " ".join(found[1].removeprefix(">-").split())
        for found in re.finditer(r"\n {8}expr: (.*(?:\n {10,}.*)*)", RULES)
    ]


ASKED = sorted({*queries(DASHBOARD), *alerts()})


@pytest.fixture(scope="module")
def exported() -> Scrape:
    counts = counting()
    counts("login.rejected", **KNOWN, reason=Reason.WRONG_PASSWORD, ms=1.0)
    return page(counts, discarded={("gw", "wrong"): 1})


def test_all_of_them_are_looked_at() -> None:
    assert len(alerts()) == RULES.count("- alert:") > 5
    assert len(list(queries(DASHBOARD))) > len(DASHBOARD["panels"])


@pytest.mark.parametrize("query", ASKED)
def test_every_metric_is_exported(query: str, exported: Scrape) -> None:
    asked = set(NAME.findall(query))
    assert asked
    assert asked - exported.names == set()


@pytest.mark.parametrize("query", [query for query in ASKED if SELECTOR.search(query)])
def test_every_label_and_value_is_exported(query: str, exported: Scrape) -> None:
    for name, matchers in SELECTOR.findall(query):
        of_it = [sample.labels for sample in exported.samples if sample.name == name]
        for label, how, wanted in MATCHER.findall(matchers):
            assert label in ADDED or all(label in labels for labels in of_it), f"{name} has no label {label}"
            if "$" not in wanted:
                words = wanted.split("|") if how == "=~" else [wanted]
                assert set(words) <= {labels[label] for labels in of_it}, f"{name}: {wanted}"


def test_every_panel_has_a_place_of_its_own_and_says_what_it_is() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        assert panel["title"]
        assert panel["description"]
        at = panel["gridPos"]
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert not cells & taken
        assert max(x for x, _ in cells) < 24
        taken |= cells
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))
