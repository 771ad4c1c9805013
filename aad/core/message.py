"""Messages to users: their texts with macros, the values, the recipient; and the receipt of a mail server."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from aad.core import macros


@dataclass(frozen=True, kw_only=True)
class Template:
    """The texts of a message. {user} {endpoint} {event} {number} {otp} {reference} {minutes} are macros.

    `subject` is one line that can stand alone: `Message.short`.
    One Template lives as long as its method: a sender compiles it once and keeps the result by identity.
    """

    subject: str
    text: str
    html: str = ""


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A message before it has a recipient; `life`: seconds that it is of use.

    `attribute`: the user's attribute that holds the addresses; empty: they are `User.addresses`. `pause`: seconds until
    another one may go to a user who has proved nothing.
    """

    template: Template
    values: Mapping[str, str] = field(repr=False)
    life: float
    attribute: str = ""
    pause: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Message:
    """A message to one `recipient`; `masked` is that address as a stranger may see it.

    `values` fill the template's macros, as plain text: there is one for each. `until`: later than that it is of no use
    and isn't begun any more (`time.monotonic()` seconds).
    """

    recipient: str
    masked: str
    template: Template
    values: Mapping[str, str] = field(repr=False)  # the code is among them
    until: float = math.inf

    @property
    def short(self) -> str:
        """The text for a short message (SMS), filled: the subject, if the code is in it, else the text."""
        brief = self.template.subject if "{otp}" in self.template.subject else self.template.text
        return macros.filled(brief, {name: macros.clean(value) for name, value in self.values.items()}).strip()


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """A mail server took the message. `queue_id` is the server's, or empty."""

    queue_id: str = ""
