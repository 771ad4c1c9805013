"""JSON Web Tokens signed with an RSA key (RFC 7519, RFC 7518 3.3 and 3.5). The door to RSA.

Only imported where a certificate or a service account is configured: RSA takes 80 ms and 4 MiB to load.
"""

from __future__ import annotations

import json
import ssl
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from Cryptodome.Hash import SHA256
from Cryptodome.PublicKey import RSA
from Cryptodome.Signature import pkcs1_15, pss

from aad.core.secret import Secret

_FEWEST_BITS = 2048  # RFC 7518 3.3 and 3.5: a key of 2048 bits or larger
_SCHEMES: Mapping[str, Callable[[RSA.RsaKey], Any]] = {"RS256": pkcs1_15.new, "PS256": pss.new}


class Signer:
    """Signs with one key."""

    def __init__(self, key: RSA.RsaKey, algorithm: str, names: Mapping[str, str]) -> None:
        """`algorithm`: "RS256" or "PS256". `names`: the header's parameters that name the key (RFC 7515 4.1)."""
        self._scheme = _SCHEMES[algorithm](key)
        self._header = _encoded({"alg": algorithm, "typ": "JWT", **names})

    def signed(self, claims: Mapping[str, Any]) -> str:
        """Return the claims as a JWT in its compact form, RFC 7515 7.1."""
        text = f"{self._header}.{_encoded(claims)}"
        return f"{text}.{_base64(self._scheme.sign(SHA256.new(text.encode())))}"


@dataclass(frozen=True, kw_only=True)
class ServiceAccount:
    """A service account of Google: its address, its token endpoint and its key."""

    email: str
    url: str
    signer: Signer


def by_certificate(certificate: bytes, key: Secret) -> Signer:
    """Return a signer for a certificate and its key, both in PEM. ValueError: what is wrong with them."""
    private = private_key(key)
    begin = certificate.find(b"-----BEGIN CERTIFICATE-----")
    end = b"-----END CERTIFICATE-----"
    try:
        first = certificate[begin : certificate.index(end) + len(end)].decode("ascii")
        der = ssl.PEM_cert_to_DER_cert(first)
        public = RSA.import_key(der)
    except (ValueError, IndexError):
        message = "holds no certificate of an RSA key in PEM"
        raise ValueError(message) from None
    if public.n != private.n:
        message = "is not the certificate of client_key"
        raise ValueError(message)
    # What Microsoft asks for now; RS256 with x5t, a SHA-1, was before.
    return Signer(private, "PS256", {"x5t#S256": _base64(sha256(der).digest())})


def by_service_account(file: Secret) -> ServiceAccount:
    """Read the JSON that Google makes for a service account's key. ValueError: what is wrong with it."""
    try:
        fields = json.loads(file.reveal())
        email, url, pem, name = (fields[key] for key in ("client_email", "token_uri", "private_key", "private_key_id"))
    except (ValueError, LookupError, TypeError, RecursionError):
        email = url = pem = name = None
    if not all(isinstance(one, str) for one in (email, url, pem, name)):
        message = "should be the JSON file of a service account's key, as Google makes it"
        raise ValueError(message)
    return ServiceAccount(email=email, url=url, signer=Signer(private_key(Secret(pem)), "RS256", {"kid": name}))


def private_key(pem: Secret) -> RSA.RsaKey:
    """Read a key in PEM. ValueError: what is wrong, never in the library's words, which may hold a part of the key."""
    try:
        key = RSA.import_key(pem.reveal())
    except (ValueError, IndexError, TypeError):
        key = None
    if key is None or not key.has_private():
        message = "should be a private RSA key in PEM, without a passphrase"
        raise ValueError(message)
    if key.size_in_bits() < _FEWEST_BITS:
        message = f"should be a key of {_FEWEST_BITS} bits or more"
        raise ValueError(message)
    return key


def _encoded(values: Mapping[str, Any]) -> str:
    return _base64(json.dumps(values, separators=(",", ":")).encode())


def _base64(octets: bytes) -> str:
    return urlsafe_b64encode(octets).rstrip(b"=").decode("ascii")
