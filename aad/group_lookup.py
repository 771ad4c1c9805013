"""What a repository may be able to do besides: look up a group that the configuration names. A part of `aad.ports`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable


@dataclass(frozen=True)
class GroupLookup:
    """What a repository says of a group: whether there is one (`found`; None: it can't tell), and a `note`.

    With `found` the note, if there is one, says why members would all the same not be known as such.
    """

    found: bool | None
    note: str = ""


@runtime_checkable
class LooksUpGroups(Protocol):
    """A repository that can."""

    async def look_up_group(self, group: str, deadline: float) -> GroupLookup:
        """Look for `group`, in any spelling (`aad check --online`). Unavailable: could not tell."""
