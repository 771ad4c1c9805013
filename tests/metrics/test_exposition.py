"""Whatever a label holds, Prometheus's own parser reads back what was written."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from aad.metrics.exposition import Family, Series, number
from tests.parts.scrape import Scrape

words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"))


@given(
    one=words,
    two=words,
    says=words,
    value=st.floats(min_value=0, allow_nan=False) | st.integers(0, 2**53) | st.booleans(),
)
def test_labels_and_values_are_read_back(one: str, two: str, says: str, value: float) -> None:
    text = "".join(Family("aad_x", "gauge", says, ("one", "two"), {(one, two): value}).lines())
    (sample,) = Scrape(text).samples
    assert (sample.name, sample.labels, sample.value) == ("aad_x", {"one": one, "two": two}, value)


def test_a_histogram_is_read_back() -> None:
    family = Family("aad_t", "histogram", "x", ("step",), {("mail",): Series((0.1, 1.0), (2, 0, 1), 5.25)})
    scrape = Scrape("".join(family.lines()))
    assert [scrape.value("aad_t_bucket", le=le) for le in ("0.1", "1.0", "+Inf")] == [2, 2, 3]
    assert (scrape.value("aad_t_sum"), scrape.value("aad_t_count")) == (5.25, 3)


def test_numbers() -> None:
    assert [number(value) for value in (True, 0, 2.5, math.inf)] == ["1", "0", "2.5", "+Inf"]
