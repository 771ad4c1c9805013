"""What is relied on in aiosmtplib, whose transport is taken over; and a name server that is dead."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable
from typing import Any

import aiosmtplib
import pytest

from aad.core.message import Message
from aad.ports import Unavailable
from aad.senders.smtp import Smtp
from aad.senders.smtp.connect import Connector
from aad.senders.smtp.protocol import HungUpError, SmtpProtocol
from tests.parts.waiting import until
from tests.senders.script import HANG_UP, Script

NewSmtp = Callable[..., Smtp]
NewMessage = Callable[..., Message]
Within = Callable[[float], float]


async def test_the_transport_of_aiosmtplib_can_be_taken_over(script: Script) -> None:
    before = asyncio.all_tasks()
    sock = await Connector("127.0.0.1", script.port).connect(5)
    smtp = aiosmtplib.SMTP(
        hostname="127.0.0.1", sock=sock, local_hostname="[127.0.0.1]", use_tls=False, start_tls=False
    )
    await smtp.connect()
    await smtp.ehlo()
    transport = smtp.transport
    assert isinstance(transport, asyncio.Transport)
    assert isinstance(transport.get_protocol(), aiosmtplib.protocol.SMTPProtocol)
    ours = SmtpProtocol(transport)
    assert [answer.code for answer in await ours.ask(b"NOOP", timeout=5)] == [250]
    assert transport.get_protocol() is ours
    assert smtp.transport is transport  # it is still there, and neither it nor a task of aiosmtplib does anything to it
    # the script's own task for the connection may be among these
    assert not [task for task in asyncio.all_tasks() - before if "aiosmtplib" in repr(task)]
    script.say("NOOP", HANG_UP)
    with pytest.raises(HungUpError):
        await ours.ask(b"NOOP", timeout=5)
    assert not ours.open


async def test_aiosmtplib_knows_what_connect_asks_it(script: Script) -> None:
    script.say("EHLO", "250-script\r\n250-PIPELINING\r\n250-SMTPUTF8\r\n250 AUTH CRAM-MD5 LOGIN PLAIN XOAUTH2")
    script.say("AUTH", "535 5.7.8 no")
    async with aiosmtplib.SMTP(hostname="127.0.0.1", port=script.port, start_tls=False) as smtp:
        await smtp.ehlo()
        assert smtp.supports_extension("pipelining")
        assert smtp.supports_extension("smtputf8")
        assert "xoauth2" in smtp.server_auth_methods
        smtp.AUTH_METHODS = ("plain", "login", "cram-md5")
        assert smtp.supported_auth_methods == ["plain", "login", "cram-md5"]
        with pytest.raises(aiosmtplib.SMTPAuthenticationError):
            await smtp.login(b"noreply", b"secret")
    tried = [line.split()[1] for line in script.heard if line.startswith("AUTH")]
    assert tried[0] == "PLAIN"


async def test_a_dead_name_server_is_named_and_the_addresses_of_the_last_time_are_used(
    script: Script, smtp: NewSmtp, message: NewMessage, within: Within, monkeypatch: pytest.MonkeyPatch
) -> None:
    alive, real = threading.Event(), socket.getaddrinfo

    def getaddrinfo(host: str, *more: Any, **options: Any) -> list[Any]:
        if host == "mail.example":
            alive.wait()
            host = "127.0.0.1"
        return real(host, *more, **options)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    async with smtp(script, host="mail.example", timeout=0.4, idle=0.1) as sender:
        with pytest.raises(Unavailable, match=r"mail\.example:\d+: no answer to what the address of mail\.example is"):
            await sender.probe()
        alive.set()
        await asyncio.to_thread(until, lambda: not [t for t in threading.enumerate() if "mail.example" in t.name])
        alive.clear()
        await sender.send(message(), within(10))
        alive.set()
    assert script.heard.count("end") == 1
