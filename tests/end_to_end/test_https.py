"""A website logs its users in over HTTPS: as safe as a login by RADIUS (the numbers are those of the requirements)."""

from __future__ import annotations

import json
import re
import signal
import socket
import ssl
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from aad.radius.protocol.constants import ACCESS_CHALLENGE, ACCESS_REJECT
from tests.parts.authority import Authority, Certificate
from tests.parts.corp import Make
from tests.parts.daemon import Daemon
from tests.parts.directory import Directory
from tests.parts.mailbox import Mailbox, code_in
from tests.parts.ports import free_port
from tests.parts.raw import Raw
from tests.parts.stopwatch import Stopwatch
from tests.parts.waiting import until
from tests.parts.website import KEY, OTHER_KEY, Website, exchange, hashed, head

RIGHT = "correct horse"


Start = Callable[..., "Site"]


@dataclass
class Site:
    daemon: Daemon
    website: Website
    other: Website
    certificate: Certificate


@pytest.fixture
def start(make: Make, authority: Authority, mailbox: Mailbox) -> Start:
    def started(rest: str = "", more: str = "", delay: str = "50ms") -> Site:
        port, certificate = free_port(), authority.certificate()
        daemon = make(rest, head=head(port, certificate, more).replace('"50ms"', f'"{delay}"'))
        return Site(daemon, Website(port, authority), Website(port, authority, OTHER_KEY), certificate)

    return started


@pytest.fixture
def site(start: Start) -> Site:
    return start()


def code(mailbox: Mailbox, count: int = 1) -> str:
    return code_in(mailbox.wait("alice@example.com", count))


def test_a_login_from_password_to_accepted(site: Site, mailbox: Mailbox) -> None:
    asked = site.website.login("Alice", RIGHT)
    assert (asked.status, asked.result) == (200, "challenge")
    assert "a***@e***.com" in asked.document["prompt"]
    assert asked.document["values"]["recipient"] == "a***@e***.com"
    assert 100 <= asked.document["expires_in"] <= 120
    accepted = site.website.answer(asked.document["login"], code(mailbox))
    assert accepted.document == {
        "result": "accepted",
        "reference": site.daemon.records("login.accepted")[0]["login"],
        "event": "vpn",
        "user": {"name": "alice", "repository": "corp", "groups": []},
    }
    (record,) = site.daemon.records("login.accepted")
    assert (record["client"], record["login_event"], record["user"]) == ("shop", "vpn", "alice")


def test_a_stranger_learns_nothing(site: Site) -> None:
    """29: unknown, wrong password, locked, no address: the same body."""
    said = [
        site.website.login(*who)
        for who in (("nobody", "x"), ("alice", "x"), ("carol", "no address"), ("twin", "first"))
    ]
    said += [site.website.login("alice", f"x{number}") for number in range(3)]  # and locked at the end
    assert {(each.status, each.body) for each in said} == {(200, b'{"result": "refused", "message": "Login failed."}')}
    assert [record["reason"] for record in site.daemon.records("login.rejected")][-1] == "locked out by wrong passwords"


def test_a_refusal_leaves_late(start: Start) -> None:
    """29: at least the delay from receipt, whatever the reason."""
    site = start(delay="400ms")
    for name, password in (("nobody", "x"), ("alice", "x"), ("al\nice", "x")):
        began = time.monotonic()
        assert site.website.login(name, password).result == "refused"
        assert time.monotonic() - began >= 0.4
    began = time.monotonic()
    assert site.website.answer("rubbish", "123456").result == "refused"
    assert time.monotonic() - began >= 0.4


def test_an_empty_password_never_gets_in(site: Site, mailbox: Mailbox) -> None:
    """1."""
    assert site.website.login("alice", "").result == "refused"
    assert site.website.login("alice", "\0\0").result == "refused"
    assert site.website.post("/v1/logins", {"name": "alice"}).result == "refused"
    assert not mailbox.messages


def test_of_many_answers_one_gets_in(site: Site, mailbox: Mailbox) -> None:
    """6."""
    login = site.website.login("alice", RIGHT).document["login"]
    right = code(mailbox)
    with ThreadPoolExecutor(20) as pool:
        results = list(pool.map(lambda _: site.website.answer(login, right).result, range(20)))
    assert sorted(results) == ["accepted", *["refused"] * 19]


