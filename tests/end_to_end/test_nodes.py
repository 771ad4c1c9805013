"""Several nodes over one Valkey: one login, one mail, one accept, whichever node is asked; and the store going away."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from aad.radius.protocol.constants import ACCESS_ACCEPT, ACCESS_CHALLENGE, ACCESS_REJECT
from tests.parts.alice import RIGHT, code, state
from tests.parts.corp import Make
from tests.parts.daemon import HEAD, Daemon
from tests.parts.mailbox import Mailbox, code_in
from tests.parts.raw import Raw, Request
from tests.parts.redis import Redis
from tests.parts.stopwatch import Stopwatch
from tests.parts.waiting import until
from tests.parts.warm import aad

STORE = """
type = "valkey"
url = "{url}"
key = "an installation's key, for both nodes"
daemon_user = "root"
timeout = "300ms"
"""
Node = Callable[..., Daemon]
TROUBLES = {"killed": (Redis.kill, Redis.start), "frozen": (Redis.pause, Redis.resume)}


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Redis]:
    with Redis(tmp_path / "redis") as running:
        yield running


@pytest.fixture
def node(make: Make, redis: Redis) -> Node:
    """Return a function that starts a node."""

    def start(store: str = "", rest: str = "") -> Daemon:
        head = HEAD.replace('path = "{folder}/state.db"', STORE.format(url=redis.url) + store)
        return make(rest, head=head)

    return start


def asking(daemon: Daemon) -> Raw:
    return Raw(daemon.host, daemon.port)


def test_begun_at_one_node_answered_at_the_other(node: Node, mailbox: Mailbox) -> None:
    one, other = node(), node()
    with asking(one) as first, asking(other) as second:
        given = state(first.ask("alice", RIGHT))
        wrong = second.ask("alice", "00000", given)
        assert wrong.code == ACCESS_CHALLENGE
        assert first.ask("alice", code(mailbox), state(wrong)).code == ACCESS_ACCEPT
        assert second.ask("alice", code(mailbox), state(wrong)).code == ACCESS_REJECT
    assert len(mailbox.messages) == 1


def test_begun_again_at_the_other_node_while_the_first_is_at_work_is_one_login(node: Node, mailbox: Mailbox) -> None:
    one, other = node(), node()
    requests = [Request("alice", RIGHT), Request("alice", RIGHT)]
    mailbox.hold("data")
    with asking(one) as first, asking(other) as second, asking(other) as third:
        first.send(requests[0].octets)
        until(lambda: len(mailbox.messages) == 1)
        second.send(requests[0].octets)  # the same octets
        third.send(requests[1].octets)  # and the same login in new ones
        until(lambda: len(other.records("password.accepted")) >= 1)
        assert second.silent(0.2)
        mailbox.release()
        replies = [requests[0].reply(first.receive()), requests[0].reply(second.receive())]
        replies.append(requests[1].reply(third.receive()))
        assert [reply.code for reply in replies] == [ACCESS_CHALLENGE] * 3
        assert len({state(reply) for reply in replies}) == 1
        answers = [Request("alice", code(mailbox), state(replies[0])) for _ in range(2)]
        first.send(answers[0].octets)
        second.send(answers[1].octets)
        codes = [answers[0].reply(first.receive()).code, answers[1].reply(second.receive()).code]
        assert sorted(codes) == [ACCESS_ACCEPT, ACCESS_REJECT]
    assert len(mailbox.messages) == 1


def test_twenty_logins_each_begun_at_both_nodes_at_once_are_twenty_mails(node: Node, mailbox: Mailbox) -> None:
    nodes = [node(), node()]
    clients = [
        (number, asking(each), Request(f"user{number:02}", f"pw-{number:02}")) for number in range(20) for each in nodes
    ]
    for _, client, request in clients:
        client.send(request.octets)
    given: dict[int, set[tuple[int, bytes]]] = {}
    for number, client, request in clients:
        reply = request.reply(client.receive())
        assert reply.code == ACCESS_CHALLENGE
        given.setdefault(number, set()).add(state(reply))
    assert all(len(states) == 1 for states in given.values())
    assert len(mailbox.messages) == 20
    accepted = 0
    answers = [
        (client, Request(f"user{number:02}", code_in(mailbox.wait(f"user{number:02}@example.com")), *given[number]))
        for number, client, _ in clients
    ]
    for client, answer in answers:
        client.send(answer.octets)
    for client, answer in answers:
        accepted += answer.reply(client.receive()).code == ACCESS_ACCEPT
        client.stop()
    assert accepted == 20


def test_kill_9_of_a_node_leaves_its_logins_to_the_other(node: Node, mailbox: Mailbox) -> None:
    one, other = node(), node()
    with asking(one) as first, asking(other) as second:
        given = state(first.ask("alice", RIGHT))
        mailbox.hold("mail")
        first.send(Request("user01", "pw-01").octets)
        until(lambda: one.records("password.accepted")[1:])
        one.kill()
        mailbox.release()
        assert second.ask("alice", code(mailbox), given).code == ACCESS_ACCEPT
        # What the dead node had claimed is free soon after its login's deadline.
        replied = until(lambda: _reply(second, Request("user01", "pw-01")), seconds=40)
        assert replied == ACCESS_CHALLENGE


def test_a_mail_that_left_before_kill_9_is_the_only_one_and_its_code_is_good(node: Node, mailbox: Mailbox) -> None:
    one, other = node(), node()
    mailbox.hold("data")  # it has arrived; only the answer is late
    with asking(one) as first, asking(other) as second:
        first.send(Request("alice", RIGHT).octets)
        until(lambda: len(mailbox.messages) == 1)
        one.kill()
        mailbox.release()
        again = Request("alice", RIGHT)
        assert until(lambda: _reply(second, again), seconds=40) == ACCESS_CHALLENGE
        given = state(second.ask("alice", RIGHT))
        assert second.ask("alice", code(mailbox), given).code == ACCESS_ACCEPT
    assert len(mailbox.messages) == 1


def test_a_login_is_fourteen_questions_to_the_store(node: Node, mailbox: Mailbox, redis: Redis) -> None:
    with asking(node()) as client:
        before = redis.commands("evalsha")
        given = state(client.ask("alice", RIGHT))
        assert client.ask("alice", code(mailbox), given).code == ACCESS_ACCEPT
    assert (
        redis.commands("evalsha") - before <= 13 + 2
    )  # a look at a row is no script; and a look at the clock every ten seconds


def test_lockouts_and_limits_are_common_and_the_commands_see_them(node: Node, mailbox: Mailbox, redis: Redis) -> None:
    one, other = (
        node(rest='[limits]\nmails_per_user = "1 per 10m"'),
        node(rest='[limits]\nmails_per_user = "1 per 10m"'),
    )
    with asking(one) as first, asking(other) as second:
        for number, client in enumerate((first, second, first)):
            assert client.ask("alice", f"wrong {number}").code == ACCESS_REJECT
        assert second.ask("alice", RIGHT).code == ACCESS_REJECT
        assert other.records("login.rejected")[-1]["reason"] == "locked out by wrong passwords"
        assert aad("locked", "-c", one.file).stdout.startswith("alice (corp)  3 wrong passwords in a row since ")
        assert aad("unlock", "alice", "-c", one.file).returncode == 0
        given = state(second.ask("alice", RIGHT))
        assert first.ask("alice", code(mailbox), given).code == ACCESS_ACCEPT
        assert first.ask("alice", RIGHT).code == ACCESS_REJECT
        assert "1 per 10m" in one.records("mail.refused")[0]["reason"]
    said = aad("check", "--online", "-c", one.file).stdout
    assert f"store: fine, 127.0.0.1:{redis.port}: version " in said
    redis.kill()
    assert f"store: FAILED, 127.0.0.1:{redis.port}: " in aad("check", "--online", "-c", one.file).stdout
    assert aad("locked", "-c", one.file).returncode == 69


def test_nodes_that_share_a_store_need_a_key(node: Node) -> None:
    daemon = node()
    daemon.file.write_text("\n".join(line for line in daemon.file.read_text().splitlines() if "key =" not in line))
    done = aad("check", "-c", daemon.file)
    assert done.returncode == 78
    assert f"{daemon.file}: store.key: missing: nodes that share a store have the same key" in done.stderr


@pytest.mark.parametrize("trouble", TROUBLES)
def test_without_its_store_a_node_is_silent_at_once_and_back_by_itself(
    node: Node, mailbox: Mailbox, redis: Redis, trouble: str
) -> None:
    daemon = node()
    with asking(daemon) as client:
        given = state(client.ask("alice", RIGHT))
        TROUBLES[trouble][0](redis)
        client.send(Request("user01", "pw-01").octets)
        until(lambda: daemon.records("login.unavailable"))
        for count in (2, 3):
            watch = Stopwatch(daemon.child.pid)
            client.send(Request("user01", "pw-01").octets)
            until(lambda count=count: len(daemon.records("login.unavailable")) >= count)  # type: ignore[misc]
            assert watch.seconds < 0.3
        assert client.silent(0.1)
        TROUBLES[trouble][1](redis)
        until(lambda: daemon.records("store.up"))
        assert client.ask("alice", code(mailbox), given).code == ACCESS_ACCEPT
        assert client.ask("user01", "pw-01").code == ACCESS_CHALLENGE
    down, up = daemon.records("store.down"), daemon.records("store.up")
    assert (len(down), len(up)) == (1, 1)
    assert f"127.0.0.1:{redis.port}: " in down[0]["reason"]


@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_node_may_go_on_with_its_own_state(node: Node, mailbox: Mailbox, redis: Redis, trouble: str) -> None:
    daemon, other = node('on_unavailable = "local"'), node('on_unavailable = "local"')
    with asking(daemon) as client, asking(other) as second:
        given = state(client.ask("alice", RIGHT))
        TROUBLES[trouble][0](redis)
        amid = [state(client.ask(f"user{number:02}", f"pw-{number:02}")) for number in range(2)]
        codes = [code_in(mailbox.wait(f"user{number:02}@example.com")) for number in range(2)]
        assert second.ask("user02", "pw-02").code == ACCESS_CHALLENGE
        assert client.ask("user00", codes[0], amid[0]).code == ACCESS_ACCEPT
        TROUBLES[trouble][1](redis)
        until(lambda: daemon.records("store.up") and other.records("store.up"))
        assert client.ask("user01", codes[1], amid[1]).code == ACCESS_ACCEPT
        assert second.ask("alice", code(mailbox), given).code == ACCESS_ACCEPT
    for each in (daemon, other):
        assert (len(each.records("store.down")), len(each.records("store.up"))) == (1, 1)


def test_a_node_stops_at_once_while_its_store_is_frozen(node: Node, redis: Redis) -> None:
    daemon = node()
    redis.pause()
    watch = Stopwatch(daemon.child.pid)
    daemon.child.signal(signal.SIGTERM)
    until(lambda: not daemon.child.alive)
    assert watch.seconds < 2
    redis.resume()


def _reply(client: Raw, request: Request) -> int:
    """Return the code of the reply; 0: none came in time."""
    client.send(request.octets)
    try:
        return request.reply(client.receive(3)).code
    except TimeoutError:
        return 0


def test_a_command_never_goes_on_without_the_store(node: Node, redis: Redis) -> None:
    daemon = node('on_unavailable = "local"')
    redis.kill()
    done = aad("unlock", "alice", "-c", daemon.file)
    assert done.returncode == 69
    assert f"store: 127.0.0.1:{redis.port}: " in done.stderr
