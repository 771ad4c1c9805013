"""The canary's report, as text, JSON, Nagios line or Prometheus metrics; and the exit status. PURE."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from aad.canary.login_run import LoginRun

OK, WARNING, CRITICAL, UNKNOWN = range(4)  # of the monitoring plugins' convention
_FINE, _FAILED, _UNAVAILABLE = 0, 1, 69  # those of all commands
_WORDS = {OK: "OK", WARNING: "WARNING", CRITICAL: "CRITICAL", UNKNOWN: "UNKNOWN"}
Limits = Mapping[str, float]
"""Step -> seconds above which it is slow; 0: never."""


def slow(run: LoginRun, limits: Limits) -> list[str]:
    """Return what took longer than it should, "mail 3.2s, over 2s"."""
    seconds = run.seconds
    return [
        f"{step} {seconds[step]:.3g}s, over {limit:g}s"
        for step, limit in limits.items()
        if limit and seconds.get(step, 0.0) > limit
    ]


def failure(run: LoginRun) -> str:
    """Return in one line which step failed, why, and how to search the daemon's log for it."""
    search = f"--login {run.reference}" if run.reference else f"--user {run.user}"
    seek = "" if run.failed_step == "mailbox" else f"; the daemon knows more: aad log {search}"
    return f"{run.failed_step}: {run.why}{seek}"


def status(run: LoginRun, form: str, limits: Limits) -> int:
    """Return the exit status: the usual one of commands, or with "nagios" that of monitoring plugins."""
    if form == "nagios":
        return CRITICAL if not run.accepted else WARNING if slow(run, limits) else OK
    if run.accepted:
        return _FINE
    return _UNAVAILABLE if run.unreachable else _FAILED


def report(run: LoginRun, form: str, limits: Limits, timeout: float, now: float) -> str:
    """Return the report in one of `FORMATS`. `now`: Unix seconds."""
    forms: dict[str, Callable[[], str]] = {
        "text": lambda: _text(run),
        "json": lambda: _json(run, limits),
        "nagios": lambda: _nagios(run, limits, timeout),
        "prometheus": lambda: _prometheus(run, now),
    }
    return forms[form]()


def unknown(why: str) -> str:
    """Return the Nagios line for wrong options or a wrong file."""
    return f"AAD CANARY UNKNOWN - {_plain(why)}\n"


def _text(run: LoginRun) -> str:
    remarks = {"password": f"challenged: {run.prompt}", "mail": "arrived", "code": "accepted"}
    lines = [f"{step:9}{seconds:7.3f} s  {remarks.get(step, '')}".rstrip() for step, seconds in run.seconds.items()]
    return "".join(f"{line}\n" for line in lines)


def _json(run: LoginRun, limits: Limits) -> str:
    fields = {
        "accepted": run.accepted,
        "user": run.user,
        "reference": run.reference or None,
        "failed_step": run.failed_step or None,
        "reason": run.why or None,
        "slow": slow(run, limits),
        "seconds": {step: round(seconds, 6) for step, seconds in run.seconds.items()},
    }
    return json.dumps(fields, ensure_ascii=False) + "\n"


def _nagios(run: LoginRun, limits: Limits, timeout: float) -> str:
    """Return the line of the Monitoring Plugins guidelines: text | label=value;warning;critical;minimum."""
    number = status(run, "nagios", limits)
    words = failure(run)
    if run.accepted:
        ref = f" (ref {run.reference})" if run.reference else ""
        words = "; ".join([f"{run.user} accepted in {run.seconds['total']:.3f}s{ref}", *slow(run, limits)])
    warn, ends = {step: f"{limit:g}" for step, limit in limits.items() if limit}, {"total": f"{timeout:g}"}
    figures = [
        f"{step}={seconds:.3f}s;{warn.get(step, '')};{ends.get(step, '')};0"
        for step, seconds in reversed(run.seconds.items())
    ]
    line = f"AAD CANARY {_WORDS[number]} - {_plain(words)}"
    return f"{line} | {' '.join(figures)}\n" if figures else f"{line}\n"


def _prometheus(run: LoginRun, now: float) -> str:
    """Return the metrics for node_exporter's textfile collector."""
    user = run.user.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
    lines = [
        "# HELP aad_canary_accepted Whether the canary's last login was accepted.",
        "# TYPE aad_canary_accepted gauge",
        f'aad_canary_accepted{{user="{user}"}} {int(run.accepted)}',
        "# HELP aad_canary_last_run_timestamp_seconds When that was.",
        "# TYPE aad_canary_last_run_timestamp_seconds gauge",
        f'aad_canary_last_run_timestamp_seconds{{user="{user}"}} {now:.0f}',
        "# HELP aad_canary_seconds How long each step of it took, and the whole.",
        "# TYPE aad_canary_seconds gauge",
        *(f'aad_canary_seconds{{user="{user}",step="{step}"}} {took:.6f}' for step, took in run.seconds.items()),
    ]
    return "\n".join(lines) + "\n"


def _plain(words: str) -> str:
    """Replace the characters that end a plugin's text."""
    return words.replace("|", "/").replace("\n", " ")
