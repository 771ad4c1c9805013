"""Counters that follow a small configuration, and the page that they come to."""

from __future__ import annotations

from typing import Any

from aad.metrics.counters import Counters, Names
from aad.metrics.families import families
from aad.metrics.gauges import Gauges, Reloads
from tests.parts.scrape import Scrape

BACK_ENDS = (("store", "store"), ("repository", "corp"), ("server", "ldaps://dc1"), ("sender", "mail"))


NAMES = Names(clients={"gw": "vpn"}, senders=("mail",), proofs=frozenset({"password", "code"}), back_ends=BACK_ENDS)


KNOWN: dict[str, Any] = {"login": "AB23CD", "user": "alice", "client": "gw", "login_event": "vpn"}


class Kept(list[tuple[str, dict[str, object]]]):
    """A `ports.Record` that keeps."""

    def __call__(self, name: str, /, **fields: object) -> None:
        self.append((name, fields))


def counting(kept: Kept | None = None) -> Counters:
    counts = Counters(Kept() if kept is None else kept)
    counts.follow(NAMES)
    return counts


def page(counts: Counters, waiting: int | None = 0, discarded: dict[tuple[str, str], int] | None = None) -> Scrape:
    moment = Gauges(
        waiting=waiting,
        queued={"mail": 3},
        at_work=1,
        discarded=discarded or {},
        answered_again=0,
        passed_over=0,
        records_dropped=0,
        records_queued=0,
        reloads=Reloads(last=1.0),
    )
    return Scrape("".join(line for family in families(counts, moment) for line in family.lines()))
