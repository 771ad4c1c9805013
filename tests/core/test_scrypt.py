"""A password's hash: RFC 7914, octet for octet, at a bounded cost."""

from __future__ import annotations

import base64

import pytest

from aad.core.scrypt import SALT_OCTETS, Hash, hash_password, read_hash
from aad.core.secret import Secret

SALT = bytes(range(SALT_OCTETS))
PASSWORD = Secret(b"cor\xffrect\0horse")
STORED = hash_password(PASSWORD, SALT)
SALT_64, HASH_64 = STORED.split("$")[2:]


@pytest.mark.parametrize(
    ("password", "salt", "costs", "begins"),
    [
        ("password", b"NaCl", (1024, 8, 16), "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162"),
        (
            "pleaseletmein",
            b"SodiumChloride",
            (16384, 8, 1),
            "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2",
        ),
    ],
)
def test_the_vectors_of_the_rfc(password: str, salt: bytes, costs: tuple[int, int, int], begins: str) -> None:
    """RFC 7914, 12; our hashes are the first half of its."""
    assert Hash(*costs, salt, bytes.fromhex(begins)).fits(Secret(password))


def test_a_hash_is_written_and_read() -> None:
    assert STORED.startswith("scrypt$n=16384,r=8,p=1$")
    assert str(read_hash(STORED)) == STORED
    assert read_hash(STORED).fits(PASSWORD)


@pytest.mark.parametrize(
    "typed",
    [b"", b"correct\0horse", b"cor\xffrect", b"cor\xffrect\0horse ", b"cor\xffrect\0horse\0", b"COR\xffRECT\0HORSE"],
)
def test_another_password_does_not_fit(typed: bytes) -> None:
    assert not read_hash(STORED).fits(Secret(typed))


def test_a_nul_at_the_end_is_refused() -> None:
    """HMAC (RFC 2104) pads its key with NULs: the hash would be that of the password without."""
    with pytest.raises(ValueError, match="can't end in a NUL"):
        hash_password(Secret(b"secret\0"), SALT)


def test_a_hash_does_not_show() -> None:
    shown = repr(read_hash(STORED))
    assert HASH_64 not in shown
    assert repr(read_hash(STORED).octets) not in shown


@pytest.mark.parametrize(
    "text",
    [
        "",
        "correct horse",
        "scrypt$",
        "$scrypt$ln=14,r=8,p=1$AAAA$AAAA",
        STORED + "\n",
        STORED.replace("16384", "16_384"),
        f"scrypt$n=16384,r=8,p=1${SALT_64}$" + base64.b64encode(bytes(31)).decode(),
        f"scrypt$n=16384,r=8,p=1${SALT_64}$" + HASH_64[:-1],
        f"scrypt$n=16384,r=8,p=1$====${HASH_64}",
        f"scrypt$n=16384,r=8,p=1$AAAA${HASH_64}",
    ],
)
def test_what_is_no_hash(text: str) -> None:
    with pytest.raises(ValueError, match=r"should be a hash that aad hash-password makes: scrypt\$n=16384") as caught:
        read_hash(text)
    assert HASH_64[:8] not in str(caught.value)


@pytest.mark.parametrize(
    "costs",
    [
        "n=2048,r=8,p=1",
        "n=16383,r=8,p=1",
        "n=0,r=8,p=1",
        "n=16384,r=0,p=1",
        "n=16384,r=8,p=0",
        "n=131072,r=8,p=1",
        "n=65536,r=16,p=1",
        "n=16384,r=8,p=5",
        "n=99999999,r=999,p=999",
    ],
)
def test_no_file_asks_for_gigabytes_or_hours_or_nothing(costs: str) -> None:
    with pytest.raises(ValueError, match="n a power of 2 from 4096, and n r p at most 524288"):
        read_hash(f"scrypt${costs}${SALT_64}${HASH_64}")


def test_the_dearest_hash_can_be_computed() -> None:
    assert not read_hash(f"scrypt$n=65536,r=8,p=1${SALT_64}${HASH_64}").fits(PASSWORD)
