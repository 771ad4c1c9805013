"""Attributes for replies are read whole: no value that might be a restriction gets lost on the way."""

from __future__ import annotations

from aad.core.grants import Table, value
from aad.radius.protocol.attribute_dictionary import shipped
from aad.radius.reply_attributes import ReplyAttributes
from aad.repositories.ldap.decode import Entry
from aad.repositories.ldap.settings import LdapSettings
from aad.repositories.ldap.user_entry import UserReader

SETTINGS = LdapSettings(servers=("ldaps://localhost",), base_dn="dc=x", attributes=("kept", "note"))


def test_what_no_client_can_be_told_stays_in_sight() -> None:
    reader = UserReader(SETTINGS, "corp", ("acl", "photo", "none", "kept"))
    values = {"acl": ("a" * 300,), "photo": ("\ufffd\0",), "note": ("n" * 300, "n"), "kept": ("k" * 300,)}
    user = reader.user(Entry("uid=alice,dc=x", values), 0.0)
    assert {name: [len(text) for text in texts] for name, texts in user.attributes.items()} == {
        "acl": [254],
        "photo": [2],
        "note": [1],
        "kept": [254],
    }
    for name, fits in (("acl", False), ("photo", False), ("kept", False), ("note", True), ("none", True)):
        table = Table(name="one", attributes=(("Filter-Id", (value(f"{{attribute:{name}}}"),)),))
        granting = ReplyAttributes([table], shipped())
        try:
            granting.encoded(granting.of(user, "vpn", "gateway"))
        except ValueError:
            assert not fits
        else:
            assert fits


def test_the_directory_is_asked_for_it() -> None:
    search = UserReader(SETTINGS, "corp", ("acl", "kept")).user_search("alice")
    assert search is not None
    assert [name for name in search.attributes if name in {"acl", "kept", "note"}] == ["kept", "note", "acl"]
