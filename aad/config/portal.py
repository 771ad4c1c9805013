"""[https.portal] of aad.toml: each key, its default and a sentence."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec

from aad.core.settings import Duration, option

NAME = "portal"
"""What the portal is called among the clients: in the log, in chains, in mails."""
NEEDS = ("jinja2", "segno")  # modules of the extra
_LANGUAGES = ("en", "de", "fr", "es")


@dataclass(frozen=True, kw_only=True)
class Portal:
    """[https.portal]: where users see, test and enrol their methods, and the helpdesk helps."""

    event: str = option(doc="The event whose chains its users sign in by.", names="events")
    title: str = option("Sign-in self-service", "What it is called, on every page.")
    contact: str = option("", "Whom to ask for help, at the foot of every page: a phone number, an address.")
    language: str = option("en", "For whom none of the four suits.", choices=_LANGUAGES)
    helpdesk_groups: tuple[str, ...] = option(
        (), "Members of one of these see why others aren't let in, unlock and reset; default: nobody."
    )
    helpdesk_admins: tuple[str, ...] = option(
        (),
        "Members of one of these help members of helpdesk_groups, and one another; nobody helps themselves. They are "
        "of the helpdesk too; default: nobody, so that a helper who needs help asks for a command.",
    )
    idle: Duration = option(Duration(900.0), "A session without a request ends so soon.", at_least=60.0)
    lifetime: Duration = option(Duration(28_800.0), "... and any one after so long.", at_least=60.0)
    fresh: Duration = option(
        Duration(600.0), "Enrolling and resetting needs a sign-in no older than this.", at_least=60.0
    )
    history: Duration = option(
        Duration(7_776_000.0), "How long a user's logins are remembered.", at_least=3600.0, at_most=34_560_000.0
    )
    history_logins: int = option(20, "So many of each user, at most.", at_least=1, at_most=50)

    def faults(self) -> Iterator[tuple[str, str]]:
        """Check that there is what it needs."""
        if missing := [name for name in NEEDS if find_spec(name) is None]:
            yield "", f"needs {', '.join(missing)}: pip install 'aad[https]'"
        if not self.title.strip():
            yield "title", "should be words"
