"""[https.portal] of aad.toml: each key, its default and a sentence."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec

from aad.core.settings import Duration, option

NAME = "portal"
"""The portal's name as a client: in the log, in chains, in mails."""
NEEDS = ("jinja2", "segno")  # modules of the extra
_LANGUAGES = ("en", "de", "fr", "es")


@dataclass(frozen=True, kw_only=True)
class Portal:
    """[https.portal]: where users see, test and enrol their methods, and the helpdesk helps."""

    event: str = option(doc="The event whose chains its users sign in by.", names="events")
    title: str = option("Sign-in self-service", "What it is called, on every page.")
    contact: str = option("", "The helpdesk's phone number or address, at the foot of every page.")
    language: str = option("en", "The language of users who have none of these.", choices=_LANGUAGES)
    helpdesk_groups: tuple[str, ...] = option(
        (), "Groups whose members see why users aren't let in, unlock users and reset methods; default: none."
    )
    helpdesk_admins: tuple[str, ...] = option(
        (),
        "Groups whose members are of the helpdesk too, and also help members of helpdesk_groups and one another, but "
        "not themselves; default: none, so that a helper who needs help needs an administrator's command.",
    )
    idle: Duration = option(Duration(900.0), "How long a session lasts without a request.", at_least=60.0)
    lifetime: Duration = option(Duration(28_800.0), "How long a session lasts at most.", at_least=60.0)
    fresh: Duration = option(
        Duration(600.0), "Enrolling and resetting needs a sign-in no older than this.", at_least=60.0
    )
    history: Duration = option(
        Duration(7_776_000.0), "How long a user's logins are remembered.", at_least=3600.0, at_most=34_560_000.0
    )
    history_logins: int = option(20, "How many logins of each user are remembered, at most.", at_least=1, at_most=50)

    def faults(self) -> Iterator[tuple[str, str]]:
        """Check the packages that it needs, and the title."""
        if missing := [name for name in NEEDS if find_spec(name) is None]:
            yield "", f"needs {', '.join(missing)}: pip install 'aad[https]'"
        if not self.title.strip():
            yield "title", "should be words"