def test_a_challenge_belongs_to_its_key(site: Site, mailbox: Mailbox) -> None:
    """7: another website can't answer it, and can't end it either."""
    login = site.website.login("alice", RIGHT).document["login"]
    right = code(mailbox)
    assert site.other.answer(login, right).result == "refused"
    assert site.website.answer(login, right).result == "accepted"
    assert site.website.answer(login, right).result == "refused"


def test_a_challenge_can_not_be_altered_or_taken_to_radius(site: Site, mailbox: Mailbox) -> None:
    login = site.website.login("alice", RIGHT).document["login"]
    right = code(mailbox)
    for altered in (login[:-2], login[:40] + ("A" if login[40] != "A" else "B") + login[41:], "", "\u00e9", "=" * 9):
        assert site.website.answer(altered, right).result in {"refused", "wrong-shape"}
    with Raw(site.daemon.host, site.daemon.port) as client:
        assert client.ask("alice", right, (24, login.encode()[:64])).code == ACCESS_REJECT
    assert site.website.answer(login, right).result == "accepted"


def test_the_lockout_is_shared_with_radius(site: Site) -> None:
    """8: who guesses here is locked out there."""
    for number in range(2):
        site.website.login("alice", f"guess {number}")
    with Raw(site.daemon.host, site.daemon.port) as client:
        assert client.ask("alice", "guess").code == ACCESS_REJECT
        assert client.ask("alice", RIGHT).code == ACCESS_REJECT
    assert site.website.login("alice", RIGHT).result == "refused"
    assert [record["user"] for record in site.daemon.records("user.locked")] == ["alice"]


def test_the_budget_of_mails_is_shared_with_radius(start: Start, mailbox: Mailbox) -> None:
    """25."""
    site = start('[limits]\nmails_per_user = "1 per 10m"\n')
    with Raw(site.daemon.host, site.daemon.port) as client:
        assert client.ask("alice", RIGHT).code == ACCESS_CHALLENGE
    assert site.website.login("alice", RIGHT).result == "refused"
    assert len(mailbox.messages) == 1


def test_a_repeated_post_mails_once(site: Site, mailbox: Mailbox) -> None:
    """13: at the same time or later, with the same key: the same answer; with another body: a problem."""
    with ThreadPoolExecutor(8) as pool:
        said = list(pool.map(lambda _: site.website.login("alice", RIGHT, Idempotency_Key="one"), range(8)))
    right = code(mailbox)
    assert len({each.document["login"] for each in said}) == 1
    assert site.website.login("alice", RIGHT, Idempotency_Key='"one"').document["login"] == said[0].document["login"]
    other = site.website.login("alice", "something else", Idempotency_Key="one")
    assert (other.status, other.result) == (422, "idempotency-key-reused")
    assert site.other.login("alice", RIGHT, Idempotency_Key="one").document["login"] != said[0].document["login"]
    assert len(mailbox.letters("alice@example.com")) == 2  # one for each website
    answers = [site.website.answer(said[0].document["login"], right, Idempotency_Key="two") for _ in "ab"]
    assert answers[0].result == "accepted"
    assert answers[0].body == answers[1].body


def test_a_repeated_post_mails_once_over_a_restart(start: Start, mailbox: Mailbox) -> None:
    """18: kill -9; what was answered is answered again, and the login goes on."""
    site = start('[methods.email_otp]\ntype = "email_otp"\nresend_after = "1s"\n')
    asked = site.website.login("alice", RIGHT, Idempotency_Key="one")
    right = code(mailbox)
    site.daemon.kill()
    site.daemon.start()
    time.sleep(1.1)  # the time in which a login begun again needs no second mail anyway has to pass
    again = site.website.login("alice", RIGHT, Idempotency_Key="one")
    assert again.document["login"] == asked.document["login"]
    assert len(mailbox.messages) == 1
    assert site.website.answer(again.document["login"], right, Idempotency_Key="two").result == "accepted"
    assert site.website.answer(again.document["login"], right, Idempotency_Key="two").result == "accepted"
    assert site.website.answer(again.document["login"], right).result == "refused"


