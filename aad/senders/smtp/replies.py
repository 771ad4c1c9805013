"""What of a mail server's answers may be logged: never an address, a code or a control character.

And the messages that are the same for mail servers and token endpoints.
"""

from __future__ import annotations

import ipaddress
import re
import socket
import ssl
from pathlib import Path

ABOUT_THE_ADDRESS = frozenset({501, 550, 551, 552, 553, 554, 555})
"""Answers to RCPT that will be the same tomorrow: RFC 5321 4.2.3 and, for 555, 4.1.1.11."""

_STATUS = re.compile(r"[245]\.[0-9]{1,3}\.[0-9]{1,3}(?= |\n|$)")
# RFC 3463 3.2 and 3.3, RFC 7505: no such mailbox or system, moved, disabled, full.
_ADDRESS_STATUS = frozenset({"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1", "5.2.2"})
_WORD = re.compile(r"[A-Za-z'-]{1,20}[.,:;]?")
_LONGEST = 100  # characters of a server's text

_QUEUE_IDS = tuple(
    re.compile(pattern)
    for pattern in (
        r"queued as ([A-Za-z0-9]{1,64})",  # Postfix
        r"\bOK id=([A-Za-z0-9-]{1,64})",  # Exim
        r"\[InternalId=([0-9]{1,64})",  # Exchange
        r"^2\.0\.0 ([A-Za-z0-9]{1,64}) Message accepted",  # Sendmail, OpenSMTPD
    )
)


def queue_id(text: str) -> str:
    """Return the server's identifier of a mail it took, out of its answer to end-of-DATA, or an empty string."""
    return next((match[1] for pattern in _QUEUE_IDS if (match := pattern.search(text))), "")


def status(text: str) -> str:
    """Return the enhanced status code (RFC 2034) at the beginning of an answer, or an empty string."""
    match = _STATUS.match(text)
    return match[0] if match else ""


def refuses_address(code: int, text: str) -> bool:
    """Say whether a refusal at end-of-DATA means the recipient rather than us or the content.

    552 there is "mailbox full" as well as "message too large", 554 a dead mailbox as well as a spam filter's verdict;
    and Exchange says 550 5.1.10 only after DATA. The number alone can't tell: as we mail to one recipient only, the
    enhanced status may. Without it the fault is taken for ours: another sender may get the mail through, whereas a
    good address called refused would turn its owner away.
    """
    return code in ABOUT_THE_ADDRESS and status(text) in _ADDRESS_STATUS


def quoted(code: int, text: str, recipient: str = "") -> str:
    """Return `code`, enhanced status and those words of the server's text that are harmless, for the log.

    A word with a digit, an @ or anything but letters is left out, and so is a word that gives away a part of the
    recipient's address.
    """
    parts = [part.lower() for part in re.split(r"[^A-Za-z]+", recipient) if part]
    kept: list[str] = []
    for word in text[:1000].split():
        bare = word.lower().rstrip(".,:;")
        if _WORD.fullmatch(word) and not any(part == bare or (len(part) > 2 and part in bare) for part in parts):  # noqa: PLR2004
            kept.append(word)
    quote = " ".join(filter(None, (str(code), status(text), " ".join(kept)[:_LONGEST])))
    return quote.rstrip(" .,:;")


def ehlo_name(address: str) -> str:
    """Return our name in EHLO: the host's full name, else our own `address` as a literal, RFC 5321 4.1.3.

    Not `getfqdn`: it asks DNS, and where DNS is down each connection would wait for it.
    """
    name = socket.gethostname()
    if re.fullmatch(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+", name):
        return name
    address = address.partition("%")[0]
    return f"[IPv6:{address}]" if ":" in address else f"[{address}]"


def insecure(error: ssl.SSLError, whose: str, hint: str) -> str:
    """Say why TLS failed. `whose`: a genitive, "the mail server's"; `hint`: what else may be wrong."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"{whose} certificate is not to be trusted: {error.verify_message}"
    return f"TLS failed: {error.reason or 'no handshake'} ({hint})"


def broken(error: BaseException) -> str:
    """Say what the operating system says, and of other errors only the kind: their texts may hold anything."""
    strerror = error.strerror if isinstance(error, OSError) else ""
    return strerror or f"the dialogue broke: {type(error).__name__}"


def no_authorities(ca_file: Path) -> str:
    """Say what is wrong with a file of certificates; empty: nothing."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(ca_file)
    except ssl.SSLError:
        return f"{ca_file} holds no certificate in PEM"
    except OSError as error:
        return f"{ca_file} can't be read: {error.strerror}"
    return ""


def loopback(host: str) -> bool:
    """Say whether what is sent there stays on this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
