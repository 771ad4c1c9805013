"""Records as text for a terminal: those of a login together, all others line by line; with colours if wanted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo

from aad.logs.entry import Entry
from aad.logs.records import LEVELS

_COLOURS = {"red": "31", "green": "32", "yellow": "33", "bold": "1", "dim": "2"}
_OUTCOMES = {
    "login.accepted": ("accepted", "green"),
    "login.rejected": ("rejected", "red"),
    "login.unavailable": ("neither accepted nor rejected", "yellow"),
}
_SHOWN_ELSEWHERE = frozenset({"login", "user", "client", "login_event", "ms"})


@dataclass
class Story:
    """One login, its records oldest first."""

    entries: list[Entry] = field(default_factory=list)


def stories(entries: Iterable[Entry]) -> list[Story | Entry]:
    """Put the records of each login together, where it began; records of no login stay between them."""
    found: list[Story | Entry] = []
    open_stories: dict[str, Story] = {}
    for one in entries:
        if not one.login:
            found.append(one)
            continue
        # References are random: in years, two logins may get the same.
        if one.login not in open_stories or one.event == "login.started":
            open_stories[one.login] = Story()
            found.append(open_stories[one.login])
        open_stories[one.login].entries.append(one)
    return found


def last(newest_first: Iterable[Entry], number: int) -> list[Entry]:
    """Return the records of the last `number` logins that began, and other records between them, oldest first.

    Logins that began earlier are left out: only their ends would be shown.
    """
    taken: list[Entry] = []
    begun: set[str] = set()
    for one in newest_first:
        taken.append(one)
        if one.event == "login.started":
            begun.add(one.login)
            number -= 1
            if not number:
                break
    return [one for one in reversed(taken) if not one.login or one.login in begun]


class Telling:
    """Formats records as lines. `zone`: of the times; None: that of the machine."""

    def __init__(self, *, colours: bool, zone: tzinfo | None = None) -> None:
        """Use ANSI escape codes with `colours`."""
        self._colours = colours
        self._zone = zone

    def story(self, story: Story) -> Iterator[str]:
        """Yield the lines of a login: user, client and outcome; then each step with its time since the start."""
        first = story.entries[0]
        known = {key: value for one in story.entries for key, value in one.fields.items()}
        who = [known.get(key, "-") for key in ("user", "client", "login_event", "login")]
        outcome, colour = self._outcome(story)
        head = self._painted("  ".join([self._time(first.time), *who]), "bold")
        yield f"{head}  {self._painted(outcome, colour)}"
        for one in story.entries:
            since = self._painted(f"{max(one.time - first.time, 0.0):+10.3f} s", "dim")
            yield f"{since}  {self._message(one)}"

    def single(self, one: Entry) -> str:
        """Return the line of a record without a login."""
        return f"{self._painted(self._time(one.time), 'bold')}  {self._message(one)}"

    def line(self, one: Entry) -> str:
        """Return the line of a record as it comes, with the reference of its login."""
        moment = self._painted(self._time(one.time, "milliseconds"), "dim")
        reference = self._painted(f"{one.login or '-':6}", "bold")
        return f"{moment}  {reference}  {self._message(one)}"

    def _outcome(self, story: Story) -> tuple[str, str]:
        for one in reversed(story.entries):  # a mail's late outcome may follow it
            if one.event in _OUTCOMES:
                words, colour = _OUTCOMES[one.event]
                reason = f": {one.fields['reason']}" if "reason" in one.fields else ""
                return f"{words}{reason} after {one.time - story.entries[0].time:.1f} s", colour
        asked = any(one.event == "challenge.sent" for one in story.entries)
        return ("no answer yet" if asked else "at work"), "yellow"

    def _message(self, one: Entry) -> str:
        """Return a record's message, and behind it the fields that the message leaves out."""
        rest = [
            f"{key}={value}"
            for key, value in one.fields.items()
            if key not in _SHOWN_ELSEWHERE and value not in one.message
        ]
        if "ms" in one.fields:
            rest.append(f"{one.fields['ms']} ms")
        words = one.message or one.event
        if one.event in _OUTCOMES:
            words = self._painted(words, _OUTCOMES[one.event][1])
        elif one.priority <= LEVELS["warning"]:
            words = self._painted(words, "red" if one.priority <= LEVELS["error"] else "yellow")
        return words + (self._painted(f"  ({', '.join(rest)})", "dim") if rest else "")

    def _time(self, seconds: float, precision: str = "seconds") -> str:
        local = datetime.fromtimestamp(seconds, UTC).astimezone(self._zone).replace(tzinfo=None)
        return local.isoformat(" ", precision)

    def _painted(self, text: str, colour: str) -> str:
        return f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m" if self._colours else text
