"""What is asked of a token endpoint, and how its answers are read."""

import json
from typing import Any

import pytest

from aad.core.secret import Secret
from aad.ports import Unavailable
from aad.senders.smtp.oauth.requests import GrantRefusedError, OAuthClient, Token, endpoint, form, read

URL = "https://login.example.com/token"
HUSH = Secret("hush Azure.hush")


class Clear:
    """Signs nothing: the claims can be read."""

    def signed(self, claims: Any) -> str:
        return json.dumps(claims)


def oauth_client(**changes: Any) -> OAuthClient:
    return OAuthClient(**{"url": URL, "client_id": "the-app", "scope": "mail", **changes})


def answer(**said: Any) -> bytes:
    return json.dumps({"access_token": "abc", "token_type": "Bearer", "expires_in": 3599, **said}).encode()


def test_an_application_asks_in_its_own_name() -> None:
    assert form(oauth_client(client_secret=Secret("hüsh")), 1000.0, "n") == {
        "grant_type": "client_credentials",
        "client_id": "the-app",
        "client_secret": "hüsh",
        "scope": "mail",
    }


def test_an_application_asks_in_a_user_s_name() -> None:
    asked = form(oauth_client(scope="", client_secret=HUSH, refresh_token=Secret("1//x")), 1000.0, "n")
    assert (asked["grant_type"], asked["refresh_token"]) == ("refresh_token", "1//x")
    assert "scope" not in asked
    assert form(oauth_client(refresh_token=Secret("1//x")), 1000.0, "n").keys() == {
        *("grant_type", "refresh_token", "client_id", "scope")
    }


def test_a_certificate_signs_for_the_application() -> None:
    asked = form(oauth_client(signer=Clear()), 1000.9, "once")
    assert asked["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    assert json.loads(asked["client_assertion"]) == {
        "iss": "the-app",
        "sub": "the-app",
        "aud": URL,
        "jti": "once",
        "iat": 940,
        "nbf": 940,
        "exp": 1540,
    }


def test_a_service_account_signs_for_a_mailbox() -> None:
    asked = form(oauth_client(signer=Clear(), mailbox="noreply@example.com"), 1000.0, "n")
    assert asked.keys() == {"grant_type", "assertion"}
    assert json.loads(asked["assertion"]) == {
        "iss": "the-app",
        "sub": "noreply@example.com",
        "scope": "mail",
        "aud": URL,
        "iat": 940,
        "exp": 4540,
    }


@pytest.mark.parametrize(
    ("url", "host", "port", "path", "secure"),
    [
        (URL, "login.example.com", 443, "/token", True),
        ("https://login.example.com:8443/a/b?c=d", "login.example.com", 8443, "/a/b?c=d", True),
        ("http://[::1]:80", "::1", 80, "/", False),
        ("HTTP://localhost/x", "localhost", 80, "/x", False),
    ],
)
def test_an_endpoint_is_taken_apart(*, url: str, host: str, port: int, path: str, secure: bool) -> None:
    found = endpoint(url)
    assert (found.host, found.port, found.path, found.secure) == (host, port, path, secure)


@pytest.mark.parametrize(
    "url",
    [
        *("", "login.example.com", "ftp://a/b", "https://", "https:///x", "https://u:p@a/b", "https://a/b#c"),
        *("https://a b/c", "https://a/b\r\nX: y", "https://ä/b", "https://a:99999/", "https://[x/"),
    ],
)
def test_what_is_no_endpoint(url: str) -> None:
    with pytest.raises(ValueError, match="should be a URL such as https://"):
        endpoint(url)


def test_an_endpoint_has_a_name() -> None:
    assert str(endpoint(URL)) == "token endpoint login.example.com"
    assert str(endpoint("https://a:8443/")) == "token endpoint a:8443"


@pytest.mark.parametrize(
    ("expires_in", "life"),
    [
        *((3599, 3599), ("3599", 3599), (1.5, 1.5), (10**400, 600), (10**9, 86_400), (float("inf"), 86_400)),
        *((0, 600), (-5, 600), (None, 600), ("soon", 600), ([], 600), (float("nan"), 600)),
    ],
)
def test_how_long_a_token_lives(expires_in: Any, life: float) -> None:
    assert read(200, answer(expires_in=expires_in), ()) == Token(value=Secret("abc"), life=life)


def test_a_refresh_token_may_be_followed_by_another() -> None:
    token = read(200, answer(refresh_token="2//y"), ())
    assert token.refresh_token == Secret("2//y")
    assert oauth_client(refresh_token=Secret("1//x")).after(token).refresh_token == Secret("2//y")
    assert oauth_client().after(token).refresh_token is None
    for nothing in (None, 5, "", "ü"):
        assert read(200, answer(refresh_token=nothing), ()).refresh_token is None


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"<html>", b"[1]", b"[" * 60_000, b'{"access_token": 5}', b"\xff\xfe", b"9" * 5000),
        *(answer(access_token=""), answer(access_token="a\1b"), answer(access_token="ä"), answer(access_token="a b")),
        answer(access_token="x" * 8193),
    ],
)
def test_an_answer_without_a_token(body: bytes) -> None:
    with pytest.raises(Unavailable, match="answers without a usable access_token"):
        read(200, body, ())


def test_other_tokens_than_bearer_are_not_used() -> None:
    with pytest.raises(Unavailable, match="not of type Bearer"):
        read(200, answer(token_type="DPoP"), ())
    assert read(200, answer(token_type="bearer"), ())
    assert read(200, b'{"access_token": "abc"}', ())


@pytest.mark.parametrize(
    ("error", "description", "words"),
    [
        ("invalid_client", None, "invalid_client"),
        ("invalid_grant", "Token has been expired or revoked.", "invalid_grant: Token has been expired or revoked"),
        (
            "invalid_client",
            "AADSTS7000215: Invalid client secret provided. Ensure the value for app '4f2-9a' is right. Trace ID: 1",
            "invalid_client: AADSTS7000215: Invalid client secret provided. Ensure the value for app is right",
        ),
        ("invalid_client", "no hush AZURE.HUSH or xhushx, noreply@example.com 123456", "invalid_client: no or"),
        ("invalid_client", "a\r\nb\0c \x1b[1m", "invalid_client: a"),
        ("invalid_client", "word " * 500, "invalid_client: " + ("word " * 32)[:-1]),
    ],
)
def test_a_refusal_is_told_without_secrets(error: str, description: Any, words: str) -> None:
    body = json.dumps({"error": error, "error_description": description}).encode()
    with pytest.raises(GrantRefusedError) as refused:
        read(401, body, (HUSH, Secret("hush")))
    assert refused.value.what == f"refuses: {words}"


@pytest.mark.parametrize("body", [b"", b"Not now", b'{"error": "Bad Thing"}', b'{"error": {"code": 5}}'])
def test_a_failure_is_no_refusal(body: bytes) -> None:
    with pytest.raises(Unavailable, match=r"^answers 503$") as failed:
        read(503, body, ())
    assert not isinstance(failed.value, GrantRefusedError)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(status: int) -> None:
    with pytest.raises(Unavailable, match=f"answers {status}, a redirect, which is not followed"):
        read(status, answer(), ())


def test_nothing_prints() -> None:
    token = read(200, answer(access_token="shown", refresh_token="told"), ())
    asks = oauth_client(client_secret=Secret("shown"), refresh_token=Secret("told"))
    assert not any(word in repr(token) + repr(asks) for word in ("shown", "told"))
