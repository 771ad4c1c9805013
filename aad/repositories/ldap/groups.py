"""Look a group of the configuration up in the directory, for `aad check --online`."""

from __future__ import annotations

from aad.core.distinguished_name import Dn, DnError, dn_key, parsed, respelled
from aad.core.identity import presentable
from aad.ports import GroupLookup
from aad.repositories.ldap.encode import Search, filled
from aad.repositories.ldap.failover import Connections
from aad.repositories.ldap.filter import compiled
from aad.repositories.ldap.result_codes import INVALID_DN_SYNTAX, NO_SUCH_OBJECT, SIZE_LIMIT, SUCCESS
from aad.repositories.ldap.settings import MARKER, LdapSettings

_ANYTHING = compiled("(objectClass=*)")
_TOKEN, _PRIMARY = "primaryGroupToken", "primaryGroupID"  # MS-ADTS 3.1.1.4.5.11: the group's number, and the user's


async def look_up_group(connections: Connections, settings: LdapSettings, group: str) -> GroupLookup:
    """Look for the group's entry; where groups aren't known by DNs alone, first for a user who has it.

    BrokenConnectionError, UnreadableAnswerError.
    """
    searched = settings.group_template() is not None
    if not (settings.group_attribute or searched):
        return GroupLookup(found=True, note="groups are never read: group_attribute is empty, and nothing finds them")
    if not settings.groups_are_dns():
        if await _any_user_has(connections, settings, settings.group_attribute, group):
            return GroupLookup(found=True)
        if not searched:
            nobody = f"nobody below {settings.base_dn} has it in {settings.group_attribute}"
            return GroupLookup(found=False, note=nobody)
    try:
        dn = parsed(group)
    except DnError as error:
        return GroupLookup(found=False, note=f"it is no DN: {error}")
    return await _entry(connections, settings, dn)


async def _entry(connections: Connections, settings: LdapSettings, dn: Dn) -> GroupLookup:
    """Look for the entry of a group, and whether its members would be known as such."""
    result, entries = await connections.search(Search(respelled(dn), _ANYTHING, (_TOKEN,), 1, only_base=True))
    if result.code in {NO_SUCH_OBJECT, INVALID_DN_SYNTAX}:
        return GroupLookup(found=False, note=f"the directory says {result}, to {settings.bind_dn or 'nobody'}")
    if result.code != SUCCESS or not entries:
        return GroupLookup(found=None, note=f"the directory says {result}, and shows no entry")
    for token in entries[0].values.get(_TOKEN.lower(), ()):
        if await _any_user_has(connections, settings, _PRIMARY, token):
            why = f"it is the primary group of users ({_PRIMARY}={token}), who have no memberOf of it"
            return GroupLookup(found=True, note=f"{why}: none of them counts as a member; take another group")
    return GroupLookup(found=True, note=_spelled_differently(dn, entries[0].dn))


async def _any_user_has(connections: Connections, settings: LdapSettings, attribute: str, value: str) -> bool:
    """Say whether any user has this value; none has, if `attribute` can't be an attribute's name."""
    try:
        template = compiled(f"({attribute}={MARKER.decode()})")
    except ValueError:
        return False
    filter_ = filled(template, MARKER, value.encode())
    result, entries = await connections.search(Search(settings.base_dn, filter_, ("1.1",), 1))
    return bool(entries) and result.code in {SUCCESS, SIZE_LIMIT}


def _spelled_differently(dn: Dn, there: str) -> str:
    """Say that the directory takes two DNs for the same that differ here, as its matching rule isn't caseIgnoreMatch.

    Empty: they are the same here too.
    """
    try:
        same = dn_key(there) == dn_key(respelled(dn))
    except DnError:
        same = False
    return "" if same else f'there it is called "{presentable(there)}": write it so'
