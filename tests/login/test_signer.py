"""What is kept counts for its span of time alone, and what others kept is told once."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from aad.core.secret import Secret
from aad.login.outages import QUIET, Outages
from aad.login.signer import AHEAD, OTHER_KEY, UNSIGNED, Signer


@dataclass
class Place:
    """A signer whose clock is set by hand, and what it told."""

    key: bytes = b"k" * 32
    time: float = 1000.0
    told: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.signer = Signer(Secret(self.key), lambda: self.time, lambda *what: self.told.append(what))

    def verified(self, kept: bytes, grace: float = 0.0) -> bytes | None:
        return self.signer.verified("login", b"ticket", kept, grace=grace)


@pytest.mark.parametrize(
    ("seconds", "grace", "counts"),
    [(0, 0, True), (9.9, 0, True), (10, 0, False), (10, 60, True), (69.9, 60, True), (70, 60, False), (1e9, 60, False)],
)
def test_it_counts_until_its_end_and_grace(seconds: float, grace: float, *, counts: bool) -> None:
    there = Place()
    kept = there.signer.sign("login", b"ticket", b"content", there.time + 10)
    there.time += seconds
    assert there.verified(kept, grace) == (b"content" if counts else None)
    assert not there.told, "it is ours"


@pytest.mark.parametrize(("seconds", "counts"), [(1.0, True), (AHEAD, True), (AHEAD + 1, False), (900.0, False)])
def test_of_the_time_before_the_clock_began_anew_it_does_not_count(seconds: float, *, counts: bool) -> None:
    """Else what was kept on a machine that had been up for a month would count a month after its next start."""
    there = Place()
    kept = there.signer.sign("login", b"ticket", b"content", there.time + 10)
    there.time -= seconds
    assert there.verified(kept) == (b"content" if counts else None)


def test_what_is_not_ours_is_told_with_what_is_wrong() -> None:
    there, other = Place(), Place(b"o" * 32)
    kept = other.signer.sign("login", b"ticket", b"content", 2000.0)
    assert there.verified(kept) is None
    assert there.verified(b"{}") is None
    assert there.signer.verified("login", "ticket", there.signer.sign("login", b"ticket", b"", 2e3)) == b"", "one name"
    assert there.signer.verified("session", b"ticket", there.signer.sign("login", b"ticket", b"", 2e3)) is None
    assert there.told == [("login", OTHER_KEY), ("login", UNSIGNED), ("session", OTHER_KEY)]


def test_one_outage_is_one_record() -> None:
    records: list[str] = []
    time = 0.0

    def record(name: str, /, **fields: object) -> None:
        records.append(f"{name}: {fields['reason']}")

    outages = Outages(record, lambda: time)
    for _ in range(1000):
        time += QUIET - 1
        outages.foreign("waiting login", OTHER_KEY)
        outages.foreign("portal session", OTHER_KEY)
    assert records == [f"store.foreign: a waiting login is {OTHER_KEY}"]
    outages.foreign("portal session", UNSIGNED)
    time += QUIET
    outages.foreign("portal session", OTHER_KEY)
    assert len(records) == 3
