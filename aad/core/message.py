"""What is sent to a user: its texts with macros, the values, to whom; and the receipt."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Template:
    """The texts of a message. {user} {endpoint} {event} {number} {otp} {reference} {minutes} are macros.

    One Template lives as long as its method: a sender compiles it once and keeps the result by identity.
    """

    subject: str
    text: str
    html: str = ""


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A message before it has a recipient; `life`: seconds that it is of use."""

    template: Template
    values: Mapping[str, str] = field(repr=False)
    life: float


@dataclass(frozen=True, kw_only=True)
class Message:
    """What is sent, to one `recipient`; `masked` is he as a stranger may see him.

    `values` fill the template's macros, as plain text: there is one for each. `until`: later than that it is of no use
    and isn't begun any more (`time.monotonic()` seconds).
    """

    recipient: str
    masked: str
    template: Template
    values: Mapping[str, str] = field(repr=False)  # the code is among them
    until: float = math.inf


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """A mail server took the message. `queue_id` is the server's, or empty."""

    queue_id: str = ""
