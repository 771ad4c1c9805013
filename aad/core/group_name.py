"""Compares the names of groups, and says which can't be read. Pure."""

from __future__ import annotations

import re

from aad.core.distinguished_name import LONGEST, DnError, dn_key, parsed
from aad.core.string_preparation import REPLACEMENT, prepared

EXAMPLE = '"cn=vpn,ou=groups,dc=example,dc=com"'
UNTOLD = f"{REPLACEMENT} (and more, which the directory did not tell)"
"""Stands among a user's groups where a directory told only a part of them. As a name it can't be read."""

_LIKE_A_DN = re.compile(r"\s*[A-Za-z0-9.-]+\s*=")


def group_key(name: str, *, dn: bool = False) -> str:
    """Return what all spellings of one group's name have in common. DnError: it can't be read, and why.

    A DN is compared as the directory does, anything else as a name. `dn`: it comes from where groups are named by their
    DN alone, so that anything else can't be read.
    """
    try:
        return dn_key(name)
    except DnError:
        if dn or len(name) > LONGEST or REPLACEMENT in name:
            raise
    return f" {prepared(name)}"  # no DN's key begins with a space


def wrong_with(name: str, *, dn: bool, perhaps: bool) -> str:
    """Say what is wrong with a group's name in the configuration; empty: nothing.

    `dn`: only DNs are told of the users; `perhaps`: DNs are told of some of them.
    """
    try:
        key = group_key(name, dn=dn or (perhaps and _LIKE_A_DN.match(name) is not None))
    except DnError as error:
        return f"is no DN (RFC 4514): {error}; should be such as {EXAMPLE}"
    return "" if key.strip() else "should be the name of a group"


def short(name: str) -> str:
    """Return the short name of a group, `vpn` of "cn=vpn,ou=groups,dc=example,dc=com"; what is no DN is its own."""
    try:
        return parsed(name)[0][0].value.strip() or name
    except DnError:
        return name
