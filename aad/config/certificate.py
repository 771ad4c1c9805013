"""The TLS certificate of [https]: loaded with its key, and its end."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from aad.core.secret import Secret

_UTC_TIME, _GENERALIZED_TIME, _VERSION = 0x17, 0x18, 0xA0


def context(chain: bytes, key: Secret) -> ssl.SSLContext:
    """Return the TLS context of a server. ValueError: certificate and key can't be used, and why.

    `chain`, `key`: PEM; the chain begins with our own certificate.
    """
    if b"-----BEGIN CERTIFICATE-----" not in chain:
        message = "is no certificate in PEM (-----BEGIN CERTIFICATE-----)"
        raise ValueError(message)
    if b"PRIVATE KEY-----" not in key.reveal():
        message = "its key isn't in PEM (-----BEGIN PRIVATE KEY-----)"
        raise ValueError(message)
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    made.set_ciphers("ECDHE+AESGCM:ECDHE+CHACHA20")  # of TLS 1.2: forward secret and authenticated ones
    made.set_alpn_protocols(["http/1.1"])
    try:
        with _file(chain) as certificate, _file(key.reveal()) as private:
            made.load_cert_chain(certificate, private, password=_refused)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            message = "doesn't belong to the key"
        else:
            message = f"can't be used with its key ({error.reason or 'it is encrypted, or no key'})"
        raise ValueError(message) from None
    return made


def ends(chain: bytes) -> float:
    """Return the end of the first certificate, in seconds since 1970. ValueError: it is no certificate."""
    begin = chain.find(b"-----BEGIN CERTIFICATE-----")
    end = chain.find(b"-----END CERTIFICATE-----", begin)
    try:
        der = ssl.PEM_cert_to_DER_cert(chain[begin : end + len(b"-----END CERTIFICATE-----")].decode("ascii"))
        # RFC 5280 4.1: [version], serialNumber, signature, issuer, and then validity: notBefore, notAfter.
        to_be_signed = next(_parts(next(_parts(der))[1]))[1]
        fields = [part for part in _parts(to_be_signed) if part[0] != _VERSION]
        kind, text = list(_parts(fields[3][1]))[1]
        form = {_UTC_TIME: "%y%m%d%H%M%SZ", _GENERALIZED_TIME: "%Y%m%d%H%M%SZ"}[kind]
        return datetime.strptime(text.decode("ascii"), form).replace(tzinfo=UTC).timestamp()
    except (ValueError, LookupError, StopIteration):
        message = "is no certificate"
        raise ValueError(message) from None


def _parts(der: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield tag and contents of each value in a piece of DER."""
    at = 0
    while at < len(der):
        tag, length, at = der[at], der[at + 1], at + 2
        if length & 0x80:
            octets = length & 0x7F
            length, at = int.from_bytes(der[at : at + octets], "big"), at + octets
        yield tag, der[at : at + length]
        at += length


@contextmanager
def _file(octets: bytes) -> Iterator[str]:
    """Yield a path to octets in memory: OpenSSL reads files only, and the key may come from elsewhere."""
    descriptor = os.memfd_create("aad", os.MFD_CLOEXEC)
    try:
        os.write(descriptor, octets)
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


def _refused() -> str:
    # Without this, OpenSSL would ask for the passphrase on the terminal.
    return ""
