"""A user's app or key fob: its secret, the codes it shows (RFC 4226, RFC 6238), and which are unused."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self
from urllib.parse import quote

from aad.core import one_time_code
from aad.core.answer import Answer, Plain
from aad.core.secret import Secret

SECRET_OCTETS = 20  # RFC 4226 4, R6: "We RECOMMEND a shared secret length of 160 bits"
LEAST_OCTETS, MOST_OCTETS = 16, 64  # R6: "MUST be at least 128 bits"


@dataclass(frozen=True)
class OtpToken:
    """A secret, and the first counter (for TOTP: time step) whose code hasn't been used, nor passed over."""

    secret: Secret
    next: int = 0

    def __post_init__(self) -> None:
        """Refuse secrets that could be guessed. ValueError."""
        if not LEAST_OCTETS <= len(self.secret) <= MOST_OCTETS:
            message = f"a token's secret has {LEAST_OCTETS} to {MOST_OCTETS} octets"
            raise ValueError(message)

    def encoded(self) -> Secret:
        """Return it as JSON, to be sealed."""
        return Secret(json.dumps({"secret": base32(self.secret), "next": self.next}))

    @classmethod
    def decoded(cls, kept: Secret) -> Self:
        """Read what `encoded` wrote."""
        data = json.loads(kept.reveal())
        return cls(from_base32(data["secret"]), data["next"])


@dataclass(frozen=True)
class Form:
    """How a token's codes are made; for TOTP there is a `period`, in seconds."""

    digits: int = 6
    algorithm: str = "sha1"
    period: int = 0


def shown_at(token: OtpToken, answer: Answer, counters: Iterable[int], form: Form) -> int | None:
    """Return which of `counters` gives the code that was answered: an unused one, if there is any; None: none does."""
    plain = bare(answer)
    found = [at for at in counters if plain.matches(one_time_code.at(token.secret, at, form.digits, form.algorithm))]
    return next((at for at in found if at >= token.next), found[-1] if found else None)


def bare(answer: Answer, others: bytes = b"") -> Answer:
    """Return the answer without blanks: apps show "123 456", and people type what they see. `others`: nor these."""
    if answer.text is None:
        return answer
    return Plain(Secret(answer.text.reveal().translate(None, b" " + others)))


def uri(token: OtpToken, form: Form, account: str, issuer: str) -> Secret:
    """Return the otpauth URI that apps read out of a QR code (the Key URI Format)."""
    kind, last = ("totp", f"period={form.period}") if form.period else ("hotp", f"counter={token.next}")
    label = f"{quote(issuer, safe='')}:{quote(account, safe='')}"
    return Secret(
        f"otpauth://{kind}/{label}?secret={base32(token.secret)}&issuer={quote(issuer, safe='')}"
        f"&algorithm={form.algorithm.upper()}&digits={form.digits}&{last}"
    )


def base32(secret: Secret) -> str:
    """Write a secret as apps want it typed: base32 (RFC 4648 6) without padding."""
    return base64.b32encode(secret.reveal()).decode().rstrip("=")


def from_base32(text: str) -> Secret:
    """Read base32, in small letters, with blanks and without padding too. ValueError, which doesn't quote it."""
    plain = text.replace(" ", "").replace("-", "").rstrip("=").upper()
    try:
        return Secret(base64.b32decode(plain + "=" * (-len(plain) % 8)))
    except (binascii.Error, ValueError):
        message = "should be base32: the letters A to Z and the digits 2 to 7"
        raise ValueError(message) from None
