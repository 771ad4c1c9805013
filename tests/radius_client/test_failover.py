"""Other RADIUS servers, asked: those that answer, those that don't, and those that only seem to."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import ExitStack

import pytest
import pytest_asyncio

from aad.core.secret import Secret
from aad.ports import Unavailable
from aad.radius.protocol import constants, packet
from aad.radius.protocol.constants import ACCESS_ACCEPT, ACCESS_CHALLENGE, ACCESS_REJECT
from aad.radius.protocol.packet import Request, authentic
from aad.radius.protocol.password import answer_of
from aad.radius.protocol.wire import HEADER, response_authenticator
from aad.radius_client.failover import Failover, fault
from aad.radius_client.request import PasswordCheck, Verdict
from tests.parts.oracle import Oracle, Says, saying, silent
from tests.parts.waiting import until

SECRET = Secret("the secret of both sides")
QUESTION = PasswordCheck(name="alice", password=Secret("correct horse"), called="aad", caller="192.0.2.7")
Make = Callable[..., Oracle]
Open = Callable[..., Failover]


@pytest.fixture
def oracle() -> Iterator[Make]:
    with ExitStack() as stack:
        yield lambda says: stack.enter_context(Oracle(says))


@pytest_asyncio.fixture
async def opened() -> AsyncIterator[Open]:
    made: list[Failover] = []

    def servers(*names_: str, secret: Secret = SECRET, timeout: float = 0.2, retries: int = 1) -> Failover:
        made.append(Failover(names_, secret, timeout, retries))
        return made[-1]

    yield servers
    for each in made:
        each.close()
    await asyncio.sleep(0)


def soon(seconds: float = 5.0) -> float:
    return time.monotonic() + seconds


async def unanswered(servers: Failover, seconds: float = 5.0) -> str:
    with pytest.raises(Unavailable) as error:
        await servers.ask(QUESTION, soon(seconds))
    return error.value.what


@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        (ACCESS_ACCEPT, Verdict.ACCEPTED),
        (ACCESS_REJECT, Verdict.REJECTED),
        (ACCESS_CHALLENGE, Verdict.CHALLENGED),
    ],
)
async def test_each_reply_has_its_verdict(oracle: Make, opened: Open, code: int, verdict: Verdict) -> None:
    server = oracle(saying(code, SECRET))
    servers = opened(server.name)
    assert await servers.ask(QUESTION, soon()) is verdict
    (asked,) = server.asked
    assert authentic(asked, SECRET)
    assert asked.types[0] == constants.MESSAGE_AUTHENTICATOR
    assert asked.name == "alice"
    assert (asked.first(constants.NAS_IDENTIFIER), asked.first(constants.CALLING_STATION_ID)) == (b"aad", b"192.0.2.7")
    assert getattr(answer_of(asked, SECRET), "text", None) == QUESTION.password
    assert servers.news() == ()


def forged(change: Callable[[bytes], bytes], *, resigned: bool) -> Says:
    """Return an Access-Accept that was changed on its way, if wanted with a Response Authenticator that is right."""

    def says(request: Request) -> Sequence[bytes]:
        octets = change(packet.reply(request, ACCESS_ACCEPT, [(constants.CLASS, b"x" * 8)], SECRET))
        if resigned:
            right = response_authenticator(octets[:4], request.authenticator, octets[HEADER:], SECRET)
            octets = octets[:4] + right + octets[HEADER:]
        return [octets]

    return says


def without_signature(octets: bytes) -> bytes:
    rest = octets[HEADER + 18 :]
    return octets[:2] + (HEADER + len(rest)).to_bytes(2) + octets[4:HEADER] + rest


FORGED: dict[str, Says] = {
    "wrong Message-Authenticator": forged(lambda one: one[:30] + bytes((one[30] ^ 1,)) + one[31:], resigned=True),
    "no Message-Authenticator": forged(without_signature, resigned=True),
    "wrong Response Authenticator": forged(lambda one: one[:-1] + b"y", resigned=False),
    "another code": forged(lambda one: b"\3" + one[1:], resigned=False),
    "an accounting reply": forged(lambda one: b"\5" + one[1:], resigned=True),
    "another identifier": forged(lambda one: one[:1] + bytes((one[1] ^ 1,)) + one[2:], resigned=True),
    "another secret": saying(ACCESS_ACCEPT, Secret("another server's secret")),
    "nothing but a header": lambda request: [request.datagram[:2]],
    "an octet": lambda _request: [b"x"],
    "the question": lambda request: [request.datagram],
}


@pytest.mark.parametrize("what", FORGED)
async def test_what_is_not_authentic_is_no_reply(oracle: Make, opened: Open, what: str) -> None:
    server = oracle(FORGED[what])
    said = await unanswered(opened(server.name))
    assert said.startswith(f"{server.name}: no valid reply in time")


async def test_the_right_reply_behind_a_forged_one_counts(oracle: Make, opened: Open) -> None:
    right = saying(ACCESS_REJECT, SECRET)
    server = oracle(lambda request: [*FORGED["wrong Message-Authenticator"](request), *right(request), b""])
    assert await opened(server.name).ask(QUESTION, soon()) is Verdict.REJECTED


async def test_one_that_sends_nothing_else_is_given_up_and_asked_again_later(oracle: Make, opened: Open) -> None:
    server = oracle(lambda _request: [b"?"] * 300)  # more at once might get lost
    servers = opened(server.name, timeout=0.05, retries=100)
    said = await unanswered(servers, 30.0)
    assert said == f"{server.name}: 1000 datagrams came, and none was a valid reply"
    assert 4 <= len(server.asked) <= 6
    server.says = saying(ACCESS_ACCEPT, SECRET)
    end = soon()
    while not await accepted(servers):
        assert time.monotonic() < end
        await asyncio.sleep(0.05)


async def accepted(servers: Failover) -> bool:
    with contextlib.suppress(Unavailable):
        return await servers.ask(QUESTION, soon()) is Verdict.ACCEPTED
    return False


async def test_valid_replies_in_between_make_up_for_the_others(oracle: Make, opened: Open) -> None:
    right = saying(ACCESS_ACCEPT, SECRET)
    servers = opened(oracle(lambda request: [*[b"?"] * 200, *right(request)]).name, retries=50)
    for _ in range(10):
        assert await servers.ask(QUESTION, soon()) is Verdict.ACCEPTED
    assert servers.news() == ()


async def test_a_lost_datagram_is_sent_again(oracle: Make, opened: Open) -> None:
    right = saying(ACCESS_ACCEPT, SECRET)
    server = oracle(silent)
    server.says = lambda request: right(request) if len(server.asked) > 1 else []
    assert await opened(server.name, retries=20).ask(QUESTION, soon()) is Verdict.ACCEPTED
    assert server.asked[1].datagram == server.asked[0].datagram  # RFC 5080 2.2.1: the same octets


async def test_the_next_one_is_asked_and_the_first_left_alone_until_it_is_back(oracle: Make, opened: Open) -> None:
    first, second = oracle(silent), oracle(saying(ACCESS_ACCEPT, SECRET))
    servers = opened(first.name, second.name)
    assert await servers.ask(QUESTION, soon()) is Verdict.ACCEPTED
    (down,) = servers.news()
    assert (down.name, down.fields["server"]) == ("server.down", first.name)
    before = len(first.asked)
    assert await servers.ask(QUESTION, soon()) is Verdict.ACCEPTED
    assert (len(first.asked), len(second.asked)) == (before, 2)
    first.says = saying(ACCESS_REJECT, SECRET)
    end = soon()
    while await servers.ask(QUESTION, soon()) is Verdict.ACCEPTED:
        assert time.monotonic() < end
        await asyncio.sleep(0.05)
    (up,) = servers.news()
    assert (up.name, up.fields["server"]) == ("server.up", first.name)


async def test_where_nobody_listens_the_next_one_is_asked_at_once(oracle: Make, opened: Open) -> None:
    gone = Oracle(silent)
    server = oracle(saying(ACCESS_ACCEPT, SECRET))
    servers = opened(gone.name, server.name, timeout=30.0)
    assert await asyncio.wait_for(servers.ask(QUESTION, soon(60)), 10) is Verdict.ACCEPTED
    assert "Connection refused" in str(servers.news()[0].fields["reason"])


async def test_all_gone_fails_fast_and_says_why_each_is(opened: Open) -> None:
    gone = [Oracle(silent).name for _ in range(2)]
    servers = opened(*gone, "no-such-host.invalid")
    said = await unanswered(servers)
    refused = "Connection refused"
    assert said.startswith(f"{gone[0]}: {refused}; {gone[1]}: {refused}; no-such-host.invalid: ")
    began = time.monotonic()
    assert await unanswered(servers) == said
    assert time.monotonic() - began < 0.2


async def test_the_deadline_goes_before_all_patience(oracle: Make, opened: Open) -> None:
    servers = opened(oracle(silent).name, oracle(silent).name, timeout=30.0, retries=10)
    began = time.monotonic()
    await unanswered(servers, 0.4)
    assert 0.3 < time.monotonic() - began < 3


async def test_one_that_answers_others_is_not_down(oracle: Make, opened: Open) -> None:
    right = saying(ACCESS_ACCEPT, SECRET)
    server = oracle(lambda request: right(request) if request.name == "bob" else [])
    servers = opened(server.name)
    bob = PasswordCheck(name="bob", password=Secret("x"), called="aad")
    lost = asyncio.create_task(unanswered(servers))
    await asyncio.sleep(0.1)
    assert await servers.ask(bob, soon()) is Verdict.ACCEPTED
    await lost
    assert servers.news() == ()
    assert await servers.ask(bob, soon()) is Verdict.ACCEPTED


async def test_256_requests_are_under_way_at_most_and_each_gets_its_own_reply(oracle: Make, opened: Open) -> None:
    server = oracle(silent)
    servers = opened(server.name, timeout=0.5, retries=100)
    questions = [PasswordCheck(name=f"user{number}", password=Secret("x"), called="aad") for number in range(300)]
    tasks = [asyncio.create_task(servers.ask(each, soon(60))) for each in questions]
    await asyncio.to_thread(until, lambda: sum(task.done() for task in tasks) == 44)
    waiting = [task for task in tasks if not task.done()]
    for task in tasks:
        if task not in waiting:
            with pytest.raises(Unavailable, match="256 requests wait for it already") as refused:
                task.result()
            assert refused.value.facts == ()  # it isn't out of order
    assert len(waiting) == 256
    codes = (ACCESS_ACCEPT, ACCESS_REJECT)
    server.says = lambda request: [packet.reply(request, codes[int(request.name[4:]) % 2], [], SECRET)]
    for number, task in enumerate(tasks):
        if task in waiting:
            assert await task is (Verdict.REJECTED if number % 2 else Verdict.ACCEPTED)
    assert len({each.identifier for each in server.asked}) == 256


async def test_who_is_cancelled_leaves_nothing_behind(oracle: Make, opened: Open) -> None:
    server = oracle(silent)
    servers = opened(server.name, timeout=30.0)
    task = asyncio.create_task(servers.ask(QUESTION, soon(60)))
    await asyncio.to_thread(until, lambda: server.asked)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    server.says = saying(ACCESS_ACCEPT, SECRET)
    assert await servers.ask(QUESTION, soon()) is Verdict.ACCEPTED


async def test_without_time_nobody_is_asked(oracle: Make, opened: Open) -> None:
    server = oracle(saying(ACCESS_ACCEPT, SECRET))
    servers = opened(server.name)
    assert await unanswered(servers, -1.0) == f"{server.name}: no time was left to ask it"
    assert (server.asked, servers.news()) == ([], ())


def test_what_radius_cannot_carry_is_no_question() -> None:
    for name, password in (("", "x"), ("ä" * 127, "x"), ("alice", "x" * 129)):
        with pytest.raises(ValueError, match="octets"):
            PasswordCheck(name=name, password=Secret(password), called="aad")
    assert "correct" not in repr(QUESTION)


def test_a_server_is_host_and_port() -> None:
    assert [fault(each) for each in ("radius.example.com", "192.0.2.1:1645", "[2001:db8::1]:1812")] == ["", "", ""]
    assert fault("radius.example.com:radius") == "radius.example.com:radius should be HOST or HOST:PORT"