def test_a_repeated_post_after_a_node_died_amid_it_mails_once(
    start: Start, directory: Directory, mailbox: Mailbox
) -> None:
    """18: what it had claimed is free again within a key's deadline and a little."""
    short = f'[https.keys.short]\nhash = "{hashed("short")}"\nevent = "vpn"\ndeadline = "2s"\n'
    site = start(short)
    site.website.key = "short"
    directory.pause()
    with ThreadPoolExecutor(1) as pool:
        lost = pool.submit(site.website.login, "alice", RIGHT, Idempotency_Key="one")
        until(lambda: site.daemon.records("login.started"))
        site.daemon.kill()
        directory.resume()
        assert lost.exception() is not None
    site.daemon.start()
    until(lambda: site.website.login("alice", RIGHT, Idempotency_Key="one").result == "challenge", 20)
    assert len(mailbox.messages) == 1


def test_begun_again_it_is_one_login(site: Site, mailbox: Mailbox) -> None:
    """13, without a key too."""
    with ThreadPoolExecutor(8) as pool:
        said = list(pool.map(lambda _: site.website.login("alice", RIGHT).result, range(8)))
    assert said == ["challenge"] * 8
    assert len(mailbox.messages) == 1


def test_a_directory_out_of_order_is_no_refusal(site: Site, directory: Directory, mailbox: Mailbox) -> None:
    """3, 15: neither accepted nor refused, told when to come again; and it works once the directory does."""
    directory.stop()
    said = site.website.login("alice", RIGHT, Idempotency_Key="one")
    assert (said.status, said.result) == (503, "unavailable")
    assert int(said.headers["retry-after"]) >= 1
    directory.start()
    until(lambda: site.website.login("alice", RIGHT, Idempotency_Key="one").result == "challenge")


def test_a_waiting_login_outlives_kill_and_reload(site: Site, mailbox: Mailbox) -> None:
    """18."""
    login = site.website.login("alice", RIGHT).document["login"]
    site.daemon.reload()
    site.daemon.kill()
    site.daemon.start()
    assert site.website.answer(login, code(mailbox)).result == "accepted"


def test_sigterm_lets_what_is_at_work_end(site: Site, directory: Directory, mailbox: Mailbox) -> None:
    """18."""
    directory.pause()
    with ThreadPoolExecutor(1) as pool:
        said = pool.submit(site.website.login, "alice", RIGHT)
        until(lambda: site.daemon.records("login.started"))
        site.daemon.child.signal(signal.SIGTERM)
        directory.resume()
        assert said.result().result == "challenge"


def test_the_certificate_is_renewed_by_a_reload(site: Site, authority: Authority) -> None:
    shown = ssl.get_server_certificate(("127.0.0.1", site.website.port))
    connection = site.website.connect()
    connection.request("GET", "/health")
    assert connection.getresponse().read()
    renewed = authority.certificate()
    exchange(site.certificate, renewed)
    site.daemon.reload()
    now = ssl.get_server_certificate(("127.0.0.1", site.website.port))
    assert now != shown
    assert now.strip() in renewed.cert_file.read_text()
    connection.request("GET", "/health")  # whoever was connected is still served
    assert connection.getresponse().status == 200
    connection.close()


def test_a_bad_certificate_is_not_put_in_force(site: Site, authority: Authority) -> None:
    shown = ssl.get_server_certificate(("127.0.0.1", site.website.port))
    site.certificate.cert_file.write_bytes(authority.certificate().cert_file.read_bytes())
    site.daemon.reload()
    (refused,) = site.daemon.records("configuration.refused")
    assert "https.certificate" in refused["reason"]
    assert "doesn't belong to the key" in refused["reason"]
    assert ssl.get_server_certificate(("127.0.0.1", site.website.port)) == shown


def test_tls_1_2_and_nothing_older(site: Site) -> None:
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        site.website.tls.minimum_version = ssl.TLSVersion.TLSv1_2
        site.website.tls.maximum_version = version
        assert site.website.ask("GET", "/health").status == 200
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # nobody should use it, indeed
        old.minimum_version = ssl.TLSVersion.TLSv1
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    with socket.create_connection(("127.0.0.1", site.website.port)) as plain, pytest.raises(ssl.SSLError):
        old.wrap_socket(plain)


