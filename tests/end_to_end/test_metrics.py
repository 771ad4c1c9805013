"""What Prometheus sees of the real daemon."""

from __future__ import annotations

import contextlib
import socket
import sqlite3
from pathlib import Path

import pytest

from aad import __version__
from aad.radius.protocol.constants import ACCESS_ACCEPT, ACCESS_CHALLENGE, ACCESS_REJECT
from tests.parts.alice import RIGHT, code, state
from tests.parts.authority import Authority
from tests.parts.corp import Make, repository, sender
from tests.parts.daemon import Daemon
from tests.parts.directory import Directory
from tests.parts.mailbox import Mailbox
from tests.parts.ports import free_port
from tests.parts.raw import Raw, Request
from tests.parts.scrape import got, scraped
from tests.parts.waiting import until
from tests.parts.warm import aad

LOGINS = "aad_logins_total"
HERE = {"client": "gateway", "event": "vpn"}


def on(where: int | str) -> str:
    return f'[metrics]\nlisten = "{f"127.0.0.1:{where}" if isinstance(where, int) else f"unix:{where}"}"\n'


@pytest.fixture(params=["tcp", "unix"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> int | str:
    return free_port() if request.param == "tcp" else str(tmp_path / "metrics.sock")


def test_the_counts_are_what_was_done(make: Make, mailbox: Mailbox, where: int | str) -> None:
    daemon = make(on(where))
    first = scraped(where)
    assert first.value(LOGINS, outcome="accepted", **HERE) == 0
    assert first.value("aad_build_info", version=__version__) == 1
    with Raw(daemon.host, daemon.port) as client:
        asked = client.ask("alice", RIGHT)
        assert client.ask("alice", "000000", state(asked)).code == ACCESS_CHALLENGE
        request = Request("alice", RIGHT)  # begun again: no second mail
        for _ in range(3):
            client.send(request.octets)
            asked = request.reply(client.receive())
        assert client.ask("alice", code(mailbox), state(asked)).code == ACCESS_ACCEPT
        for number, name in enumerate(("bob", "bob", "bob", "bob", "nobody", "carol")):
            assert client.ask(name, "no address" if name == "carol" else f"wrong {number}").code == ACCESS_REJECT
        client.send(Request("alice", RIGHT, secret="not the secret of anybody").octets)
        until(lambda: daemon.records("request.discarded"))
        until(lambda: "aad_discarded_requests_total" in {sample.name for sample in scraped(where).samples})
    scrape = scraped(where)
    assert scrape.value(LOGINS, outcome="started", **HERE) == 8
    assert scrape.value(LOGINS, outcome="accepted", **HERE) == 1
    rejected = {s.labels["reason"]: s.value for s in scrape.samples if s.labels.get("outcome") == "rejected"}
    assert rejected == {
        "wrong password": 3,
        "locked out by wrong passwords": 1,
        "unknown user": 1,
        "no usable address": 1,
    }
    assert scrape.value("aad_challenges_total", **HERE) == 3
    verdicts = ("accepted", "refused", "expired")
    assert [scrape.value("aad_answers_total", proves="code", verdict=verdict) for verdict in verdicts] == [1, 1, 0]
    assert scrape.value("aad_lockouts_total", row="passwords", **HERE) == 1
    assert scrape.value("aad_mails_total", sender="mail", fate="sent") == 1
    assert scrape.value("aad_duplicates_total", fate="answered") == 2
    assert scrape.value("aad_discarded_requests_total", client="gateway", reason="wrong Message-Authenticator") == 1
    assert scrape.value("aad_step_seconds_count", step="challenge") == 3
    assert scrape.value("aad_step_seconds_count", step="mail") == 1
    assert (
        scrape.value("aad_step_seconds_sum", step="challenge") > scrape.value("aad_step_seconds_sum", step="mail") > 0
    )
    assert scrape.value("aad_challenges_waiting") == 0
    assert scrape.value("aad_faults_total") == scrape.value("aad_records_uncounted_total") == 0
    daemon.stop()
    assert not Path(str(where)).exists()


def test_a_back_end_that_is_gone_is_0_until_it_is_back(make: Make, directory: Directory, mailbox: Mailbox) -> None:
    port = free_port()
    daemon = make(on(port))

    def up(kind: str) -> float:
        return scraped(port).value("aad_back_end_up", kind=kind)

    def become(*wanted: float) -> bool:
        client.send(Request("alice", RIGHT).octets)
        client.silent(0.3)
        return [up(kind) for kind in kinds] == list(wanted)

    kinds = ("store", "repository", "server", "sender")
    with Raw(daemon.host, daemon.port) as client:
        assert [up(kind) for kind in kinds] == [1, 1, 1, 1]
        directory.stop()
        until(lambda: become(1, 0, 0, 1))
        assert scraped(port).value(LOGINS, outcome="unavailable", **HERE) >= 1
        directory.start()
        mailbox.stop()
        until(lambda: become(1, 1, 1, 0))
        mailbox.start()
        until(lambda: become(1, 1, 1, 1))
    assert scraped(port).value("aad_mails_total", sender="mail", fate="failed") >= 1
    assert got(port, "/-/healthy").status == 200  # the back ends are not aad


def test_what_waits_is_seen(make: Make, mailbox: Mailbox) -> None:
    port = free_port()
    daemon = make("connections = 1\n" + on(port), client='deadline = "20s"')
    mailbox.hold("data")
    with Raw(daemon.host, daemon.port) as client:
        for number in range(3):
            client.send(Request(f"user{number:02}", f"pw-{number:02}").octets)
        until(lambda: scraped(port).value("aad_mails_queued", sender="mail") == 2)
        assert scraped(port).value("aad_requests_at_work") == 3
        mailbox.release()
        for _ in range(3):
            client.receive()
        until(lambda: scraped(port).value("aad_mails_queued", sender="mail") == 0)
        assert scraped(port).value("aad_challenges_waiting") == 3


def test_strangers_names_make_no_series_and_rubbish_stops_nobody(make: Make) -> None:
    port = free_port()
    daemon = make(on(port))
    with Raw(daemon.host, daemon.port) as client, contextlib.ExitStack() as stack:
        client.ask("somebody", "wrong")
        before = scraped(port)
        slow = [stack.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(40)]
        for number, connection in enumerate(slow):
            with contextlib.suppress(ConnectionError):
                connection.sendall((b"GET /met", b"\0\xff" * 50, b"", b"\r\n\r\n")[number % 4])
        for number in range(100):
            client.send(Request(f"stranger{number}", "wrong").octets)
        for _ in range(100):
            client.receive()
        until(lambda: scraped(port).value(LOGINS, outcome="started") == 101)
        assert scraped(port).series == before.series
        assert client.ask("alice", RIGHT).code == ACCESS_CHALLENGE
    assert got(port, "/nothing").status == 404
    assert got(port, method="DELETE").status == 405


def test_a_reload_is_counted_and_new_clients_are_known(
    make: Make, directory: Directory, mailbox: Mailbox, authority: Authority
) -> None:
    port = free_port()
    daemon = make(on(port))
    with Raw(daemon.host, daemon.port) as client:
        client.ask("alice", RIGHT)
    began = scraped(port).value("aad_configuration_last_reload_timestamp_seconds")
    daemon.configure("[nonsense]\n[more]\n[of_it]")
    daemon.reload()
    until(lambda: scraped(port).value("aad_configuration_reloads_total", outcome="refused") == 1)
    assert scraped(port).value("aad_configuration_last_reload_successful") == 0
    other = '[clients.other]\nnetworks = ["192.0.2.1"]\nsecret = "the secret of another client"\nevent = "vpn"\n'
    daemon.configure(repository(directory) + sender(mailbox.port, authority) + other)
    daemon.reload()
    until(lambda: scraped(port).value("aad_configuration_reloads_total", outcome="loaded") == 1)
    scrape = scraped(port)  # at the old address: that changes at a restart
    assert scrape.value("aad_configuration_last_reload_successful") == 1
    assert scrape.value("aad_configuration_last_reload_timestamp_seconds") > began
    assert scrape.value(LOGINS, outcome="started", client="gateway") == 1
    assert scrape.value(LOGINS, outcome="started", client="other") == 0
    assert any(
        "metrics change at the next restart" in each["reason"] for each in daemon.records("configuration.warning")
    )


def test_a_store_that_can_t_be_written_is_unhealthy(daemon: Daemon, make: Make) -> None:
    port = free_port()
    other = make(on(port))
    assert got(port, "/-/healthy").body == b"fine\n"
    with contextlib.closing(sqlite3.connect(other.folder / "state.db", isolation_level=None)) as connection:
        connection.execute("DROP TABLE meta")
        until(lambda: got(port, "/-/healthy").status == 503)


def test_an_address_that_is_taken_and_one_that_isn_t_ours(daemon: Daemon, tmp_path: Path) -> None:
    port = free_port()
    file = tmp_path / "second.toml"
    file.touch(mode=0o600)
    text = daemon.file.read_text().replace("state.db", "other.db").replace(f":{daemon.port}", f":{free_port('udp')}")
    with socket.create_server(("127.0.0.1", port)):
        file.write_text(text + on(port))
        done = aad("serve", "-c", file)
    assert (done.returncode, "for metrics: Address already in use" in done.stderr) == (1, True), done.stderr
    assert "Traceback" not in done.stderr
