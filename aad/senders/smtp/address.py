"""Usable mail addresses, and how they are written on the wire. The door of idna.

The domain goes as A-labels (xn--...), which every mail server takes, by IDNA2008: the standard library's codec is of
2003 and turns straße.de into strasse.de, another owner's domain. Letters before the @ that aren't ASCII need SMTPUTF8.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

import idna

from aad.ports import AddressRefusedError

_ATEXT = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"  # RFC 5321 4.1.2
_LOCAL = re.compile(rf"{_ATEXT}(?:\.{_ATEXT})*")
_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?")
_LONGEST, _LONGEST_LOCAL, _LONGEST_DOMAIN = 254, 64, 253  # octets, RFC 5321 4.5.3.1, erratum 1690

# RFC 8264 9.1, LetterDigits: no symbol, no space, nothing that controls, and nothing that is assigned to no letter yet.
_LETTERS = frozenset({"Ll", "Lu", "Lo", "Nd", "Lm", "Mn", "Mc"})
_MARKS = frozenset({"Mn", "Mc"})
# Of these the invisible ones (Default_Ignorable_Code_Point).
_UNSEEN = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef]")


@dataclass(frozen=True)
class Address:
    """One usable address: the `domain` in A-labels; `ascii`: every mail server can take it."""

    local: str
    domain: str

    @property
    def ascii(self) -> bool:
        """Whether it needs no SMTPUTF8."""
        return self.local.isascii()

    def __str__(self) -> str:
        """Write it as envelope and header have it."""
        return f"{self.local}@{self.domain}"


@lru_cache(maxsize=1000)  # a login asks twice, and its user comes back
def parsed(text: str) -> Address | None:
    """Return the one plain addr-spec, local@domain, that `text` is and nothing else; None: it isn't one.

    Refused, though RFC 5321 knows them: quoted local parts and address literals. Of letters that aren't ASCII the local
    part may have those of RFC 8264's IdentifierClass, composed (RFC 6532 3.1: NFC), the domain those of IDNA2008.
    """
    if len(text) > _LONGEST or "=?" in text:  # "=?" would start an encoded word in To
        return None
    # First of all: NFC makes ";" of U+037E.
    local, at, host = unicodedata.normalize("NFC", text).rpartition("@")
    if not at or not _LOCAL.fullmatch(local if local.isascii() else _as_ascii(local)):
        return None
    domain = _domain(host)
    address = Address(local, domain)
    octets = len(local.encode())
    long = octets > _LONGEST_LOCAL or len(domain) > _LONGEST_DOMAIN or octets + 1 + len(domain) > _LONGEST
    return None if long or not domain else address


def parameters(recipient: str, *, smtputf8: bool) -> tuple[bytes, ...]:
    """Return what MAIL says of a mail to `recipient`; `smtputf8`: the server offers it. AddressRefusedError: it has to.

    RFC 6531 3.4: what needs SMTPUTF8 must not be sent without it; 3.1: a server that offers it offers 8BITMIME too.
    """
    if recipient.isascii():
        return ()
    if not smtputf8:
        what = "the mail server can't take an address with non-ASCII letters (SMTPUTF8)"
        raise AddressRefusedError(what)
    return b"BODY=8BITMIME", b"SMTPUTF8"


def _as_ascii(local: str) -> str:
    """Write "x" for each letter that isn't ASCII, and a blank, which no address has, for what may not stand there."""
    return "".join(
        c if c.isascii() else "x" if _allowed(c, before) else " " for before, c in zip("." + local, local, strict=False)
    )


def _allowed(c: str, before: str) -> bool:
    """Say whether this letter may follow that one: a mark needs something that it stands on."""
    kind = unicodedata.category(c)
    return (
        kind in _LETTERS
        and not (kind in _MARKS and before == ".")
        and unicodedata.normalize("NFKC", c) == c  # no full width, no ligature: RFC 8264 9.17, HasCompat
        and not _UNSEEN.fullmatch(c)
    )


def _domain(host: str) -> str:
    """Return a domain in A-labels; empty: it is none."""
    labels = [label if label.isascii() else _a_label(label) for label in host.split(".")]
    right = all(map(_LABEL.fullmatch, labels)) and not labels[-1].isdigit()
    return ".".join(labels) if right else ""


def _a_label(label: str) -> str:
    """Return the A-label of a U-label in any case (RFC 5895 2: 1); empty: IDNA2008 has none."""
    try:
        return idna.alabel(label.lower()).decode("ascii")
    except UnicodeError:  # idna's own errors are of this kind
        return ""