def test_no_secret_is_written(site: Site, mailbox: Mailbox) -> None:
    """30: at any level, neither password nor code, handle nor key."""
    login = site.website.login("alice", RIGHT, Idempotency_Key="an-idempotency-key").document["login"]
    right = code(mailbox)
    wrong = "999999" if right != "999999" else "000000"
    again = site.website.answer(login, wrong).document["login"]
    site.website.post("/v1/logins", {"name": "bob", "password": ["a very secret list"]})
    site.website.ask("POST", f"/v1/answers?answer={right}", b"{", Authorization=f"Bearer {KEY}")
    site.website.ask("POST", "/v1/logins", b"not json, and secret", Authorization=f"Bearer {KEY}")
    site.website.login("alice", RIGHT, Authorization="Bearer a-key-that-is-wrong")
    site.website.answer(again, right)
    until(lambda: site.daemon.records("login.accepted"))
    written = site.daemon.child.output()
    for secret in (RIGHT, right, wrong, login, again, KEY, "an-idempotency-key", "secret list", "not json", "is-wrong"):
        assert secret not in written.replace(site.daemon.secret, "")
    state = (site.daemon.folder / "state.db").read_bytes() + (site.daemon.folder / "state.db-wal").read_bytes()
    for secret in (RIGHT, right, login, again, "an-idempotency-key"):
        assert secret.encode() not in state


def test_a_flood_of_bad_keys_is_a_few_records(site: Site) -> None:
    """26."""
    connection = site.website.connect()
    for number in range(300):
        headers = {"Authorization": f"Bearer aad_{number}", "Content-Type": "application/json"}
        connection.request("POST", "/v1/logins", b"{}", headers)
        response = connection.getresponse()
        assert response.status == 401
        assert response.getheader("WWW-Authenticate") == 'Bearer realm="aad"'
        response.read()
    connection.close()
    assert len(site.daemon.records("request.refused")) == 1
    assert site.website.login("alice", RIGHT).result == "challenge"


def test_a_key_is_good_from_its_networks_only(start: Start, authority: Authority) -> None:
    far_away = f'[https.keys.far]\nhash = "{hashed("far")}"\nevent = "vpn"\nnetworks = ["192.0.2.0/24"]\n'
    site = start(far_away, 'trusted_proxies = ["127.0.0.0/8"]')
    far = Website(site.website.port, authority, "far")
    refused, wrong = far.login("alice", RIGHT), Website(site.website.port, authority, "wrong").login("alice", RIGHT)
    assert (refused.status, refused.body) == (401, wrong.body)
    assert far.login("alice", RIGHT, X_Forwarded_For="192.0.2.7, 198.51.100.1").status == 401
    assert far.login("alice", RIGHT, X_Forwarded_For="198.51.100.1, 192.0.2.7").result == "challenge"
    (record, *_) = site.daemon.records("request.refused")
    assert (record["client"], record["source"]) == ("far", "unknown, behind 127.0.0.1")


