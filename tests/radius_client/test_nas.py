"""Where a server is said to be."""

from __future__ import annotations

import pytest

from aad.radius_client.nas import host_and_port


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("radius.example.com", ("radius.example.com", 1812)),
        ("192.0.2.1:1645", ("192.0.2.1", 1645)),
        ("2001:db8::1", ("2001:db8::1", 1812)),
        ("[2001:db8::1]", ("2001:db8::1", 1812)),
        ("[2001:db8::1]:65535", ("2001:db8::1", 65535)),
    ],
)
def test_host_and_port_are_split(written: str, meant: tuple[str, int]) -> None:
    assert host_and_port(written) == meant


@pytest.mark.parametrize("written", ["", ":1812", "a:b", "a:65536", "a:999999999999", "a:1\u0662", "[::1]x", "a:-1"])
def test_what_is_neither_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="HOST or HOST:PORT"):
        host_and_port(written)
