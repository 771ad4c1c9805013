"""The groups that chains, replies and the helpdesk name: their repositories, and the check of their names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from aad.abilities import TellsGroups
from aad.config.decode import Decoder
from aad.config.faults import KeyPath, dotted
from aad.core.group_name import wrong_with


@dataclass(frozen=True)
class ConfiguredGroup:
    """A group that aad.toml names: its key, and the repositories of the users who may be its members."""

    at: KeyPath
    name: str
    repositories: tuple[str, ...]

    @property
    def key(self) -> str:
        """The key: chains.vpn.groups[0]."""
        return dotted(self.at)


def configured_groups(parts: Mapping[str, Any]) -> Iterator[ConfiguredGroup]:
    """Yield every group that the sections of a configuration name. `parts`: as in `aad.config.Config`."""
    events, through = parts["events"], _through(parts)
    for name, chain in parts["chains"].items():
        asked = (event for event, each in events.items() if name in each.chains)
        yield from _groups(("chains", name, "groups"), chain.groups, events, asked)
    for name, reply in parts["replies"].items():
        known = {event for client in reply.clients or through for event in through.get(client, ())}
        asked = (event for event in reply.events or events if event in known)
        yield from _groups(("replies", name, "groups"), reply.groups, events, asked)
    if parts["https"] and (portal := parts["https"].portal):
        yield from _groups(("https", "portal", "helpdesk_groups"), portal.helpdesk_groups, events, [portal.event])


def check_groups(decoder: Decoder, parts: Mapping[str, Any]) -> None:
    """Fault every group name that can't be parsed, or is no DN where groups are DNs: no user would be a member.

    Where only some repositories have DNs, a name that looks like a DN must be one; where none has, any name will do.
    """
    for group in configured_groups(parts):
        told = [_tells_dns(parts["repositories"].get(name)) for name in group.repositories]
        if what := wrong_with(group.name, dn=bool(told) and all(told), perhaps=any(told)):
            decoder.fault(group.at, f'"{group.name}" {what}')


def _tells_dns(plugin: Any) -> bool:
    """Return whether a repository's groups are DNs; False for one that has faults of its own."""
    settings = plugin.settings if plugin is not None else None
    return isinstance(settings, TellsGroups) and settings.groups_are_dns()


def _groups(
    at: KeyPath, names: Iterable[str], events: Mapping[str, Any], asked: Iterable[str]
) -> Iterator[ConfiguredGroup]:
    """Yield the groups under a key; `asked`: names of the events that use them, known or not."""
    known = (events[event].repositories for event in asked if event in events)
    repositories = tuple(dict.fromkeys(name for each in known for name in each))
    for number, name in enumerate(names):
        yield ConfiguredGroup((*at, f"[{number}]"), name, repositories)


def _through(parts: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Return each client and website, with the events that it may ask for."""
    keys = parts["https"].keys if parts["https"] else {}
    through = {name: (client.event,) for name, client in parts["clients"].items()}
    return through | {name: (key.event, *key.further_events) for name, key in keys.items()}
