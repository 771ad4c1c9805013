"""Counters and gauges -> the families of metrics, with the names that dashboards rely on."""

from __future__ import annotations

import os
import platform
import resource
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache
from math import inf
from pathlib import Path
from typing import Any

from aad import __version__
from aad.metrics.counters import BUCKETS, Counters
from aad.metrics.exposition import Family, Series
from aad.metrics.gauges import Gauges

_TICK = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_SELF = Path("/proc/self")
_CLIENT_EVENT = ("client", "event")


def families(counts: Counters, gauges: Gauges) -> Iterator[Family]:
    """Yield all families."""
    yield from _conversation(counts)
    yield from _back_ends(counts, gauges)
    yield from _radius(gauges)
    yield from _daemon(counts, gauges)
    yield from _process()


def _conversation(counts: Counters) -> Iterator[Family]:
    yield _counter(
        "aad_logins_total",
        "Logins by outcome: started, accepted, rejected (and why), unavailable (neither: a back end).",
        counts.logins,
        "outcome",
        "reason",
        *_CLIENT_EVENT,
    )
    yield _counter("aad_challenges_total", "Times that a user was asked for a code.", counts.challenges, *_CLIENT_EVENT)
    yield _counter(
        "aad_answers_total", "What users gave, by what it should prove.", counts.answers, "proves", "verdict"
    )
    yield _counter(
        "aad_lockouts_total", "Users locked out, by the row of failures.", counts.lockouts, "row", *_CLIENT_EVENT
    )
    yield _counter(
        "aad_sessions_total", "Sessions, as NASes account for them (RFC 2866).", counts.sessions, "what", *_CLIENT_EVENT
    )
    yield _counter(
        "aad_mails_total",
        "Mails by fate; queued: not taken in time, its fate follows; refused: over a limit, given to no sender.",
        counts.mails,
        "sender",
        "fate",
    )
    yield Family(
        "aad_step_seconds",
        "histogram",
        "Password and mail, as the back end took; challenge, accept, reject: from request to reply.",
        ("step",),
        {(step,): Series(BUCKETS, tuple(times.counts), times.total) for step, times in counts.times.items()},
    )


def _back_ends(counts: Counters, gauges: Gauges) -> Iterator[Family]:
    up = dict(counts.up)
    if gauges.waiting is None:
        up["store", "store"] = False
    else:
        yield _gauge("aad_challenges_waiting", "Logins that wait for an answer.", gauges.waiting)
    says = "1: works, 0: out of order, as the last use of it showed."
    yield Family("aad_back_end_up", "gauge", says, ("kind", "name"), up)
    queued = {(name,): count for name, count in gauges.queued.items()}
    yield Family("aad_mails_queued", "gauge", "Mails that wait for a connection of their sender.", ("sender",), queued)


def _radius(gauges: Gauges) -> Iterator[Family]:
    discarded: Counter[tuple[str, str]] = Counter()
    for (client, reason), count in gauges.discarded.items():
        discarded[client, brief(reason)] += count
    yield _gauge("aad_requests_at_work", "Requests that have no reply yet.", gauges.at_work)
    yield _counter(
        "aad_discarded_requests_total",
        "Requests that got no reply on purpose; no client: from an unknown address.",
        discarded,
        "client",
        "reason",
    )
    yield _counter(
        "aad_duplicates_total",
        "The same octets again: answered with the same reply, or passed over while at work.",
        {("answered",): gauges.answered_again, ("passed over",): gauges.passed_over},
        "fate",
    )


def _daemon(counts: Counters, gauges: Gauges) -> Iterator[Family]:
    reloads = gauges.reloads
    yield _counter("aad_faults_total", "Faults of aad itself.", {(): counts.faults})
    yield _counter("aad_records_dropped_total", "Records of the log that were lost.", {(): gauges.records_dropped})
    yield _counter("aad_records_uncounted_total", "Records that nobody can count.", {(): counts.uncounted})
    yield _gauge("aad_records_queued", "Records that wait to be written.", gauges.records_queued)
    outcomes = {("loaded",): reloads.loaded, ("refused",): reloads.refused}
    yield _counter("aad_configuration_reloads_total", "Reloads by outcome.", outcomes, "outcome")
    yield _gauge("aad_configuration_last_reload_successful", "0: the last one was refused.", reloads.successful)
    yield _gauge("aad_configuration_last_reload_timestamp_seconds", "When that was, or the start.", reloads.last)
    build = {(__version__, platform.python_version()): 1}
    yield Family("aad_build_info", "gauge", "What runs.", ("version", "python"), build)


def _process() -> Iterator[Family]:
    """Yield CPU, memory and files of the process, under the names that every dashboard knows.

    All of it out of /proc/self: a unit with ProcSubset=pid hides /proc/stat, where the boot time would be.
    """
    fields = (_SELF / "stat").read_text().rpartition(")")[2].split()
    listed = sum(1 for _ in (_SELF / "fd").iterdir()) - 1  # without the one that the listing needs
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    cpu = (int(fields[11]) + int(fields[12])) / _TICK
    yield _counter("process_cpu_seconds_total", "User and system time.", {(): cpu})
    yield _gauge("process_resident_memory_bytes", "Memory in use.", int(fields[21]) * _PAGE)
    yield _gauge("process_virtual_memory_bytes", "Memory mapped.", int(fields[20]))
    yield _gauge("process_open_fds", "Open file descriptors.", listed)
    yield _gauge("process_max_fds", "Of them, at most.", inf if most == resource.RLIM_INFINITY else most)
    yield _gauge("process_start_time_seconds", "When it started.", _began(int(fields[19])))


@cache
def _began(ticks: int) -> float:
    """Return the Unix time of so many ticks after the boot. Cached: another value would be taken for a restart."""
    return round(time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) + ticks / _TICK, 2)


def brief(reason: str) -> str:
    """Return the first part of a reason, up to a colon or comma: what follows may hold a stranger's words."""
    return reason.partition(":")[0].partition(",")[0]


def _counter(name: str, says: str, values: Mapping[Any, float], *labels: str) -> Family:
    return Family(name, "counter", says, labels, values)


def _gauge(name: str, says: str, value: float) -> Family:
    return Family(name, "gauge", says, (), {(): value})
