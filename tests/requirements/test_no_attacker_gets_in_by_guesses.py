"""An attacker does not get in: requirements 8 to 10, what guesses, time and names can try."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from aad.radius.protocol import constants
from aad.radius.protocol.constants import ACCESS_ACCEPT, ACCESS_CHALLENGE, ACCESS_REJECT
from tests.parts.alice import RIGHT, code, state
from tests.parts.authority import Authority
from tests.parts.corp import ALICE, ODD_NAMES, Make, repository, sender
from tests.parts.daemon import HEAD, Daemon
from tests.parts.directory import Directory
from tests.parts.mailbox import Mailbox, code_in
from tests.parts.raw import Raw
from tests.requirements.machine import Machine

FRESH = '[methods.email_otp]\nresend_after = "0s"\n'
ALICE_BINDS = f'BIND dn="{ALICE.dn}"'


def test_08_codes_and_states_cannot_be_foretold(
    tmp_path: Path, machine: Machine, directory: Directory, mailbox: Mailbox, authority: Authority
) -> None:
    """Two processes of one key, whose `random` begins alike, agree on nothing."""
    parts = repository(directory) + sender(mailbox.port, authority) + "[methods.email_otp]\nlength = 10\n"
    head = HEAD.replace("[store]", '[store]\nkey = "the key of both installations"')
    states, codes = set(), set()
    for number in (1, 2):
        with Daemon(tmp_path / str(number), parts, head=head) as daemon, Raw(daemon.host, daemon.port) as client:
            for user in range(5):
                states.add(state(client.ask(f"user{user:02}", f"pw-{user:02}")))
                codes.add(code_in(mailbox.wait(f"user{user:02}@example.com", number)))
    assert len(states) == len(codes) == 10
    assert all(typed.isdigit() and len(typed) == 10 for typed in codes)


def test_08_by_default_a_code_lives_at_most_ten_minutes(machine: Machine, make: Make, mailbox: Mailbox) -> None:
    daemon = make()
    with Raw(daemon.host, daemon.port) as client:
        reply = client.ask("alice", RIGHT)
        life = int.from_bytes(reply.first(constants.SESSION_TIMEOUT) or b"")
        assert 0 < life <= 600
        machine.step("boot", life + 1)
        assert client.ask("alice", code(mailbox), state(reply)).code == ACCESS_REJECT
    assert daemon.records("login.rejected")[0]["reason"] == "answered too late"


def test_08_the_tries_of_a_challenge_are_limited(daemon: Daemon, mailbox: Mailbox) -> None:
    with Raw(daemon.host, daemon.port) as client:
        given = state(client.ask("alice", RIGHT))
        for _ in range(2):
            given = state(client.ask("alice", "wrong", given))
        assert client.ask("alice", "wrong", given).code == ACCESS_REJECT
        assert client.ask("alice", code(mailbox), given).code == ACCESS_REJECT


@pytest.mark.also("valkey", "two workers, valkey")
def test_08_the_limit_of_a_user_survives_new_challenges_and_a_restart(make: Make, mailbox: Mailbox) -> None:
    daemon = make(FRESH)
    with Raw(daemon.host, daemon.port) as client:
        for count in range(3):  # each first try with the right password
            reply = client.ask("alice", "wrong", state(client.ask("alice", RIGHT)))
            assert reply.code == ACCESS_CHALLENGE
            if count == 1:
                daemon.kill()
                daemon.start()
        assert client.ask("alice", RIGHT).code == ACCESS_REJECT
        daemon.kill()
        daemon.start()
        assert client.ask("alice", RIGHT).code == ACCESS_REJECT
    assert daemon.records("login.rejected")[0]["reason"] == "locked out by wrong codes"
    assert len(mailbox.messages) == 3


@pytest.mark.also("valkey")
@pytest.mark.parametrize("seconds", [-86400.0, 86400.0], ids=["back", "forward"])
def test_08_a_stepped_wall_clock_changes_no_life(
    machine: Machine, make: Make, mailbox: Mailbox, seconds: float
) -> None:
    daemon = make()
    with Raw(daemon.host, daemon.port) as client:
        early, late = state(client.ask("alice", RIGHT)), state(client.ask("user01", "pw-01"))
        for number in range(3):
            assert client.ask("user02", f"wrong {number}").code == ACCESS_REJECT
        machine.step("wall", seconds)
        daemon.kill()
        daemon.start()
        machine.step("boot", 110)
        assert client.ask("alice", code(mailbox), early).code == ACCESS_ACCEPT
        assert client.ask("user02", "pw-02").code == ACCESS_REJECT  # locked for 300 s
        machine.step("boot", 121)
        assert client.ask("user01", code_in(mailbox.wait("user01@example.com")), late).code == ACCESS_REJECT
        machine.step("boot", 320)
        assert client.ask("user02", "pw-02").code == ACCESS_CHALLENGE


def test_09_a_state_that_is_none_is_refused(
    machine: Machine, make: Make, directory: Directory, mailbox: Mailbox
) -> None:
    daemon = make()
    with Raw(daemon.host, daemon.port) as client:
        kind, good = state(client.ask("alice", RIGHT))
        typed = code(mailbox)
        before = len(directory.log())
        for values in ([b""], [b"x" * 32], [good[:-1]], [good + b"\0"], [good, good], [good, b""], [b"", good]):
            for given in (RIGHT, typed):
                reply = client.ask("alice", given, *((kind, value) for value in values))
                assert reply.code == ACCESS_REJECT, values
        machine.step("boot", 121)
        assert client.ask("alice", typed, (kind, good)).code == ACCESS_REJECT
        assert client.ask("alice", RIGHT, (kind, good)).code == ACCESS_REJECT
        assert "BIND" not in directory.log()[before:]
    assert len(mailbox.messages) == len(daemon.records("login.started")) == 1


def test_10_a_name_is_never_a_pattern(make: Make, directory: Directory, mailbox: Mailbox) -> None:
    daemon, before = make(), len(directory.log())
    tries: tuple[str, ...] = (
        "*",
        "al*",
        "alice)(uid=*",
        "*)(objectClass=*",
        "alice)(|(uid=*",
        "*)(uid=alice",
        "\\61lice",
        "alice\\",
    )
    tries += ("(alice)", "uid=alice", "alice,ou=people,dc=example,dc=com", ALICE.dn, "alice\0", "a\0*", "&", "!alice")
    with Raw(daemon.host, daemon.port) as client:
        for name in tries:
            assert client.ask(name, RIGHT).code == ACCESS_REJECT, name
        assert "BIND" not in directory.log()[before:].replace(f'BIND dn="{directory.bind_dn}"', "")
        assert not mailbox.messages
        assert not daemon.records("login.unavailable", "fault")
        for name in ODD_NAMES:
            assert client.ask(name, "wrong").code == ACCESS_REJECT, name
            assert client.ask(name, "odd").code == ACCESS_CHALLENGE, name


def test_10_nobody_and_two_look_and_last_like_a_wrong_password(
    tmp_path: Path, directory: Directory, mailbox: Mailbox, authority: Authority
) -> None:
    head = HEAD.replace('"50ms"', '"1s"')
    parts = repository(directory) + sender(mailbox.port, authority)
    tries = {"nobody": RIGHT, "twin": "first", "*": RIGHT, "alice": "wrong", "user01": "wrong"}
    with Daemon(tmp_path / "aad", parts, head=head) as daemon:

        async def refused(name: str, typed: str) -> tuple[float, tuple[object, ...]]:
            with Raw(daemon.host, daemon.port) as client:
                began = asyncio.get_running_loop().time()
                reply = await asyncio.to_thread(client.ask, name, typed)
                return asyncio.get_running_loop().time() - began, (reply.code, reply.attributes[1:])

        async def all_at_once() -> list[tuple[float, tuple[object, ...]]]:
            return await asyncio.gather(*(refused(*each) for each in tries.items()))

        replies = asyncio.run(all_at_once())
        reasons = {record["user"]: record["reason"] for record in daemon.records("login.rejected")}
    assert {looks for _, looks in replies} == {(ACCESS_REJECT, ((constants.REPLY_MESSAGE, b"Login failed."),))}
    assert all(1.0 <= seconds < 2.5 for seconds, _ in replies)
    assert reasons["twin"] == "several users have this name"
    assert reasons["nobody"] == reasons["*"] == "unknown user"
    assert reasons["alice"] == "wrong password"
    assert not mailbox.messages
