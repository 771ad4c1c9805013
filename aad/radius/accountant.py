"""Answers Accounting-Requests (RFC 2866): one record each, and the response once that is written."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from aad.core.secret import Secret
from aad.logs.discards import Discards
from aad.ports import Record
from aad.radius import accounting
from aad.radius.clients import Client, Clients
from aad.radius.duplicates import NEW, Duplicates, key_of
from aad.radius.protocol import constants, packet
from aad.radius.protocol.packet import Request
from aad.radius.protocol.wire import PacketError
from aad.radius.udp import Origin, UdpSocket
from aad.radius.worker_relay import Relayed

AT_A_TIME = 16  # datagrams read before other tasks get their turn: logins come first


@dataclass(kw_only=True)
class Accountant:
    """Serves Accounting-Request and Status-Server on some UDP sockets.

    `clients()`: those in force now, the same as for logins; `lost()`: records lost since the start.
    """

    clients: Callable[[], Clients]
    record: Record
    lost: Callable[[], int]
    discards: Discards
    _duplicates: Duplicates[None] = field(default_factory=Duplicates)
    _sockets: Sequence[UdpSocket | Relayed] = field(default_factory=list)

    def listen(self, sockets: Sequence[UdpSocket | Relayed]) -> None:
        """Read from these sockets from now on."""
        self._sockets = sockets
        for each in sockets:
            asyncio.get_running_loop().add_reader(each.fileno(), self._readable, each)

    def close(self) -> None:
        """Close the sockets; no request is in progress, since writing a record never waits."""
        for each in self._sockets:
            asyncio.get_running_loop().remove_reader(each.fileno())
            each.close()

    def _readable(self, udp: UdpSocket | Relayed) -> None:
        for _ in range(AT_A_TIME):
            received = udp.receive()
            if received is None:
                return
            datagram, origin = received
            reply = self.reply(datagram, origin, time.monotonic())
            if reply is not None:
                udp.send(reply, origin)

    def reply(self, datagram: bytes, origin: Origin, now: float) -> bytes | None:
        """Write a record of `datagram`, unless it is a repetition, and return the response; None: discard it."""
        client = self.clients().find(origin.host)
        if client is None:
            self.discards.discard("no [clients.*] has its address", now, source=origin.host)
            return None
        try:
            request = accounting.decode(datagram)
            if request.code == constants.STATUS_SERVER:
                # RFC 5997 3: at this port it is answered with Accounting-Response.
                return packet.reply(request, constants.ACCOUNTING_RESPONSE, (), client.verified_secret(request))
            secret = accounting.secret_of(request, client.secrets)
        except PacketError as error:
            self.discards.discard(str(error), now, client=client.name, source=origin.host)
            return None
        return self._response(request, client, secret, key_of(origin.host, request.datagram), now)

    def _response(self, request: Request, client: Client, secret: Secret, key: bytes, now: float) -> bytes | None:
        sighting = self._duplicates.seen(key, None, now)
        if isinstance(sighting, bytes):
            return sighting
        if sighting is not NEW:
            return None
        written = False
        try:
            written = self._written(request, client)
        finally:
            if not written:
                self._duplicates.silent(key)
        if not written:
            # RFC 2866 4.1: a server that couldn't record the packet "MUST NOT send an Accounting-Response".
            self.discards.discard("its record could not be written", now, client=client.name)
            return None
        response = accounting.response(request, secret)
        self._duplicates.answered(key, response, now)
        return response

    def _written(self, request: Request, client: Client) -> bool:
        name, fields = accounting.record_of(request)
        lost = self.lost()
        self.record(name, client=client.name, login_event=client.event, **fields)
        return self.lost() == lost
