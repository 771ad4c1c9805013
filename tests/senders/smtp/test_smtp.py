"""Mail over real connections: none, STARTTLS, TLS; with the right certificate and password, and the wrong ones."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aad.core.message import Message
from aad.ports import AddressRefusedError, Sender, Unavailable
from aad.senders.smtp import Smtp
from tests.parts.authority import Authority
from tests.parts.mailbox import Mailbox, Security, code_in
from tests.parts.postfix import Postfix
from tests.senders.conftest import PASSWORD, account, nothing_leaks
from tests.senders.script import HANG_UP, Script

NewSmtp = Callable[..., Smtp]
NewMessage = Callable[..., Message]
Within = Callable[[float], float]

_: type[Sender] = Smtp  # it keeps the port's promises, says mypy


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.mark.parametrize("security", ["none", "starttls", "tls"])
async def test_a_mail_arrives(
    security: Security, authority: Authority, smtp: NewSmtp, message: NewMessage, within: Within
) -> None:
    with Mailbox(authority, security) as mailbox:
        sender = smtp(mailbox, host="localhost", security=security, ca_file=authority.ca_file, sender_name="Help Desk")
        async with sender:
            receipt = await sender.send(message(), within(10))
            await sender.send(message(code="654321"), within(10))
        letters = mailbox.letters("alice@example.com")
    assert [code_in(letter) for letter in letters] == ["123456", "654321"]
    assert letters[0].sender == "noreply@company.com"
    assert letters[0].recipients == ("alice@example.com",)
    assert letters[0].subject == "Your code: 123456"
    assert receipt.queue_id == ""


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_a_mail_arrives_behind_a_login(
    security: Security, authority: Authority, smtp: NewSmtp, message: NewMessage, within: Within
) -> None:
    with Mailbox(authority, security, "noreply", PASSWORD) as mailbox:
        settings = account(host="localhost", security=security, ca_file=authority.ca_file)
        async with smtp(mailbox, **settings) as sender:
            await sender.send(message(), within(10))
            said = await sender.probe()
        assert len(mailbox.messages) == 1
    assert said == f"localhost:{mailbox.port}: TLS 1.3, authenticated"


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_postfix_takes_and_refuses(
    *, security: Any, authority: Authority, smtp: NewSmtp, message: NewMessage, within: Within, tmp_path: Path
) -> None:
    refused = {"bob@example.com": "550 5.1.1 no such user", "carol@example.com": "450 4.2.1 later"}
    with Postfix(tmp_path, authority, security, "noreply@example.com", PASSWORD, refused=refused) as postfix:
        settings = account(host="localhost", security=security, ca_file=authority.ca_file)
        settings["username"] = "noreply@example.com"
        async with smtp(postfix, **settings) as sender:
            first = await sender.send(message(), within(20))
            with pytest.raises(AddressRefusedError, match=r"550 5\.1\.1"):
                await sender.send(message("bob@example.com"), within(20))
            with pytest.raises(Unavailable, match=r"450 4\.2\.1"):
                await sender.send(message("carol@example.com"), within(20))
            second = await sender.send(message(code="654321"), within(20))
        await asyncio.to_thread(postfix.wait, "alice@example.com", 2)
        assert {code_in(letter) for letter in postfix.letters("alice@example.com")} == {"123456", "654321"}
        assert f"{first.queue_id}: " in postfix.log()
        assert first.queue_id != second.queue_id


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_a_certificate_of_another_authority_is_not_trusted(
    security: Security, authority: Authority, smtp: NewSmtp, message: NewMessage, within: Within, tmp_path: Path
) -> None:
    with Mailbox(Authority(tmp_path), security, "noreply", PASSWORD) as mailbox:
        settings = account(host="localhost", security=security, ca_file=authority.ca_file)
        async with smtp(mailbox, **settings) as sender:
            with pytest.raises(Unavailable, match=r"certificate is not to be trusted: .*local issuer") as refused:
                await sender.send(message(), within(10))
            assert refused.value.where == "sender mail"
            nothing_leaks(refused.value)
        assert not mailbox.messages


@pytest.mark.parametrize(("names", "expired"), [(("other.example.net",), False), (("localhost",), True)])
async def test_a_certificate_of_another_name_or_time_is_not_trusted(
    *, names: tuple[str, ...], expired: bool, authority: Authority, smtp: NewSmtp, message: NewMessage, within: Within
) -> None:
    with Mailbox(security="tls", certificate=authority.certificate(*names, expired=expired)) as mailbox:
        settings = {"host": "localhost", "security": "tls", "ca_file": authority.ca_file}
        async with smtp(mailbox, **settings) as sender:
            with pytest.raises(Unavailable, match=r"not to be trusted: (Hostname mismatch|certificate has expired)"):
                await sender.send(message(), within(10))


async def test_a_wrong_password_is_said_in_clear_words(
    authority: Authority, smtp: NewSmtp, message: NewMessage, within: Within
) -> None:
    with Mailbox(authority, "tls", "noreply", "another") as mailbox:
        settings = account(host="localhost", security="tls", ca_file=authority.ca_file)
        async with smtp(mailbox, **settings) as sender:
            with pytest.raises(Unavailable, match="refuses the user name or password: 535") as refused:
                await sender.send(message(), within(10))
            nothing_leaks(refused.value, "noreply")
        mailbox.refuse("454 4.7.0 try again", at="auth")
        async with smtp(mailbox, **settings) as sender:
            with pytest.raises(Unavailable, match="can't check the user name and password now: 454"):
                await sender.probe()


async def test_no_login_on_offer(script: Script, smtp: NewSmtp) -> None:
    async with smtp(script, **account()) as sender:
        with pytest.raises(Unavailable, match="offers no authentication"):
            await sender.probe()
    assert [line for line in script.heard if not line.startswith("EHLO")] == []


@pytest.mark.parametrize("answer", ["", "454 4.7.0 not now", "220 go on"])
async def test_without_starttls_nothing_is_said_in_clear(
    answer: str, script: Script, smtp: NewSmtp, message: NewMessage, within: Within
) -> None:
    if answer:
        script.say("EHLO", "250-script\r\n250 STARTTLS")
        script.say("STARTTLS", answer)
    async with smtp(script, **account(security="starttls", timeout=1.0)) as sender:
        with pytest.raises(Unavailable) as refused:
            await sender.send(message(), within(10))
        nothing_leaks(refused.value)
    assert {line.partition(" ")[0] for line in script.heard if line.isascii() and line.isprintable()} <= {
        *("EHLO", "STARTTLS")
    }


@pytest.mark.parametrize("code", [501, 550, 551, 552, 553, 554, 555])
async def test_an_address_that_is_refused(
    code: int, script: Script, smtp: NewSmtp, message: NewMessage, within: Within
) -> None:
    script.say("RCPT", f"{code} 5.1.1 <alice@example.com>: no mailbox Alice here, said 123456", times=1)
    async with smtp(script) as sender:
        with pytest.raises(
            AddressRefusedError, match=f"refuses the address: {code} 5.1.1 no mailbox here, said$"
        ) as refused:
            await sender.send(message(), within(10))
        nothing_leaks(refused.value, "Alice")
        assert (await sender.send(message(), within(10))).queue_id == "4XyZ"
    assert script.connections == 1
    assert "RSET" in script.heard


@pytest.mark.parametrize(
    ("at", "answer"),
    [
        ("banner", "554 5.7.1 you are on a list"),
        ("banner", "hello"),
        ("banner", HANG_UP),
        ("EHLO", "550 who are you"),
        ("MAIL", "550 5.7.1 not from alice@example.com"),
        ("MAIL", HANG_UP),
        ("RCPT", "421 4.3.0 alice@example.com later"),
        ("RCPT", "450 4.2.1 alice@example.com: greylisted 123456"),
        ("RCPT", "451 4.3.0 later"),
        ("RCPT", "452 4.2.2 later"),
        ("RCPT", "530 5.7.0 log in first"),
        ("RCPT", "2x0 what"),
        ("DATA", "554 5.5.1 no"),
        ("end", "451 4.3.0 later"),
        ("end", "421 4.3.0 later"),
        ("end", "554 5.7.1 spam: 123456 for alice@example.com"),
        ("end", "552 5.3.4 too big"),
        ("end", "550 no"),
    ],
)
async def test_what_is_not_the_address_s_fault(
    at: str, answer: str, script: Script, smtp: NewSmtp, message: NewMessage, within: Within
) -> None:
    script.say(at, answer, times=1)
    async with smtp(script) as sender:
        with pytest.raises(Unavailable) as refused:
            await sender.send(message(), within(10))
    assert refused.value.where == "sender mail"
    nothing_leaks(refused.value)
    assert script.heard.count("end") == (at == "end")


@pytest.mark.parametrize("answer", ["552 5.2.2 mailbox full", "550 5.1.10 RESOLVER.ADR.RecipientNotFound"])
async def test_an_address_that_is_refused_after_the_mail(
    answer: str, script: Script, smtp: NewSmtp, message: NewMessage, within: Within
) -> None:
    script.say("end", answer)
    async with smtp(script) as sender:
        with pytest.raises(AddressRefusedError, match=answer[:8]):
            await sender.send(message(), within(10))


@pytest.mark.parametrize("address", ["", "a@x, b@y", "a@b.com\r\nRCPT TO:<eve@b.com>", "a" * 2000, '"a b"@c.com'])
async def test_no_address_no_mail(
    address: str, script: Script, smtp: NewSmtp, message: NewMessage, within: Within
) -> None:
    async with smtp(script) as sender:
        assert not sender.usable(address)
        with pytest.raises(AddressRefusedError, match="is not one plain mail address"):
            await sender.send(message(address), within(10))
    assert not script.connections


async def test_a_name_that_leads_nowhere(smtp: NewSmtp, script: Script) -> None:
    with pytest.raises(Unavailable, match=r"^nowhere\.invalid:[0-9]+: .*"):
        await smtp(script, host="nowhere.invalid", timeout=5.0).probe()


async def test_nobody_listens(smtp: NewSmtp, script: Script) -> None:
    async with smtp(script) as sender:
        await script.__aexit__(None, None, None)
        with pytest.raises(Unavailable, match=r"Connect call failed|Connection refused"):
            await sender.probe()


async def test_it_may_be_entered_again(script: Script, smtp: NewSmtp, message: NewMessage, within: Within) -> None:
    sender = smtp(script)
    for _ in range(2):
        async with sender:
            await sender.send(message(), within(10))
        with pytest.raises(Unavailable, match="stopped"):
            await sender.send(message(), within(10))
    await asyncio.wait_for(script.until_open(0), 10)
    assert script.heard.count("QUIT") == 2
