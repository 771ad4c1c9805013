"""A mail server that takes sender, recipient and DATA in one go (RFC 2920): each mail arrives once, for its user."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from aad.core.message import Message, Receipt
from aad.ports import AddressRefusedError, Deferred, Unavailable, Underway
from aad.senders.smtp import Smtp
from tests.senders.script import HANG_UP, SILENCE, Script, eventually_sent

NewSmtp = Callable[..., Smtp]
NewMessage = Callable[..., Message]
Within = Callable[[float], float]
NOBODY = "554 5.5.1 no valid recipients"


@pytest.fixture
def script(script: Script) -> Script:
    script.say("EHLO", "250-script.example.com\r\n250 PIPELINING")
    return script


def bodies(script: Script) -> int:
    return script.heard.count("end")


@asynccontextmanager
async def patient(answers: bytes) -> AsyncIterator[Any]:
    """Serve one who answers nothing but EHLO until DATA has come, and then octet by octet."""
    heard: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hello\r\n")
        await reader.readline()
        writer.write(b"250-hello\r\n250 PIPELINING\r\n")
        heard.append(await reader.readuntil(b"DATA\r\n"))
        for octet in answers:
            writer.write(bytes((octet,)))
            await writer.drain()
            await asyncio.sleep(0)
        heard.append(await reader.readuntil(b"\r\n.\r\n"))
        writer.write(b"250 2.0.0 Ok: queued as 4XyZ\r\n")
        await reader.read()
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    yield SimpleNamespace(port=server.sockets[0].getsockname()[1], heard=heard)
    server.close()


async def test_the_envelope_goes_in_one_write(smtp: NewSmtp, message: NewMessage, within: Within) -> None:
    async with (
        patient(b"250-2.1.0\r\n250 Ok\r\n250 2.1.5 Ok\r\n354-go\r\n354 on\r\n") as server,
        smtp(server, timeout=2.0) as sender,
    ):
        assert await sender.send(message(), within(10)) == Receipt(queue_id="4XyZ")
    assert server.heard[0] == b"MAIL FROM:<noreply@company.com>\r\nRCPT TO:<alice@example.com>\r\nDATA\r\n"
    assert b"123456" in server.heard[1]


async def test_mails_one_after_the_other(script: Script, smtp: NewSmtp, message: NewMessage, within: Within) -> None:
    async with smtp(script, connections=1) as sender:
        for _ in range(3):
            await sender.send(message(), within(10))
    assert bodies(script) == 3
    assert script.connections == 1
    assert "RSET" not in script.heard


@pytest.mark.parametrize(
    ("answer", "raised"),
    [("550 5.1.1 unknown", AddressRefusedError), ("450 4.2.1 later", Deferred), ("530 5.7.0", Unavailable)],
)
async def test_a_refused_recipient_leaves_the_connection_in_step(
    answer: str, raised: type[Exception], script: Script, smtp: NewSmtp, message: NewMessage, within: Within
) -> None:
    async with smtp(script, connections=1) as sender:
        script.say("RCPT", answer, times=1)
        script.say("DATA", NOBODY, times=1)
        with pytest.raises(raised):
            await sender.send(message(), within(10))
        assert await sender.send(message("bob@example.com"), within(10)) == Receipt(queue_id="4XyZ")
    assert bodies(script) == script.connections == script.heard.count("RSET") == 1


async def test_a_server_that_waits_for_a_mail_to_nobody_gets_none(
    script: Script, smtp: NewSmtp, message: NewMessage, within: Within
) -> None:
    async with smtp(script, connections=1) as sender:
        script.say("RCPT", "550 5.1.1 unknown", times=1)
        with pytest.raises(AddressRefusedError):
            await sender.send(message(), within(10))
        await sender.send(message("bob@example.com"), within(10))
    assert bodies(script) == 1
    assert script.connections == 2


@pytest.mark.parametrize("cancelled", [True, False])
async def test_a_mail_may_be_withdrawn_until_its_content_is_sent(
    script: Script, smtp: NewSmtp, message: NewMessage, within: Within, *, cancelled: bool
) -> None:
    async with smtp(script, connections=1) as sender:
        script.hold("DATA")
        task = asyncio.create_task(sender.send(message(), within(20 if cancelled else 0.2)))
        await script.until("DATA")
        if cancelled:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        else:
            with pytest.raises(Underway) as left:
                await task
            assert left.value.later
            assert left.value.later.withdraw()
        script.release()
        await script.until_open(0)
        await eventually_sent(sender, message("bob@example.com"))
    assert bodies(script) == 1
    assert script.heard[-2] == "end"
    assert "RCPT TO:<bob@example.com>" in script.heard


@pytest.mark.parametrize("at", ["MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize("answer", [HANG_UP, SILENCE, "421 4.4.2 I close", "what?"])
async def test_what_breaks_before_the_content_is_sent_anew(
    at: str, answer: str, script: Script, smtp: NewSmtp, message: NewMessage, within: Within
) -> None:
    async with smtp(script, timeout=0.5, connections=1) as sender:
        await sender.send(message(), within(10))
        script.say(at, answer, times=1)
        await sender.send(message("bob@example.com"), within(10))
    assert bodies(script) == script.connections == 2


@pytest.mark.parametrize("at", ["MAIL", "RCPT", "DATA"])
async def test_a_fresh_connection_that_breaks_is_told(
    at: str, script: Script, smtp: NewSmtp, message: NewMessage, within: Within
) -> None:
    script.say(at, HANG_UP, times=1)
    async with smtp(script, connections=1) as sender:
        with pytest.raises(Unavailable, match="hung up"):
            await sender.send(message(), within(10))
    assert bodies(script) == 0


async def test_nothing_is_sent_again_once_the_content_was(
    script: Script, smtp: NewSmtp, message: NewMessage, within: Within
) -> None:
    async with smtp(script) as sender:
        await sender.send(message(), within(10))
        script.say("end", HANG_UP, times=1)
        with pytest.raises(Underway, match="hung up at DATA"):
            await sender.send(message(), within(10))
    assert bodies(script) == 2


async def test_data_refused(script: Script, smtp: NewSmtp, message: NewMessage, within: Within) -> None:
    async with smtp(script, connections=1) as sender:
        script.say("DATA", "451 4.3.0 later", times=1)
        with pytest.raises(Deferred):
            await sender.send(message(), within(10))
        await sender.send(message(), within(10))
    assert bodies(script) == script.connections == 1
