"""Looks up every group that aad.toml names, in the repositories of its users; for `aad check --online`."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import AsyncExitStack

from aad.cli.exits import say
from aad.config import Config
from aad.config.groups import ConfiguredGroup, configured_groups
from aad.core.identity import presentable
from aad.core.secret import Secret
from aad.daemon import assembly
from aad.ports import GroupLookup, LooksUpGroups, Repository, Unavailable

PATIENCE = 15.0  # seconds for one group in one repository
_WORSE = (
    (True, False, "is in repository {}, but {}"),
    (None, None, "can't be looked up in repository {}: {}"),
    (False, False, "isn't in repository {}: {}"),
)


async def groups_found(config: Config, key: Secret) -> bool:
    """Print a line for each group that isn't found, or not known by its members, and a total. False: one is missing."""
    groups = list(configured_groups(vars(config)))
    if not groups:
        return True
    began, repositories = time.monotonic(), assembly.repositories(config, key)
    used = {name for group in groups for name in group.repositories}
    async with AsyncExitStack() as stack:
        opened = {name: await _opened(stack, repositories[name]) for name in sorted(used)}
        results = [await _look_up(group, opened) for group in groups]
    right = sum(found is True for found in results)
    word = "FAILED" if False in results else "not all known" if None in results else "fine"
    say(f"groups: {word}, {right} of {len(groups)} found ({(time.monotonic() - began) * 1000:.0f} ms)")
    return False not in results


async def _opened(stack: AsyncExitStack, repository: Repository) -> Repository | Unavailable:
    try:
        return await stack.enter_async_context(repository)
    except Unavailable as error:
        return error


async def _look_up(group: ConfiguredGroup, opened: Mapping[str, Repository | Unavailable]) -> bool | None:
    """Return whether a group is in one of the repositories, and known by its members; None: that can't be known."""
    answers = {name: await _asked(opened[name], group.name) for name in group.repositories}
    if not answers:
        return _print(group, None, "can't be looked up: no event asks for it")
    if any(each == GroupLookup(found=True) for each in answers.values()):
        return True
    for found, verdict, words in _WORSE:
        if lines := [words.format(name, each.note) for name, each in answers.items() if each.found is found]:
            return _print(group, verdict, "; ".join(lines))
    raise AssertionError  # there is no fourth answer


def _print(group: ConfiguredGroup, verdict: bool | None, words: str) -> bool | None:  # noqa: FBT001 - what it returns
    failed = "FAILED, " if verdict is False else ""
    say(f'{group.key}: {failed}"{presentable(group.name)}" {words}')
    return verdict


async def _asked(repository: Repository | Unavailable, group: str) -> GroupLookup:
    if isinstance(repository, Unavailable):
        return GroupLookup(None, repository.what)
    if not isinstance(repository, LooksUpGroups):
        return GroupLookup(None, "this type of repository looks no groups up")
    try:
        return await repository.look_up_group(group, time.monotonic() + PATIENCE)
    except Unavailable as error:
        return GroupLookup(None, error.what)