def test_slow_and_silent_clients_hold_up_nobody(site: Site) -> None:
    """14, 27: no TLS, a head that never ends, a body that never comes; more of them than there are places for one."""
    port = ("127.0.0.1", site.website.port)
    silent = [socket.create_connection(port) for _ in range(60)]
    slow = []
    for _ in range(60):
        tls = site.website.tls.wrap_socket(socket.create_connection(port), server_hostname="localhost")
        tls.sendall(b"POST /v1/logins HTTP/1.1\r\nHost: x\r\n")
        slow.append(tls)
    body = site.website.tls.wrap_socket(socket.create_connection(port), server_hostname="localhost")
    body.sendall(b"POST /v1/logins HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
    with Raw(site.daemon.host, site.daemon.port) as client:
        watch = Stopwatch(site.daemon.child.pid)
        assert client.ask("alice", RIGHT).code == ACCESS_CHALLENGE
        assert watch.seconds < 2
    body.settimeout(30)
    assert body.recv(100).startswith(b"HTTP/1.1 408 ")
    for each in (*silent, *slow):
        each.settimeout(10)
        try:
            while each.recv(4096):
                pass
        except OSError:
            pass
        each.close()
    body.close()
    assert site.website.login("alice", RIGHT).result == "challenge"


def test_what_is_too_large_is_said_to_be(site: Site) -> None:
    """27."""
    large = site.website.post("/v1/logins", {"name": "alice", "password": "x" * 2_000_000})
    assert (large.status, large.result) == (413, "too-large")
    head_ = site.website.ask("GET", "/health", X="x" * 30_000)
    assert (head_.status, head_.result) == (431, "head-too-large")


@pytest.mark.parametrize(
    ("body", "headers", "status", "result"),
    [
        (b"{}", {"Content_Type": "text/plain"}, 415, "other-kind"),
        (b"{", {}, 400, "unreadable"),
        (b"[]", {}, 422, "wrong-shape"),
        (b'{"name": "alice", "name": "bob"}', {}, 400, "unreadable"),
        (b'{"name": "a\\ud800"}', {}, 422, "wrong-shape"),
        (b'{"name": ""}', {}, 422, "wrong-shape"),
        (b"[" * 16_000, {}, 400, "unreadable"),
        (b'{"name": "alice", "event": "elsewhere"}', {}, 403, "other-event"),
        (b'{"name": "alice", "caller": "here"}', {}, 422, "wrong-shape"),
        (b'{"name": "alice"}', {"Idempotency_Key": "x" * 200}, 400, "bad-idempotency-key"),
        (b'{"name": "alice"}', {"Authorization": "Basic eDp5"}, 401, "no-key"),
    ],
)
def test_what_is_wrong_is_said(site: Site, body: bytes, headers: dict[str, str], status: int, result: str) -> None:
    said = {"Authorization": f"Bearer {KEY}", "Content_Type": "application/json"} | headers
    response = site.website.ask("POST", "/v1/logins", body, **said)
    assert (response.status, response.result) == (status, result)
    assert response.headers["content-type"] == "application/problem+json"
    assert json.loads(response.body)["status"] == status
    assert re.fullmatch(r"max-age=\d+", response.headers["strict-transport-security"])
    assert response.headers["cache-control"] == "no-store"


def test_one_website_s_flood_does_not_take_all_places(start: Start, directory: Directory, mailbox: Mailbox) -> None:
    """14: told when to come again; others go on, and whoever answers a challenge always passes."""
    site = start("[limits]\nat_work_per_client = 1\n")
    login = site.website.login("alice", RIGHT).document["login"]
    directory.pause()
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(site.website.login, "user01", "pw-01")
        until(lambda: len(site.daemon.records("login.started")) == 2)
        second = site.website.login("user02", "pw-02")
        assert (second.status, second.result, second.headers["retry-after"]) == (429, "too-many-logins", "1")
        other = pool.submit(site.other.login, "user03", "pw-03")
        until(lambda: len(site.daemon.records("login.started")) == 3)
        assert site.website.answer(login, code(mailbox)).result == "accepted"
        directory.resume()
        assert first.result().result == other.result().result == "challenge"


def test_a_key_may_be_for_several_events(start: Start, mailbox: Mailbox) -> None:
    two = f'[https.keys.two]\nhash = "{hashed("two")}"\nevent = "vpn"\nfurther_events = ["mail"]\n'
    site = start(two + '[chains.one]\nmethods = ["password"]\n[events.mail]\nchains = ["one"]\n')
    site.website.key = "two"
    assert site.website.login("alice", RIGHT).result == "challenge"
    accepted = site.website.post("/v1/logins", {"name": "alice", "password": RIGHT, "event": "mail"})
    assert (accepted.result, accepted.document["event"]) == ("accepted", "mail")
    assert "groups" not in accepted.document["user"]


def test_a_chain_may_be_for_one_website_and_place(start: Start) -> None:
    """As `clients` and `networks` of a chain have it for a NAS."""
    near = '[chains.near]\nmethods = ["password"]\nclients = ["far"]\nnetworks = ["198.51.100.0/24"]\n'
    event = '[events.far]\nchains = ["near", "both"]\n'
    keys = [f'[https.keys.{name}]\nhash = "{hashed(name)}"\nevent = "far"\n' for name in ("far", "farther")]
    site = start(near + event + "".join(keys))
    results = []
    for site.website.key, caller in (("far", "198.51.100.7"), ("far", "192.0.2.7"), ("farther", "198.51.100.7")):
        results.append(site.website.post("/v1/logins", {"name": "alice", "password": RIGHT, "caller": caller}).result)
    assert results == ["accepted", "challenge", "challenge"]
