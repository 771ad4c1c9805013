"""MS-CHAPv2 (RFC 2759): the response to a challenge, and its acknowledgement. The only use of MD4 and DES.

Both are broken, and RFC 2759 allows no others; they are pycryptodomex's, as OpenSSL 3 has them no longer.
"""

from __future__ import annotations

from hashlib import sha1

from Cryptodome.Cipher import DES
from Cryptodome.Hash import MD4

_MAGIC_1 = b"Magic server to client signing constant"
_MAGIC_2 = b"Pad to make it do more than one iteration"


def nt_response(challenge: bytes, peer_challenge: bytes, name: bytes, password: str) -> bytes:
    """Return GenerateNTResponse, RFC 2759 8.1: 24 octets. Both challenges: 16 octets."""
    # RFC 2759 8.5: the hash, padded to 21 octets, is three keys for the same 8 octets.
    keys = nt_hash(password).ljust(21, b"\0")
    short = _challenge_hash(peer_challenge, challenge, name)
    return b"".join(_des(keys[at : at + 7], short) for at in (0, 7, 14))


def authenticator_response(
    challenge: bytes, peer_challenge: bytes, name: bytes, password: str, response: bytes
) -> bytes:
    """Return GenerateAuthenticatorResponse, RFC 2759 8.7: "S=" and 40 hexadecimal digits."""
    digest = _sha1(_md4(nt_hash(password)) + response + _MAGIC_1)
    return b"S=" + _sha1(digest + _challenge_hash(peer_challenge, challenge, name) + _MAGIC_2).hex().upper().encode()


def nt_hash(password: str) -> bytes:
    """Return NtPasswordHash, RFC 2759 8.3: 16 octets."""
    return _md4(password.encode("utf-16-le"))


def _challenge_hash(peer_challenge: bytes, challenge: bytes, name: bytes) -> bytes:
    # RFC 2759 8.2: "Only the user name (as presented by the peer and excluding any prepended domain name) is used".
    return _sha1(peer_challenge + challenge + name.rpartition(b"\\")[2])[:8]


def _sha1(octets: bytes) -> bytes:
    return sha1(octets, usedforsecurity=False).digest()


def _md4(octets: bytes) -> bytes:
    return MD4.new(octets).digest()  # noqa: S303


def _des(key: bytes, block: bytes) -> bytes:
    """Return DesEncrypt, RFC 2759 8.6: the 56 bits of `key` spread over 8 octets, of which DES ignores the lowest."""
    bits = int.from_bytes(key)
    spread = bytes((bits >> shift & 0x7F) << 1 for shift in range(49, -1, -7))
    return DES.new(spread, DES.MODE_ECB).encrypt(block)  # noqa: S304
