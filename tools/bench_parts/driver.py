"""The load seen from the tool: its process, and orders given to it."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from tests.parts.part import Part
from tools.bench_parts.checkouts import HERE, CannotMeasureError
from tools.bench_parts.figures import Tally
from tools.bench_parts.load import Order

PATIENCE = 5.0  # seconds that it gets to end


class Driver(Part):
    """The process of the load."""

    def __init__(self, mail_port: int, mail_ms: float) -> None:
        """Have the mail server on a port, which takes its time for a mail."""
        self._command = [sys.executable, "-m", "tools.bench_parts.load", str(mail_port), str(mail_ms)]
        self._process: subprocess.Popen[str]

    def start(self) -> None:
        """Start it, and wait until it takes mail."""
        # A session of its own: Ctrl-C is for the tool alone, which ends everything in order.
        self._process = subprocess.Popen(
            self._command,
            cwd=HERE,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        self._said()

    def stop(self) -> None:
        """End it."""
        with contextlib.suppress(AttributeError):  # it was never started
            self._process.terminate()
            try:
                self._process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe:
                    with contextlib.suppress(BrokenPipeError):
                        pipe.close()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def run(self, order: Order, passing: Callable[[int], None]) -> Tally:
        """Have it done; `passing` is told now and then how many logins were accepted. CannotMeasureError."""
        assert self._process.stdin  # noqa: S101 - a pipe
        self._process.stdin.write(json.dumps(dataclasses.asdict(order)) + "\n")
        self._process.stdin.flush()
        while "tally" not in (said := self._said()):
            passing(said["accepted"])
        return Tally(**said["tally"])

    def _said(self) -> dict[str, Any]:
        assert self._process.stdout  # noqa: S101 - a pipe
        line = self._process.stdout.readline()
        if not line:
            message = f"the load ended with {self._process.wait()}"
            raise CannotMeasureError(message)
        said: dict[str, Any] = json.loads(line)
        return said
