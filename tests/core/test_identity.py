"""One person is one key, whatever the spelling."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aad.core.answer import NOTHING
from aad.core.identity import Attempt, User, name_key
from tests.parts.values import AWKWARD


@pytest.mark.parametrize(
    "spelling",
    [
        "alice",
        "Alice",
        "ALICE",
        " alice ",
        "\talice\n",
        "al\xadice",  # soft hyphen
        "\u200balice\u2060",  # zero-width space, word joiner
        "\uff21\uff2c\uff29\uff23\uff25",  # full-width
        "alice\u034f",  # combining grapheme joiner
        "\u24d0lice",  # circled
        "a\0lice",
        "alic\u0332e",  # a line below, that e has no letter for
        "\u202ealice",  # right-to-left override
    ],
)
def test_spellings_of_alice(spelling: str) -> None:
    assert name_key(spelling) == "alice"


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("Jos\u00e9", "jos\u00e9"),
        ("Jose\u0301", "jos\u00e9"),
        ("STRASSE", "strasse"),
        ("Straße", "strasse"),
        ("ΟΔΥΣΣΕΥΣ", "οδυσσευσ"),
        ("Mary  Ann\u3000Smith", "mary ann smith"),
        ("corp\\alice", "corp\\alice"),
        ("alice@example.com", "alice@example.com"),
        ("", ""),
        (" \t ", ""),
    ],
)
def test_names(name: str, key: str) -> None:
    assert name_key(name) == key


@pytest.mark.parametrize("other", ["alicia", "a lice", "al1ce", "\u00e0lice", "\u0430lice"])
def test_others_are_not_alice(other: str) -> None:
    assert name_key(other) != "alice"


@given(st.one_of(st.text(), st.text(AWKWARD)))
@example("\u1100\u034f\u1161")  # two letters that become one when what stands between them is gone
@example("\uffb1\u0330\uffcf")
def test_a_key_is_its_own_key(name: str) -> None:
    assert name_key(name_key(name)) == name_key(name)


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126)))
def test_ascii_goes_the_short_way_to_the_same_key(name: str) -> None:
    assert name_key(name) == name_key(name + "\xad")


@given(st.one_of(st.text(), st.text(AWKWARD)))
def test_a_key_has_nothing_invisible(name: str) -> None:
    assert name_key(name).isprintable() or not name.isprintable()
    assert "  " not in name_key(name)


def test_attempt_and_user_have_it() -> None:
    attempt = Attempt(event="vpn", client="gateway", name=" ALICE", answer=NOTHING, deadline=0.0)
    assert attempt.key == User(name="Alice", repository="corp", handle="").key == "alice"


def test_a_user_is_reached_by_mail_or_where_an_attribute_says() -> None:
    attributes = {"mobile": ("+49 170 1", "+49 170 2")}
    user = User(name="alice", repository="corp", handle="", addresses=("alice@example.com",), attributes=attributes)
    assert [user.reached_at(each) for each in ("", "mobile", "pager")] == [user.addresses, attributes["mobile"], ()]


def test_groups_are_read_once_and_only_if_somebody_asks() -> None:
    asked: list[str] = []

    class Name(str):
        __slots__ = ()

        def __len__(self) -> int:
            asked.append(self)
            return super().__len__()

    user = User(name="alice", repository="corp", handle="", groups=frozenset({Name("cn=vpn")}))
    assert user.key == "alice"
    assert not asked
    assert user.is_member(frozenset({"cn=vpn"}))
    first = len(asked)
    assert user.is_member(frozenset({"cn=other"})) is False
    assert 0 < first == len(asked)


def test_more_groups_than_anybody_has_are_unknown() -> None:
    many = frozenset(f"cn=group{number:05},{'ou=x,' * 20}dc=com" for number in range(2500))
    user = User(name="alice", repository="corp", handle="", groups=many)
    assert user.is_member(frozenset({next(iter(many))})) is None
    assert "more than 262144 characters" in user.unknown_group
    user = User(name="alice", repository="corp", handle="", groups=frozenset(sorted(many)[:2000]))
    assert user.is_member(frozenset({"cn=x"})) is False


@pytest.mark.parametrize(
    "group",
    ["\ufdfa" * 99, ("\ufdfa" + "a" * 17) * 30, "a" + "\u0315\u0300\u05ae\u0316" * 8, "\u0f73" * 99, "\u3300" * 999],
)
def test_groups_whose_names_take_long_to_compare_are_unknown(group: str) -> None:
    groups = frozenset(f"cn={number:03}{group}" for number in range(60)) | {"cn=vpn"}
    user = User(name="alice", repository="corp", handle="", groups=groups)
    assert user.is_member(frozenset({"cn=vpn"})) is None
    assert "made to take long" in user.unknown_group


def test_many_groups_that_cannot_be_read_are_as_good_as_all() -> None:
    groups = frozenset(f"vpn{number}" for number in range(102)) | {"cn=vpn"}
    user = User(name="alice", repository="corp", handle="", groups=groups, groups_are_dns=True)
    assert user.is_member(frozenset({"cn=vpn"})) is None


@pytest.mark.parametrize(
    "name", ["Бухгалтерия № %d", "営業部第%d課", "ฝ่ายบัญชีที่ %d", "विभाग क्र. %d", "Abteilung für Öl %d"]
)
def test_as_many_groups_as_anybody_has_are_read_in_any_script(name: str) -> None:
    groups = frozenset(f"CN={name % number},OU=Groups,OU=Corp,DC=example,DC=com" for number in range(800))
    user = User(name="alice", repository="corp", handle="", groups=groups, groups_are_dns=True)
    assert not user.unknown_group
    assert len(user.folded_groups) == 800


def test_what_is_said_of_a_group_that_can_not_be_read_can_be_printed() -> None:
    groups = frozenset({"\x1b[31m\n" + "x" * 3000, "zz"})
    user = User(name="alice", repository="corp", handle="", groups=groups, groups_are_dns=True)
    assert user.unknown_group.isprintable()
    assert len(user.unknown_group) < 300
