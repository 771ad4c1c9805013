"""An Accounting-Request is one record and one response; or a discard, and never anything else."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aad.core.secret import Secret
from aad.logs.discards import Discards
from aad.radius.accountant import Accountant
from aad.radius.accounting import class_of, decode, record_of
from aad.radius.clients import Client, Clients
from aad.radius.protocol import client_packets
from aad.radius.protocol import constants as names
from aad.radius.protocol.constants import Flaw
from aad.radius.protocol.wire import Attribute, PacketError, split
from aad.radius.udp import Origin
from tests.parts.accounting import ALICE, INTERIM, OFF, ON, SESSION, START, STOP, accounting_request, answers, number
from tests.parts.daemon import SECRET
from tests.radius.datagrams import octets, unsigned

HERE = "192.0.2.10"


class Office:
    """An accountant, and what it wrote."""

    def __init__(self) -> None:
        self.records: list[tuple[str, dict[str, object]]] = []
        self.lost = 0
        self.loses = False
        secrets = (Secret("a new secret, not in use yet"), Secret(SECRET))
        clients = Clients(
            [Client("gateway", (HERE,), secrets, "vpn"), Client("other", ("192.0.2.11",), secrets, "vpn")]
        )
        self.accountant = Accountant(
            clients=lambda: clients, record=self.record, lost=lambda: self.lost, discards=Discards(self.record)
        )

    def record(self, name: str, /, **fields: object) -> None:
        self.lost += self.loses and name != "request.discarded"
        self.records.append((name, {key: value for key, value in fields.items() if value is not None and value != ""}))

    def ask(self, datagram: bytes, source: str = HERE, port: int = 1024, now: float = 0.0) -> bytes | None:
        return self.accountant.reply(datagram, Origin((source, port), []), now)

    def names(self) -> list[str]:
        return [name for name, _ in self.records]


@pytest.fixture
def office() -> Office:
    return Office()


def recorded(*attributes: Attribute) -> tuple[str, dict[str, object]]:
    office = Office()
    request = accounting_request(*attributes)
    response = office.ask(request)
    assert response is not None
    assert answers(response, request)
    assert len(office.records) == 1
    return office.records[0]


# What is written down.


def test_a_start() -> None:
    name, fields = recorded(
        START,
        ALICE,
        SESSION,
        class_of("AB23CD"),
        (names.FRAMED_IP_ADDRESS, bytes((10, 8, 0, 6))),
        (names.CALLING_STATION_ID, b"198.51.100.7"),
        (names.NAS_IDENTIFIER, b"gw-1"),
        number(names.ACCT_DELAY_TIME, 0),
    )
    assert name == "session.started"
    assert fields == {
        "client": "gateway",
        "login_event": "vpn",
        "nas": "gw-1",
        "user": "alice",
        "login": "AB23CD",
        "session": "s-1",
        "address": "10.8.0.6",
        "caller": "198.51.100.7",
    }


def test_an_end_with_what_went_through() -> None:
    name, fields = recorded(
        STOP,
        ALICE,
        SESSION,
        number(names.ACCT_SESSION_TIME, 3600),
        number(names.ACCT_INPUT_OCTETS, 5),
        number(names.ACCT_INPUT_GIGAWORDS, 2),
        number(names.ACCT_OUTPUT_OCTETS, 0),
        number(names.ACCT_INPUT_PACKETS, 9),
        number(names.ACCT_OUTPUT_PACKETS, 8),
        number(names.ACCT_TERMINATE_CAUSE, 4),
        number(names.ACCT_DELAY_TIME, 12),
        (names.NAS_IP_ADDRESS, bytes((192, 0, 2, 10))),
    )
    assert name == "session.stopped"
    assert fields["seconds"] == 3600
    assert (fields["octets_in"], fields["octets_out"]) == (2 * 2**32 + 5, 0)
    assert (fields["packets_in"], fields["packets_out"]) == (9, 8)
    assert fields["cause"] == "idle timeout"
    assert fields["delay"] == 12
    assert fields["nas"] == "192.0.2.10"


@pytest.mark.parametrize(
    ("status", "name", "known"),
    [
        (INTERIM, "session.updated", {"user": "alice"}),
        (number(names.ACCT_STATUS_TYPE, 15), "session.other", {"user": "alice", "status": "failed"}),
        (number(names.ACCT_STATUS_TYPE, 4711), "session.other", {"user": "alice", "status": "status 4711"}),
        (ON, "nas.on", {"cause": "NAS reboot"}),
        (OFF, "nas.off", {"cause": "NAS reboot"}),
    ],
)
def test_other_reports(status: Attribute, name: str, known: dict[str, object]) -> None:
    said, fields = recorded(status, ALICE, number(names.ACCT_TERMINATE_CAUSE, 11))
    assert said == name
    assert {**fields, **known} == fields
    assert ("user" in known) == ("user" in fields), "a NAS that starts is nobody's session"


@pytest.mark.parametrize(
    "classes",
    [(b"",), (b"aad:",), (b"aad:ab23cd",), (b"aad:AB23CD ",), (b"x-aad:AB23CD",), (b"aad:" + b"A" * 17,), (b"OU=vpn",)],
)
def test_a_class_that_is_not_ours_is_no_login(classes: tuple[bytes, ...]) -> None:
    assert "login" not in recorded(START, ALICE, *((names.CLASS, each) for each in classes))[1]


def test_our_class_among_others() -> None:
    classes = [(names.CLASS, b"OU=vpn"), class_of("AB23CD"), (names.CLASS, b"\0\xff")]
    assert recorded(START, ALICE, *classes)[1]["login"] == "AB23CD"


def test_what_a_stranger_can_set_is_bounded_and_clean() -> None:
    nasty = b"a\r\nlogin.accepted\x1b[2J\xff" + b"x" * 230
    kinds = (names.USER_NAME, names.ACCT_SESSION_ID, names.CALLING_STATION_ID, names.NAS_IDENTIFIER)
    _, fields = recorded(START, *((kind, nasty) for kind in kinds))
    for key in ("user", "session", "caller", "nas"):
        text = fields[key]
        assert isinstance(text, str)
        assert text.isprintable()
        assert 1 <= len(text) <= 128


def test_numbers_and_addresses_of_another_length_are_left_out() -> None:
    kinds = (names.ACCT_SESSION_TIME, names.ACCT_INPUT_OCTETS, names.FRAMED_IP_ADDRESS, names.ACCT_TERMINATE_CAUSE)
    _, fields = recorded(STOP, ALICE, *((kind, b"\1\2\3") for kind in kinds))
    assert fields == {"client": "gateway", "login_event": "vpn", "user": "alice"}


# Who is answered.


def test_proxy_state_comes_back_in_order(office: Office) -> None:
    states = [(names.PROXY_STATE, b"one"), (names.PROXY_STATE, b""), (names.PROXY_STATE, b"two\0")]
    request = accounting_request(START, *states)
    response = office.ask(request)
    assert response is not None
    assert answers(response, request)
    assert list(split(response)[3]) == states


def test_as_much_proxy_state_as_there_can_be(office: Office) -> None:
    request = accounting_request(START, *[(names.PROXY_STATE, bytes(253))] * 15, (names.PROXY_STATE, bytes(243)))
    assert len(request) == 20 + 6 + 15 * 255 + 245
    response = office.ask(request)
    assert response is not None
    assert answers(response, request)


def test_any_secret_of_the_client_will_do(office: Office) -> None:
    for secret in ("a new secret, not in use yet", SECRET):
        request = accounting_request(START, ALICE, secret=secret)
        response = office.ask(request)
        assert response is not None
        assert answers(response, request, secret)


def test_a_message_authenticator_is_checked(office: Office) -> None:
    assert office.ask(accounting_request(START, ALICE, signed=True))
    assert office.names() == ["session.started"]
    wrong = accounting_request(START, ALICE, (names.MESSAGE_AUTHENTICATOR, bytes(16)))
    assert office.ask(wrong) is None
    assert office.records[1:] == [
        ("request.discarded", {"client": "gateway", "reason": Flaw.WRONG_SIGNATURE, "source": HERE})
    ]


@pytest.mark.parametrize(
    ("datagram", "flaw"),
    [
        (accounting_request(START, ALICE, secret="another secret than ours"), Flaw.WRONG_REQUEST_AUTHENTICATOR),
        (unsigned(START, ALICE, code=4), Flaw.WRONG_REQUEST_AUTHENTICATOR),
        (accounting_request(ALICE), Flaw.NO_STATUS_TYPE),
        (accounting_request(ALICE, number(names.ACCT_STATUS_TYPE, 0)), Flaw.NO_STATUS_TYPE),
        (accounting_request(ALICE, (names.ACCT_STATUS_TYPE, b"\1")), Flaw.NO_STATUS_TYPE),
        (accounting_request(START, code=1), Flaw.NO_ACCOUNTING),
        (accounting_request(START, code=5), Flaw.NO_ACCOUNTING),
        (accounting_request(code=12), Flaw.STATUS_UNSIGNED),
        (accounting_request(START)[:-1], Flaw.TRUNCATED),
    ],
)
def test_what_is_discarded(office: Office, datagram: bytes, flaw: Flaw) -> None:
    assert office.ask(datagram) is None
    assert office.records == [("request.discarded", {"client": "gateway", "reason": flaw, "source": HERE})]
    assert office.accountant.discards.totals == {("gateway", flaw): 1}


def test_nobody_else_is_answered(office: Office) -> None:
    assert office.ask(accounting_request(START, ALICE), source="198.51.100.1") is None
    assert office.names() == ["request.discarded"]


def test_status_server_is_answered_as_at_this_port(office: Office) -> None:
    request = client_packets.request(9, bytes(range(16)), [], Secret(SECRET), names.STATUS_SERVER)
    response = office.ask(request)
    assert response is not None
    assert answers(response, request)
    assert response[20] == names.MESSAGE_AUTHENTICATOR
    wrong = client_packets.request(9, bytes(range(16)), [], Secret("another secret than ours"), names.STATUS_SERVER)
    assert office.ask(wrong) is None
    assert office.names() == ["request.discarded"]


# The same again.


def test_the_same_octets_are_one_record_and_get_the_same_response(office: Office) -> None:
    request = accounting_request(START, ALICE, SESSION)
    first = office.ask(request)
    assert first is not None
    assert office.ask(request + b"padding", port=2048, now=29.0) == first
    assert office.names() == ["session.started"]
    assert office.ask(request, source="192.0.2.11", now=29.0) == first
    assert [fields["client"] for _, fields in office.records] == ["gateway", "other"]


def test_another_delay_is_another_report(office: Office) -> None:
    for delay in (0, 3):
        assert office.ask(accounting_request(START, ALICE, number(names.ACCT_DELAY_TIME, delay), identifier=7 + delay))
    assert [fields.get("delay") for _, fields in office.records] == [None, 3]


def test_what_could_not_be_written_has_no_response_until_it_is(office: Office) -> None:
    request = accounting_request(STOP, ALICE, SESSION)
    office.loses = True
    assert office.ask(request) is None
    office.loses = False
    response = office.ask(request)
    assert response is not None
    assert answers(response, request)
    assert office.names() == ["session.stopped", "request.discarded", "session.stopped"]


# Whatever comes.


@given(st.binary(max_size=200))
def test_any_octets(datagram: bytes) -> None:
    assert Office().ask(datagram) is None


@given(st.lists(st.tuples(st.integers(1, 255), octets), max_size=12), st.integers(0, 255), st.sampled_from("ny"))
def test_any_attributes(attributes: list[Attribute], code: int, signed: str) -> None:
    office = Office()
    request = accounting_request(START, *attributes, code=code, signed=signed == "y")
    response = office.ask(request)
    if response is None:
        assert office.names() == ["request.discarded"]
    else:
        assert answers(response, request)
        assert len(office.records) <= 1


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_any_status_and_cause(status: int, cause: int) -> None:
    request = accounting_request(number(names.ACCT_STATUS_TYPE, status), number(names.ACCT_TERMINATE_CAUSE, cause))
    if status:
        name, fields = record_of(decode(request))
        assert name.startswith(("session.", "nas."))
        assert fields["cause"]


def corpus() -> list[object]:
    folder = os.environ.get("AAD_CORPUS")
    if not folder:
        return [pytest.param(b"", id="none", marks=pytest.mark.skip("AAD_CORPUS names no folder: no corpus"))]
    root = Path(folder) / "radius"
    with (root / "MANIFEST.tsv").open(newline="") as manifest:
        rows = list(csv.DictReader(manifest, delimiter="\t", quoting=csv.QUOTE_NONE))
    return [pytest.param((root / row["file"]).read_bytes(), id=row["file"]) for row in rows]


@pytest.mark.parametrize("datagram", corpus())
def test_what_others_made(office: Office, datagram: bytes) -> None:
    assert office.ask(datagram) is None  # none of them has our secret
    try:
        request = decode(datagram)
    except PacketError:
        return
    if request.code == names.ACCOUNTING_REQUEST:
        # The same with our secret: whatever its attributes hold, it is written down.
        attributes = [each for each in request.attributes if each[0] != names.MESSAGE_AUTHENTICATOR]
        assert office.ask(accounting_request(*attributes))
