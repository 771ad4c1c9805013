"""The keys of OAuth 2: which go together; each wrong combination says what would be right."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from aad.core.secret import Secret
from aad.senders.smtp.settings import SmtpSettings
from tests.parts.tokens import Identity

MAIL = {"host": "smtp.office365.com", "sender_email": "noreply@company.com"}
BY_TOKEN = {**MAIL, "authentication": "xoauth2", "username": "noreply@company.com"}
HUSH = Secret("hush")
MICROSOFT = {"tenant": "contoso.onmicrosoft.com", "client_id": "the-app"}
GOOGLE = {"token_url": "https://oauth2.googleapis.com/token", "client_id": "the-app", "client_secret": HUSH}


@pytest.fixture(scope="module")
def identity() -> Identity:
    return Identity()


@pytest.fixture(scope="module")
def other() -> Identity:
    return Identity()


def settings(changes: dict[str, Any]) -> SmtpSettings:
    keys: dict[str, Any] = {**BY_TOKEN, **changes}
    return SmtpSettings(**keys)


def faults(changes: dict[str, Any]) -> dict[str, str]:
    return dict(settings(changes).faults())


@pytest.mark.parametrize(
    ("changes", "url", "scope"),
    [
        (
            {**MICROSOFT, "client_secret": HUSH},
            "https://login.microsoftonline.com/contoso.onmicrosoft.com/oauth2/v2.0/token",
            "https://outlook.office365.com/.default",
        ),
        (
            {**MICROSOFT, "refresh_token": HUSH},
            "https://login.microsoftonline.com/contoso.onmicrosoft.com/oauth2/v2.0/token",
            "https://outlook.office.com/SMTP.Send offline_access",
        ),
        ({**GOOGLE, "refresh_token": HUSH}, GOOGLE["token_url"], ""),
        ({**GOOGLE, "refresh_token": HUSH, "token_proxy": "http://[::1]:3128"}, GOOGLE["token_url"], ""),
        ({**GOOGLE, "token_url": "https://id.example.com/t", "scope": "a b"}, "https://id.example.com/t", "a b"),
        ({**GOOGLE, "token_url": "http://127.0.0.1/t"}, "http://127.0.0.1/t", ""),
        ({**GOOGLE, "token_url": "https://id.example.com/t", "authentication_required": True}, None, None),
    ],
)
def test_what_is_right(changes: dict[str, Any], url: str | None, scope: str | None) -> None:
    assert faults(changes) == {}
    asks = settings(changes).oauth_client("noreply@company.com")
    assert (asks.url, asks.scope) == (url or asks.url, asks.scope if scope is None else scope)
    assert (asks.client_id, asks.mailbox) == ("the-app", "")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {},
            {
                "tenant": "missing: .* Microsoft 365 .* Google",
                "client_id": "missing",
                "client_secret": "missing: .* or",
            },
        ),
        ({**MICROSOFT, "client_secret": HUSH, "username": ""}, {"username": "missing: should be the mailbox"}),
        ({**MICROSOFT, "client_secret": HUSH, "password": HUSH}, {"password": 'not with authentication = "xoauth2"'}),
        ({**MICROSOFT, "client_secret": HUSH, "security": "none"}, {"security": 'should be "tls" or "starttls"'}),
        ({**MICROSOFT, "client_secret": HUSH, "token_url": "https://a/"}, {"token_url": "not beside tenant"}),
        ({**MICROSOFT, "tenant": "a/../b", "client_secret": HUSH}, {"tenant": "contoso.onmicrosoft.com"}),
        ({**MICROSOFT, "client_id": "ä", "client_secret": HUSH}, {"client_id": "plain ASCII"}),
        ({**MICROSOFT, "client_secret": Secret(b"\xff")}, {"client_secret": "should be UTF-8"}),
        ({**MICROSOFT, "client_secret": HUSH, "scope": "a  b"}, {"scope": "one space"}),
        ({**MICROSOFT, "client_secret": HUSH, "token_ca_file": Path("/no.pem")}, {"token_ca_file": "can't be read"}),
        ({**MICROSOFT, "client_secret": HUSH, "client_key": HUSH}, {"client_key": "one of the two"}),
        ({**MICROSOFT, "client_certificate": Path("/no.pem")}, {"client_key": "client_certificate needs it"}),
        ({**MICROSOFT, "client_key": HUSH}, {"client_certificate": "client_key needs it"}),
        (
            {**MICROSOFT, "client_key": HUSH, "client_certificate": Path("/no.pem")},
            {"client_key": "private RSA key in PEM, without a passphrase"},
        ),
        (GOOGLE, {"refresh_token": "missing: Google wants one; .* service_account"}),
        ({**GOOGLE, "client_secret": None, "refresh_token": HUSH}, {"client_secret": "missing"}),
        ({**GOOGLE, "token_url": "http://id.example.com/t"}, {"token_url": "should begin with https"}),
        ({**GOOGLE, "token_url": "id.example.com"}, {"token_url": "should be a URL"}),
        *(
            ({**MICROSOFT, "client_secret": HUSH, "token_proxy": url}, {"token_proxy": "should be a URL such as http:"})
            for url in ("proxy:3128", "https://proxy:3128", "http://me:hush@proxy:3128", "http://proxy/x", "http://")
        ),
        ({"service_account": HUSH}, {"service_account": "should be the JSON file"}),
        (
            {"service_account": HUSH, **MICROSOFT},
            {"tenant": "not beside", "client_id": "not beside", "service_account": "should be the JSON file"},
        ),
        (
            {**MICROSOFT, "client_secret": HUSH, "authentication": "password"},
            dict.fromkeys(("tenant", "client_id", "client_secret"), 'only with authentication = "xoauth2"'),
        ),
    ],
)
def test_faults_say_what_would_be_right(changes: dict[str, Any], expected: dict[str, str]) -> None:
    found = faults(changes)
    assert list(found) == list(expected)
    for key, what in expected.items():
        assert re.search(what, found[key]), found[key]


def test_a_certificate_and_its_key(identity: Identity, other: Identity, tmp_path: Path) -> None:
    file = tmp_path / "app.pem"
    file.write_bytes(b"a heading\n" + identity.certificate + other.certificate)
    keys = {**MICROSOFT, "client_certificate": file, "client_key": Secret(identity.key)}
    assert faults(keys) == {}
    assert settings(keys).oauth_client("").signer
    assert (
        "is not the certificate of client_key"
        in faults({**keys, "client_key": Secret(other.key)})["client_certificate"]
    )
    public = faults({**keys, "client_key": Secret(identity.certificate)})
    assert "should be a private RSA key" in public["client_key"]
    for rubbish in (b"", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", identity.key, b"\xff"):
        file.write_bytes(rubbish)
        assert "holds no certificate of an RSA key" in faults(keys)["client_certificate"]
    file.unlink()
    assert "can't be read: No such file" in faults(keys)["client_certificate"]


def test_a_short_key_is_refused(identity: Identity) -> None:
    from cryptography.hazmat.primitives import serialization as s  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import rsa  # noqa: PLC0415

    short = rsa.generate_private_key(65537, 1024).private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, s.NoEncryption())
    keys = {**MICROSOFT, "client_certificate": Path("/no.pem"), "client_key": Secret(short)}
    assert faults(keys) == {"client_key": "should be a key of 2048 bits or more"}


def test_a_service_account_says_it_all(identity: Identity) -> None:
    said = identity.service_account("https://oauth2.googleapis.com/token")
    keys = {"service_account": Secret(said)}
    assert faults(keys) == {}
    asks = settings(keys).oauth_client("noreply@company.com")
    assert (asks.url, asks.mailbox) == ("https://oauth2.googleapis.com/token", "noreply@company.com")
    assert (asks.client_id, asks.scope) == ("aad@project.example.com", "https://mail.google.com/")
    clear = Secret(identity.service_account("http://evil.example.com/"))
    assert faults({"service_account": clear}) == {
        "service_account": "its token_uri should begin with https://: secrets are sent there"
    }
    for change in ({"private_key": 5}, {"private_key": "x"}, {"client_email": None}):
        assert "service_account" in faults({"service_account": Secret(json.dumps({**json.loads(said), **change}))})


def test_the_extra_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aad.senders.smtp.oauth.settings.NEEDS", ("h11", "no_such_module"))
    assert faults({**MICROSOFT, "client_secret": HUSH}) == {
        "authentication": "needs no_such_module: pip install 'aad[oauth]'"
    }
    assert faults({**MAIL, "authentication": "password", "username": "", "tenant": ""}) == {}


def test_what_is_unwise() -> None:
    found = settings({**MICROSOFT, "refresh_token": HUSH}).warnings()
    assert [key for key, _ in found] == ["refresh_token"]
    assert not list(settings({**GOOGLE, "refresh_token": HUSH}).warnings())
