"""A group that the configuration names, looked up in the directory, for `aad check --online`."""

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


async def looked_up(lines: Connections, settings: LdapSettings, group: str) -> GroupLookup:
    """Look for the group's entry; where groups aren't told by DNs alone, first for a user who has it."""
    searched = settings.group_template() is not None
    if not (settings.group_attribute or searched):
        return GroupLookup(found=True, note="groups are never read: group_attribute is empty, and nothing finds them")
    if not settings.groups_are_dns():
        if await _anybody(lines, settings, settings.group_attribute, group):
            return GroupLookup(found=True)
        if not searched:
            nobody = f"nobody below {settings.base_dn} has it in {settings.group_attribute}"
            return GroupLookup(found=False, note=nobody)
    try:
        dn = parsed(group)
    except DnError as error:
        return GroupLookup(found=False, note=f"it is no DN: {error}")
    return await _entry(lines, settings, dn)


async def _entry(lines: Connections, settings: LdapSettings, dn: Dn) -> GroupLookup:
    """Look for the entry of a group, and whether its members would be known as such."""
    result, entries = await lines.search(Search(respelled(dn), _ANYTHING, (_TOKEN,), 1, only_base=True))
    if result.code in {NO_SUCH_OBJECT, INVALID_DN_SYNTAX}:
        return GroupLookup(found=False, note=f"the directory says {result}, to {settings.bind_dn or 'nobody'}")
    if result.code != SUCCESS or not entries:
        return GroupLookup(found=None, note=f"the directory says {result}, and shows no entry")
    for token in entries[0].values.get(_TOKEN.lower(), ()):
        if await _anybody(lines, settings, _PRIMARY, token):
            why = f"it is the primary group of users ({_PRIMARY}={token}), who have no memberOf of it"
            return GroupLookup(found=True, note=f"{why}: none of them counts as a member; take another group")
    return GroupLookup(found=True, note=_otherwise(dn, entries[0].dn))


async def _anybody(lines: Connections, settings: LdapSettings, attribute: str, value: str) -> bool:
    """Say whether any user has this value; nobody has one of what is no attribute."""
    try:
        template = compiled(f"({attribute}={MARKER.decode()})")
    except ValueError:
        return False
    filter_ = filled(template, MARKER, value.encode())
    result, entries = await lines.search(Search(settings.base_dn, filter_, ("1.1",), 1))
    return bool(entries) and result.code in {SUCCESS, SIZE_LIMIT}


def _otherwise(dn: Dn, there: str) -> str:
    """Say that the directory takes for the same what we don't, as its rule isn't caseIgnoreMatch; empty: it doesn't."""
    try:
        same = dn_key(there) == dn_key(respelled(dn))
    except DnError:
        same = False
    return "" if same else f'there it is called "{presentable(there)}": write it so'
