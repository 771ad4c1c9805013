"""What is said of a flight, to a reader, a program or a monitoring system; and the exit status."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from aad.canary.login_run import LoginRun

OK, WARNING, CRITICAL, UNKNOWN = range(4)  # of the monitoring plugins' convention
_FINE, _FAILED, _UNAVAILABLE = 0, 1, 69  # of the house
_WORDS = {OK: "OK", WARNING: "WARNING", CRITICAL: "CRITICAL", UNKNOWN: "UNKNOWN"}
Limits = Mapping[str, float]
"""Step -> the seconds from which on it is slow; 0: never."""


def slow(flight: LoginRun, limits: Limits) -> list[str]:
    """Return what took longer than it should, "mail 3.2s, over 2s"."""
    seconds = flight.seconds
    return [
        f"{step} {seconds[step]:.3g}s, over {limit:g}s"
        for step, limit in limits.items()
        if limit and seconds.get(step, 0.0) > limit
    ]


def failure(flight: LoginRun) -> str:
    """Say in one line which step went wrong, why, and how the daemon's log is asked about it."""
    search = f"--login {flight.reference}" if flight.reference else f"--user {flight.user}"
    seek = "" if flight.fell_at == "mailbox" else f"; the daemon knows more: aad log {search}"
    return f"{flight.fell_at}: {flight.why}{seek}"


def status(flight: LoginRun, form: str, limits: Limits) -> int:
    """Return the exit status: the house's, or with nagios the plugins'."""
    if form == "nagios":
        return CRITICAL if not flight.accepted else WARNING if slow(flight, limits) else OK
    if flight.accepted:
        return _FINE
    return _UNAVAILABLE if flight.unreachable else _FAILED


def report(flight: LoginRun, form: str, limits: Limits, timeout: float, now: float) -> str:
    """Write it in one of `FORMATS`. `now`: Unix seconds."""
    forms: dict[str, Callable[[], str]] = {
        "text": lambda: _text(flight),
        "json": lambda: _json(flight, limits),
        "nagios": lambda: _nagios(flight, limits, timeout),
        "prometheus": lambda: _prometheus(flight, now),
    }
    return forms[form]()


def unknown(why: str) -> str:
    """Write the plugin's line for a login that couldn't even be tried."""
    return f"AAD CANARY UNKNOWN - {_plain(why)}\n"


def _text(flight: LoginRun) -> str:
    said = {"password": f"challenged: {flight.prompt}", "mail": "arrived", "code": "accepted"}
    lines = [f"{step:9}{seconds:7.3f} s  {said.get(step, '')}".rstrip() for step, seconds in flight.seconds.items()]
    return "".join(f"{line}\n" for line in lines)


def _json(flight: LoginRun, limits: Limits) -> str:
    said = {
        "accepted": flight.accepted,
        "user": flight.user,
        "reference": flight.reference or None,
        "failed_step": flight.fell_at or None,
        "reason": flight.why or None,
        "slow": slow(flight, limits),
        "seconds": {step: round(seconds, 6) for step, seconds in flight.seconds.items()},
    }
    return json.dumps(said, ensure_ascii=False) + "\n"


def _nagios(flight: LoginRun, limits: Limits, timeout: float) -> str:
    """Write the line of the plugins' guidelines: words, then after | the figures: value;warning;critical;least."""
    number = status(flight, "nagios", limits)
    words = failure(flight)
    if flight.accepted:
        ref = f" (ref {flight.reference})" if flight.reference else ""
        words = "; ".join([f"{flight.user} accepted in {flight.seconds['total']:.3f}s{ref}", *slow(flight, limits)])
    warn, ends = {step: f"{limit:g}" for step, limit in limits.items() if limit}, {"total": f"{timeout:g}"}
    figures = [
        f"{step}={seconds:.3f}s;{warn.get(step, '')};{ends.get(step, '')};0"
        for step, seconds in reversed(flight.seconds.items())
    ]
    line = f"AAD CANARY {_WORDS[number]} - {_plain(words)}"
    return f"{line} | {' '.join(figures)}\n" if figures else f"{line}\n"


def _prometheus(flight: LoginRun, now: float) -> str:
    """Write what node_exporter's textfile collector reads."""
    user = flight.user.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
    lines = [
        "# HELP aad_canary_accepted Whether the canary's last login was accepted.",
        "# TYPE aad_canary_accepted gauge",
        f'aad_canary_accepted{{user="{user}"}} {int(flight.accepted)}',
        "# HELP aad_canary_last_run_timestamp_seconds When that was.",
        "# TYPE aad_canary_last_run_timestamp_seconds gauge",
        f'aad_canary_last_run_timestamp_seconds{{user="{user}"}} {now:.0f}',
        "# HELP aad_canary_seconds How long each step of it took, and the whole.",
        "# TYPE aad_canary_seconds gauge",
        *(f'aad_canary_seconds{{user="{user}",step="{step}"}} {took:.6f}' for step, took in flight.seconds.items()),
    ]
    return "\n".join(lines) + "\n"


def _plain(words: str) -> str:
    """Keep what would end a plugin's words out of them."""
    return words.replace("|", "/").replace("\n", " ")
