"""Addresses with letters that aren't ASCII: to a server that takes them, to one that doesn't, and what is said."""

import asyncio
import email
import email.policy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aad.core.message import Message
from aad.ports import AddressRefusedError
from aad.senders.smtp import Smtp
from tests.parts.authority import Authority
from tests.parts.letter import code_in
from tests.parts.postfix import Postfix
from tests.senders.conftest import PASSWORD, account
from tests.senders.script import Script

NewSmtp = Callable[..., Smtp]
NewMessage = Callable[..., Message]
Within = Callable[[float], float]

REFUSED = r"^the mail server can't take an address with non-ASCII letters \(SMTPUTF8\)$"


def mailed(script: Script) -> list[str]:
    return [line for line in script.heard if not line.startswith(("EHLO", "QUIT"))]


async def test_without_smtputf8_the_address_is_refused_and_the_next_one_may_be_tried(
    script: Script, smtp: NewSmtp, message: NewMessage, within: Within
) -> None:
    async with smtp(script) as sender:
        assert sender.usable("zoë@example.com")
        with pytest.raises(AddressRefusedError, match=REFUSED):
            await sender.send(message("zoë@example.com"), within(10))
        assert not mailed(script)
        await sender.send(message("zoe@example.com"), within(10))
    assert mailed(script) == ["MAIL FROM:<noreply@company.com>", "RCPT TO:<zoe@example.com>", "DATA", "end"]
    assert script.connections == 1


async def test_smtputf8_is_said_only_where_it_is_needed(
    script: Script, smtp: NewSmtp, message: NewMessage, within: Within
) -> None:
    script.say("EHLO", "250-script\r\n250-8BITMIME\r\n250 SMTPUTF8")
    async with smtp(script) as sender:
        await sender.send(message("zoe\u0308@Bücher.example"), within(10))
        await sender.send(message("a@bücher.example"), within(10))
    assert mailed(script) == [
        "MAIL FROM:<noreply@company.com> BODY=8BITMIME SMTPUTF8",
        "RCPT TO:<zoë@xn--bcher-kva.example>",
        *("DATA", "end"),
        "MAIL FROM:<noreply@company.com>",
        "RCPT TO:<a@xn--bcher-kva.example>",
        *("DATA", "end"),
    ]


async def test_the_sender_s_domain_goes_in_ascii(
    script: Script, smtp: NewSmtp, message: NewMessage, within: Within
) -> None:
    async with smtp(script, sender_email="noreply@bücher.example") as sender:
        await sender.send(message(), within(10))
    assert mailed(script)[0] == "MAIL FROM:<noreply@xn--bcher-kva.example>"


@pytest.mark.parametrize("smtputf8", [True, False])
async def test_postfix(*, smtputf8: bool, smtp: NewSmtp, message: NewMessage, within: Within, tmp_path: Path) -> None:
    (tmp_path / "ca").mkdir()
    authority = Authority(tmp_path / "ca")
    settings: dict[str, Any] = {"host": "localhost", "security": "starttls", "ca_file": authority.ca_file}
    settings |= account(username="noreply@example.com")
    with Postfix(tmp_path, authority, "starttls", "noreply@example.com", PASSWORD, smtputf8=smtputf8) as postfix:
        async with smtp(postfix, **settings) as sender:
            await sender.send(message("a@bücher.example", code="111111"), within(20))
            if smtputf8:
                await sender.send(message("zoë@bücher.example", code="222222"), within(20))
            else:
                with pytest.raises(AddressRefusedError, match=REFUSED):
                    await sender.send(message("zoë@bücher.example"), within(20))
        plain = await asyncio.to_thread(postfix.wait, "a@xn--bcher-kva.example")
        assert code_in(plain) == "111111"
        if smtputf8:
            letter = await asyncio.to_thread(postfix.wait, "zoë@xn--bcher-kva.example")
            assert code_in(letter) == "222222"
            to = email.message_from_string(letter.raw.decode(), policy=email.policy.SMTPUTF8)["To"]
            assert to.addresses[0].addr_spec == "zoë@xn--bcher-kva.example"
