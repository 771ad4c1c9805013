"""Families of metrics -> the text format of Prometheus (exposition format, version 0.0.4). PURE.

By hand: prometheus_client takes five times as long for a line, during which no login goes on, its counters cost a login
three times what `counters` does, and it would be one more package to install. In the tests its parser reads this text.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_IN_HELP = str.maketrans({"\\": r"\\", "\n": r"\n"})
_IN_LABEL = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})


@dataclass(frozen=True)
class Family:
    """One name, and a value for each combination of labels. `kind`: "counter", "gauge" or "histogram".

    `values`: by the tuple of the labels' values; those of a histogram are each a `Series`.
    """

    name: str
    kind: str
    says: str
    labels: tuple[str, ...]
    values: Mapping[Any, Any]  # a tuple of a fixed length is another type to mypy

    def lines(self) -> Iterator[str]:
        """Yield its lines. The values are those at the first line."""
        yield f"# HELP {self.name} {self.says.translate(_IN_HELP)}\n"
        yield f"# TYPE {self.name} {self.kind}\n"
        for key, value in list(self.values.items()):
            labels = ",".join(map(_label, self.labels, key))
            if isinstance(value, Series):
                yield from value.lines(self.name, labels)
            else:
                yield f"{self.name}{{{labels}}} {number(value)}\n" if labels else f"{self.name} {number(value)}\n"


@dataclass(frozen=True)
class Series:
    """A histogram of one combination of labels: the count of each bucket (written cumulatively), and the sum."""

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    total: float

    def lines(self, name: str, labels: str) -> Iterator[str]:
        """Yield its lines, under the `name` of its family."""
        so_far = 0
        for bound, count in zip((*self.bounds, math.inf), self.counts, strict=True):
            so_far += count
            yield f'{name}_bucket{{{labels},le="{number(bound)}"}} {so_far}\n'
        yield f"{name}_sum{{{labels}}} {number(self.total)}\n"
        yield f"{name}_count{{{labels}}} {so_far}\n"


@lru_cache(maxsize=10_000)
def _label(name: str, value: str) -> str:
    return f'{name}="{value.translate(_IN_LABEL)}"'


def number(value: float) -> str:
    """Return a number as the format has it."""
    return "+Inf" if value == math.inf else repr(value + 0)  # a bool is a number too
