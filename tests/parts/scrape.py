"""What a monitoring system gets: GET over TCP or a unix socket, and the page read by Prometheus's own parser."""

from __future__ import annotations

import http.client
import socket
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families


class _Unix(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=30)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(10)
        self.sock.connect(self._path)


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    kind: str
    body: bytes


def got(where: int | str, path: str = "/metrics", method: str = "GET") -> Answer:
    """Ask a port of 127.0.0.1, or the unix socket of this path."""
    connection = _Unix(where) if isinstance(where, str) else http.client.HTTPConnection("127.0.0.1", where, timeout=30)
    try:
        connection.request(method, path)
        response = connection.getresponse()
        return Answer(response.status, response.getheader("Content-Type", ""), response.read())
    finally:
        connection.close()


class Scrape:
    """One page, read."""

    def __init__(self, text: str) -> None:
        self.families = list(text_string_to_metric_families(text))
        self.samples = [sample for family in self.families for sample in family.samples]

    @property
    def names(self) -> set[str]:
        """Every name that can be queried, also those that have no value yet."""
        return {sample.name for sample in self.samples} | {
            family.name + ("_total" if family.type == "counter" else "") for family in self.families
        }

    @property
    def series(self) -> set[tuple[str, frozenset[tuple[str, str]]]]:
        """Every name with its labels."""
        return {(sample.name, frozenset(sample.labels.items())) for sample in self.samples}

    def value(self, name: str, **labels: str) -> float:
        """Return the sum of what has these labels; KeyError: nothing has."""
        found = [s.value for s in self.samples if s.name == name and labels.items() <= s.labels.items()]
        if not found:
            raise KeyError(name, labels)
        return sum(found)


def scraped(where: int | str) -> Scrape:
    """Ask, and read what came."""
    answer = got(where)
    assert answer.status == 200, answer
    assert answer.kind.startswith("text/plain; version=0.0.4")
    return Scrape(answer.body.decode())
