"""RFC 2759 section 9.2, to the letter."""

from __future__ import annotations

from aad.radius.protocol import mschap
from tests.parts.mschap import CHALLENGE, NAME, PASSWORD, PEER_CHALLENGE, RESPONSE


def test_hash() -> None:
    assert mschap.nt_hash(PASSWORD) == bytes.fromhex("44EBBA8D5312B8D611474411F56989AE")


def test_response() -> None:
    assert mschap.nt_response(CHALLENGE, PEER_CHALLENGE, NAME, PASSWORD) == RESPONSE


def test_a_domain_does_not_count() -> None:
    assert mschap.nt_response(CHALLENGE, PEER_CHALLENGE, b"CORP\\User", PASSWORD) == RESPONSE


def test_authenticator_response() -> None:
    proof = mschap.authenticator_response(CHALLENGE, PEER_CHALLENGE, NAME, PASSWORD, RESPONSE)
    assert proof == b"S=407A5589115FD0D6209F510FE9C04566932CDA56"
