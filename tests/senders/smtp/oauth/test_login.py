"""Mail behind an OAuth 2 login: a token endpoint and a mail server of the tests' own, over TLS."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from aad.core.message import Message, Receipt
from aad.core.secret import Secret
from aad.ports import Unavailable
from aad.senders.smtp import Smtp
from tests.parts.authority import Authority
from tests.parts.connect_proxy import OPEN, ConnectProxy
from tests.parts.mailbox import Mailbox, Security
from tests.parts.tokens import Identity, TokenServer
from tests.senders.conftest import nothing_leaks
from tests.senders.script import HANG_UP, Script, eventually_sent

Make = Callable[..., Smtp]
Send = Callable[..., Awaitable[Receipt]]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def identity() -> Identity:
    return Identity()


@pytest.fixture
def issuer(authority: Authority, identity: Identity) -> Iterator[TokenServer]:
    with TokenServer(authority, identity) as running:
        yield running


@pytest.fixture
def mailbox(authority: Authority, issuer: TokenServer) -> Iterator[Mailbox]:
    with Mailbox(authority, "tls", tokens=issuer.knows) as running:
        yield running


@pytest.fixture
def by_token(settings: dict[str, Any], smtp: Make) -> Make:
    """Make a sender for a server; keywords change its settings, which log in with a token and a secret."""
    return lambda server, **changes: smtp(server, **{**settings, **changes})


@pytest.fixture
def send(message: Callable[..., Message], within: Callable[[float], float]) -> Send:
    """Send one mail within seconds."""
    return lambda sender, seconds=10.0: sender.send(message(), within(seconds))


@pytest.fixture
def settings(authority: Authority, issuer: TokenServer) -> dict[str, Any]:
    """Return the keys of a sender that logs in with a token and a secret."""
    return {
        "host": "localhost",
        "security": "tls",
        "ca_file": authority.ca_file,
        "authentication": "xoauth2",
        "username": issuer.mailbox,
        "token_url": issuer.url,
        "token_ca_file": authority.ca_file,
        "client_id": issuer.client_id,
        "client_secret": Secret(issuer.secret),
    }


def told_nothing(error: Unavailable, issuer: TokenServer) -> None:
    nothing_leaks(error, issuer.secret, issuer.mailbox, issuer.refresh_token, *issuer.granted)


async def test_one_token_serves_many_mails(
    *, by_token: Make, send: Send, mailbox: Mailbox, issuer: TokenServer
) -> None:
    async with by_token(mailbox) as sender:
        for _ in range(3):
            await asyncio.gather(*(send(sender) for _ in range(20)))
        said = await sender.probe()
    assert len(mailbox.messages) == 60
    assert mailbox.logins > 1
    assert len(issuer.asked) == 1
    assert said.startswith(
        f"localhost:{mailbox.port}: TLS 1.3, authenticated, token endpoint localhost:{issuer.port}: "
    )
    assert said.partition("good for ")[2][0] in "35"  # 57m, or 3417s


@pytest.fixture
def grants(identity: Identity, issuer: TokenServer, tmp_path: Path) -> dict[str, dict[str, Any]]:
    """Return the keys for each way to get a token."""
    file = tmp_path / "app.pem"
    file.write_bytes(identity.certificate)
    certificate = {"client_secret": None, "client_certificate": file, "client_key": Secret(identity.key)}
    refresh = {"refresh_token": Secret(issuer.refresh_token)}
    account = {"service_account": Secret(identity.service_account(issuer.url))}
    return {
        "secret": {},
        "certificate": certificate,
        "refresh token": refresh,
        "refresh token and certificate": {**refresh, **certificate},
        "service account": {**account, "client_secret": None, "client_id": "", "token_url": ""},
    }


@pytest.mark.parametrize("security", ["starttls", "tls"])
@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("secret", "client_credentials"),
        ("certificate", "client_credentials"),
        ("refresh token", "refresh_token"),
        ("refresh token and certificate", "refresh_token"),
        ("service account", "urn:ietf:params:oauth:grant-type:jwt-bearer"),
    ],
)
async def test_each_grant(  # noqa: PLR0913 - two of them are the cases
    *,
    name: str,
    kind: str,
    security: Security,
    by_token: Make,
    send: Send,
    grants: Any,
    authority: Authority,
    issuer: TokenServer,
) -> None:
    with Mailbox(authority, security, tokens=issuer.knows) as mailbox:
        sender = by_token(mailbox, security=security, **grants[name])
        assert not list(sender._settings.faults())
        async with sender:
            await send(sender, 20)
        assert len(mailbox.messages) == 1
    assert [fields["grant_type"] for fields in issuer.asked] == [kind]


async def test_a_token_is_renewed_in_advance(
    *, by_token: Make, send: Send, mailbox: Mailbox, issuer: TokenServer
) -> None:
    issuer.life = 2
    async with by_token(mailbox, idle=0.1) as sender:
        await send(sender)
        async with asyncio.timeout(10):
            while len(issuer.granted) < 3:  # noqa: ASYNC110 - it is another thread that grants
                await asyncio.sleep(0.02)
        issuer.hold()  # the next one is late: nobody minds
        await send(sender, 1)
    assert len(mailbox.messages) == 2
    assert mailbox.logins == 2


async def test_a_following_refresh_token_is_used_and_may_be_withdrawn(
    *, by_token: Make, send: Send, mailbox: Mailbox, issuer: TokenServer
) -> None:
    issuer.following = "2//next"
    async with by_token(mailbox, refresh_token=Secret(issuer.refresh_token)) as sender:
        await send(sender)
        issuer.revoke()
        await sender.probe()
        assert [fields["refresh_token"] for fields in issuer.asked] == [issuer.refresh_token, "2//next"]
        sender._tokens._replaced = -100.0  # type: ignore[union-attr]  # as if that was long ago
        issuer.revoke()
        issuer.refuse("invalid_grant")
        with pytest.raises(Unavailable, match="refuses: invalid_grant"):
            await sender.probe()
        issuer.instead = None
        await sender.probe()
    assert issuer.asked[-1]["refresh_token"] == issuer.refresh_token


async def test_a_revoked_token_is_replaced_and_the_mail_goes(
    *, by_token: Make, send: Send, mailbox: Mailbox, issuer: TokenServer
) -> None:
    async with by_token(mailbox) as sender:
        await sender.probe()
        issuer.revoke()
        await asyncio.gather(*(send(sender) for _ in range(8)))
    assert len(mailbox.messages) == 8
    assert len(issuer.asked) == 2


async def test_a_mailbox_that_refuses_every_token_is_told_of_and_doesn_t_make_us_ask_for_more(
    *, by_token: Make, send: Send, settings: Any, mailbox: Mailbox, issuer: TokenServer
) -> None:
    settings |= {"username": "other@company.com"}
    async with by_token(mailbox) as sender:
        for _ in range(3):
            with pytest.raises(
                Unavailable, match=r"refuses the access token: 535 5\.7\.8 Authentication cred"
            ) as refused:
                await sender.probe()
            told_nothing(refused.value, issuer)
        with pytest.raises(Unavailable, match="refuses the access token: 535"):
            await send(sender)
    assert len(issuer.asked) == 2
    assert not mailbox.messages


async def test_microsoft_s_words_are_repeated(*, by_token: Make, script: Script) -> None:
    script.say("EHLO", "250-script\r\n250 AUTH LOGIN XOAUTH2")
    script.say("AUTH", "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant.")
    async with by_token(script, host="127.0.0.1", security="none") as sender:
        with pytest.raises(
            Unavailable, match=r"535 5\.7\.139 Authentication unsuccessful, is disabled for the Tenant$"
        ):
            await sender.probe()
        script.say("AUTH", "454 4.7.0 Temporary authentication failure")
        with pytest.raises(Unavailable, match=r"can't check the access token now: 454 4\.7\.0 Temporary"):
            await sender.probe()
        script.say("AUTH", "334 eyJzdGF0dXMiOiI0MDAifQ==")
        script.say("", "334 eyJzdGF0dXMiOiI0MDAifQ==")
        with pytest.raises(Unavailable, match=r"refuses the access token: 334$"):
            await sender.probe()
        script.say("AUTH", HANG_UP)
        with pytest.raises(Unavailable, match="hung up"):
            await sender.probe()


async def test_no_token_is_sent_where_it_isn_t_asked_for(*, by_token: Make, script: Script) -> None:
    script.say("EHLO", "250-script\r\n250 AUTH LOGIN PLAIN")
    async with by_token(script, host="127.0.0.1", security="none") as sender:
        with pytest.raises(Unavailable, match=r"no authentication that we know \(XOAUTH2\)"):
            await sender.probe()
    assert not [line for line in script.heard if line.startswith("AUTH")]


async def test_a_wrong_secret_is_said_in_clear_words(
    *, by_token: Make, send: Send, mailbox: Mailbox, issuer: TokenServer
) -> None:
    described = f"AADSTS7000215: Invalid client secret {issuer.secret} provided. Trace ID: 1-2-3"
    issuer.refuse("invalid_client", described, status=401)
    says = "refuses: invalid_client: AADSTS7000215: Invalid client secret provided"
    words = f"^token endpoint localhost:{issuer.port}: {says}$"
    async with by_token(mailbox) as sender:
        for _ in range(2):
            with pytest.raises(Unavailable, match=words) as refused:
                await send(sender)
            assert refused.value.where == "sender mail"
            told_nothing(refused.value, issuer)
        with pytest.raises(Unavailable, match=words):
            await sender.probe()
    assert not mailbox.logins


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((302, {"Location": "https://localhost:1/"}, b""), "answers 302, a redirect, which is not followed"),
        ((200, {}, b"<html>Welcome to the hotel's network</html>"), "answers without a usable access_token"),
        ((200, {}, b" " * 10_000_000), "answers with more than 65536 octets"),
        ((200, {"X-Long": "x" * 100_000}, b""), "(its answer is no HTTP|answers with more than)"),
        ((503, {"Retry-After": "5"}, b"busy"), "answers 503$"),
        ((200, {"Content-Length": "5000"}, b"{}"), "its answer is no HTTP, or cut short"),
    ],
)
async def test_what_is_no_answer(
    *, by_token: Make, answer: Any, words: str, mailbox: Mailbox, issuer: TokenServer
) -> None:
    issuer.instead = answer
    async with by_token(mailbox) as sender:
        with pytest.raises(Unavailable, match=f"^token endpoint localhost:{issuer.port}: {words}") as refused:
            await sender.probe()
        told_nothing(refused.value, issuer)
    assert not mailbox.logins


async def test_an_answer_in_chunks_is_read(*, by_token: Make, mailbox: Mailbox, issuer: TokenServer) -> None:
    token = b'{"access_token": "in-chunks", "expires_in": "60"}'
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (token[:7], token[7:])) + b"0\r\n\r\n"
    issuer.instead = (200, {"Transfer-Encoding": "chunked", "Content-Length": ""}, chunks)
    issuer._good.add("in-chunks")
    async with by_token(mailbox) as sender:
        assert "good for 5" in await sender.probe()


async def test_a_token_endpoint_that_hangs_holds_nobody_past_his_deadline(
    *, by_token: Make, send: Send, message: Any, mailbox: Mailbox, issuer: TokenServer
) -> None:
    issuer.hold()
    async with by_token(mailbox) as sender:
        began = time.monotonic()
        sends = [send(sender, 0.5) for _ in range(20)]
        told = await asyncio.gather(*sends, return_exceptions=True)
        assert time.monotonic() - began < 1.5
        why = f"the mail server did not take the mail in time; token endpoint localhost:{issuer.port}: no answer yet"
        assert {str(one) for one in told} == {why}
        assert len(issuer.asked) == 1
        issuer.release()
        await eventually_sent(sender, message())
    assert len(mailbox.messages) == 1


async def test_a_token_endpoint_that_is_down_fails_fast_and_is_back_soon(
    *, by_token: Make, send: Send, message: Any, mailbox: Mailbox, issuer: TokenServer
) -> None:
    issuer.stop()
    words = f"^token endpoint localhost:{issuer.port}: .*(Connect call failed|refused)"
    async with by_token(mailbox) as sender:
        for _ in range(3):
            began = time.monotonic()
            with pytest.raises(Unavailable, match=words):
                await send(sender)
            assert time.monotonic() - began < 1
        issuer.start()
        assert await eventually_sent(sender, message()) == Receipt()


async def test_a_token_endpoint_in_false_clothes_gets_no_secret(
    *, by_token: Make, settings: Any, mailbox: Mailbox, issuer: TokenServer, tmp_path: Path
) -> None:
    settings |= {"token_ca_file": Authority(tmp_path).ca_file}
    async with by_token(mailbox) as sender:
        with pytest.raises(
            Unavailable, match=r"token endpoint localhost:.*: its certificate is not to be trusted: .*local"
        ):
            await sender.probe()
    settings |= {"token_url": f"https://localhost:{mailbox.port}/"}
    (tmp_path / "empty.pem").touch()
    async with by_token(mailbox) as sender:
        with pytest.raises(Unavailable, match="token endpoint localhost"):
            await sender.probe()
    async with by_token(mailbox, token_ca_file=tmp_path / "empty.pem") as sender:
        with pytest.raises(Unavailable, match="token_ca_file can't be read: no certificate in it"):
            await sender.probe()
    assert not issuer.asked


async def test_a_token_endpoint_without_tls_or_http(*, by_token: Make, script: Script) -> None:
    async with by_token(script, token_url=f"https://127.0.0.1:{script.port}/") as sender:
        with pytest.raises(Unavailable, match=r"TLS failed: .*\(is token_url right\?\)"):
            await sender.probe()
    async with by_token(script, token_url=f"http://127.0.0.1:{script.port}/", timeout=1.0) as sender:
        with pytest.raises(Unavailable, match=r"no answer within 1s|its answer is no HTTP"):
            await sender.probe()
    async with by_token(script, token_url="https://nowhere.invalid/", timeout=5.0) as sender:
        with pytest.raises(Unavailable, match=r"^token endpoint nowhere\.invalid: "):
            await sender.probe()


async def test_no_secret_is_logged_by_anybody(
    *, by_token: Make, send: Send, mailbox: Mailbox, issuer: TokenServer, caplog: Any
) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("mail.log").setLevel(logging.CRITICAL)  # the test's own mail server
    async with by_token(mailbox) as sender:
        await send(sender)
        issuer.revoke()
        await sender.probe()
    assert issuer.granted
    assert not [secret for secret in (issuer.secret, *issuer.granted) if secret in caplog.text]


async def test_a_sender_with_a_token_may_be_entered_again(*, by_token: Make, send: Send, mailbox: Mailbox) -> None:
    sender = by_token(mailbox)
    for _ in range(2):
        async with sender:
            await send(sender)
        with pytest.raises(Unavailable, match="stopped"):
            await send(sender)
    assert len(mailbox.messages) == 2


@pytest.fixture
def proxy() -> Iterator[ConnectProxy]:
    with ConnectProxy() as running:
        yield running


async def test_a_token_comes_through_a_proxy_only_if_a_setting_names_it(
    *,
    by_token: Make,
    send: Send,
    mailbox: Mailbox,
    issuer: TokenServer,
    proxy: ConnectProxy,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, proxy.url)
    async with by_token(mailbox) as sender:
        await send(sender)
    assert not proxy.targets
    async with by_token(mailbox, token_proxy=proxy.url) as sender:
        await send(sender)
    assert proxy.targets == [f"localhost:{issuer.port}"]
    assert len(mailbox.messages) == 2


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (b"HTTP/1.1 403 Forbidden\r\n\r\n", "answers 403$"),
        (b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 5\r\n\r\nlogin", "answers 407$"),
        (b"HTTP/1.1 302 Found\r\nLocation: https://evil.example.com/\r\n\r\n", "answers 302$"),
        (b"", "answers no HTTP, or hung up$"),
        (b"SSH-2.0-proxy\r\n\r\n", "answers no HTTP, or hung up$"),
        (b"HTTP/1.1 200 " + b"x" * 1_000_000, "answers no HTTP, or hung up$"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 10_000, "answers with more than 65536 octets$"),
        (OPEN + b"HTTP/1.1 200 OK\r\n\r\n{}", "says more than that the tunnel is open$"),
    ],
)
async def test_what_a_proxy_may_answer(
    *, by_token: Make, mailbox: Mailbox, issuer: TokenServer, proxy: ConnectProxy, reply: bytes, words: str
) -> None:
    proxy.reply = reply
    who = f"token endpoint localhost:{issuer.port}: the proxy 127.0.0.1:{proxy.port}"
    async with by_token(mailbox, token_proxy=proxy.url) as sender:
        with pytest.raises(Unavailable, match=f"^{who} {words}"):
            await sender.probe()
    assert not issuer.asked


async def test_a_proxy_can_t_pass_for_the_token_endpoint_nor_hold_a_login(
    *, by_token: Make, mailbox: Mailbox, issuer: TokenServer, proxy: ConnectProxy, settings: Any, tmp_path: Path
) -> None:
    async with by_token(mailbox, token_proxy=proxy.url, token_ca_file=Authority(tmp_path).ca_file) as sender:
        with pytest.raises(Unavailable, match="its certificate is not to be trusted"):
            await sender.probe()
    proxy.reply = b"HTTP/1.1 "
    async with by_token(mailbox, token_proxy=proxy.url, timeout=0.5) as sender:
        with pytest.raises(Unavailable, match=f"no answer within 500ms through the proxy 127.0.0.1:{proxy.port}$"):
            await sender.probe()
    proxy.stop()
    async with by_token(mailbox, token_proxy=proxy.url) as sender:
        with pytest.raises(Unavailable, match=rf": the proxy 127\.0\.0\.1:{proxy.port}: .*(Connect call|refused)"):
            await sender.probe()
    assert not issuer.asked
