"""Which process serves a user, and the way of a datagram to it and of the reply back."""

from __future__ import annotations

import socket
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from aad.radius.udp import Origin, UdpSocket
from aad.radius.worker_relay import Relayed, hand, name_of, pipe, turn
from tests.parts.raw import Request


def test_a_user_is_served_by_the_same_process_whatever_else_is_in_his_request() -> None:
    state = (24, b"a State")
    requests = [Request("alice", "one"), Request("alice", "two"), Request("alice", "123456", state)]
    assert {name_of(request.octets) for request in requests} == {b"alice"}
    assert len({turn(request.octets, "192.0.2.1", 16) for request in requests}) == 1


def test_users_are_spread() -> None:
    served = Counter(turn(Request(f"user{number}", "x").octets, "192.0.2.1", 4) for number in range(400))
    assert set(served) == {0, 1, 2, 3}
    assert min(served.values()) > 50


@given(st.binary(max_size=200))
def test_any_octets_have_their_turn(octets: bytes) -> None:
    assert 0 <= turn(octets, "192.0.2.1", 3) < 3


def test_a_datagram_goes_over_and_its_reply_back_by_the_socket_it_came_by() -> None:
    inwards, outwards = pipe()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.bind(("127.0.0.1", 0))
        client.settimeout(5)
        sockets = [UdpSocket.opened("127.0.0.1", 0, dual=False) for _ in range(2)]
        relayed = Relayed(outwards, sockets)
        hand(inwards, b"asked", Origin(client.getsockname(), []), by=1)
        received = relayed.receive()
        assert received is not None
        datagram, origin = received
        assert (datagram, origin.host) == (b"asked", "127.0.0.1")
        assert relayed.receive() is None
        relayed.send(b"answered", origin)
        reply, address = client.recvfrom(100)
        assert (reply, f"{address[0]}:{address[1]}") == (b"answered", sockets[1].name)
        assert relayed.name == f"{sockets[0].name}, {sockets[1].name}"
        relayed.close()
    inwards.close()


def test_a_process_that_does_not_read_loses_datagrams_and_holds_nobody_up() -> None:
    inwards, outwards = pipe()
    for _ in range(100_000):
        hand(inwards, bytes(4096), Origin(("127.0.0.1", 1), []), by=0)
    relayed = Relayed(outwards, [])
    assert not relayed.neglected()
    assert relayed.neglected()
    assert relayed.receive() is not None
    assert not relayed.neglected()
    relayed.close()
    inwards.close()
