"""What is wrong with users.toml is said all at once, by user and key, and quotes no password."""

from __future__ import annotations

from pathlib import Path

import pytest

from aad.core.scrypt import hash_password
from aad.core.secret import Secret
from aad.repositories.file import FileSettings
from aad.users_file.parse import UsersError, read_users

STORED = hash_password(Secret("correct horse"), bytes(16))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "users.toml"


def faults(path: Path, text: str | bytes) -> list[str]:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    path.chmod(0o600)
    found = list(FileSettings(path=path).faults())
    assert all(key == "path" and what.startswith(f"{path}: ") for key, what in found)
    return [what.removeprefix(f"{path}: ") for _, what in found]


def user(lines: str = "", name: str = "alice") -> str:
    return f'[users.{name}]\npassword = "{STORED}"\n{lines}\n'


def test_a_right_file_has_no_faults(path: Path) -> None:
    text = user('email = []\ngroups = []\nlanguage = "en"\ndisabled = false') + user(name='"alice.smith"')
    assert faults(path, text) == []
    assert list(read_users(path, "local").entries) == ["alice", "alice.smith"]


def test_further_attributes_are_texts_one_or_several(path: Path) -> None:
    text = user() + '[users.alice.attributes]\nroom = 42\nip = ["192.0.2.7", "192.0.2.8"]\n"a;lang-de" = "Tür"\n'
    assert faults(path, text) == []
    attributes = read_users(path, "local").entries["alice"].user.attributes
    assert attributes == {"room": ("42",), "ip": ("192.0.2.7", "192.0.2.8"), "a;lang-de": ("Tür",)}


def test_a_file_without_users_is_none_yet_wrong(path: Path) -> None:
    assert faults(path, "") == []


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("email = 3", '.email: should be an address, such as "alice@example.com", or a list of them'),
        (
            'email = ["a@example.com", 3]',
            '.email: should be an address, such as "alice@example.com", or a list of them',
        ),
        ('email = "alice"', '.email: should be an address, such as "alice@example.com", or a list of them'),
        ('groups = "vpn"', '.groups: should be a list of names, such as ["vpn"]'),
        ("groups = [1]", '.groups: should be a list of names, such as ["vpn"]'),
        ("language = 1", '.language: should be a language, such as "en"'),
        ('disabled = "yes"', ".disabled: should be true or false"),
        ("disabled = 1", ".disabled: should be true or false"),
        ("mail = 'x'", ".mail: unknown key; there are password, email, groups, language, disabled, attributes"),
        *(
            (f"attributes = {wrong}", '.attributes: should be a table of texts, such as { department = "IT" }')
            for wrong in ("[]", "{ a = true }", "{ a = [1.5] }", "{ a = { b = 1 } }")
        ),
        ("smith = {}", '.smith: unknown; a name with a dot is written in quotes: [users."NAME.smith"]'),
    ],
)
def test_each_key_is_held_against_its_rule(path: Path, line: str, fault: str) -> None:
    assert faults(path, user(line)) == [f"users.alice{fault}"]


@pytest.mark.parametrize(
    ("password", "fault"),
    [
        ('"correct horse"', "should be a hash that aad hash-password makes: scrypt$n=16384,r=8,p=1$SALT$HASH"),
        ("3", "should be a hash that aad hash-password makes: scrypt$n=16384,r=8,p=1$SALT$HASH"),
        (
            f'"{STORED.replace("16384", "1048576")}"',
            "has costs that are too low or too high: n a power of 2 from 4096, and n r p at most 524288",
        ),
    ],
)
def test_a_bad_hash_is_not_quoted(path: Path, password: str, fault: str) -> None:
    assert faults(path, f"[users.alice]\npassword = {password}\n") == [f"users.alice.password: {fault}"]


def test_all_faults_are_said_at_once(path: Path) -> None:
    text = f"""
    version = 1
    [users]
    dave = "x"
    [users.alice]
    email = "alice@example.com"
    [users.bob]
    password = "{STORED}"
    disabled = 0
    groups = 0
    [users."BOB "]
    password = "{STORED}"
    [users."\\u00ad"]
    password = "{STORED}"
    """
    assert faults(path, text) == [
        "version: unknown; should be [users.NAME]",
        "users.dave: should be a table",
        "users.alice.password: missing; aad hash-password makes one",
        "users.bob.disabled: should be true or false",
        'users.bob.groups: should be a list of names, such as ["vpn"]',
        "users.BOB : is the same name as bob; case and width make no difference",
        r"users.'\xad': should be a name that can be seen",
    ]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[users.alice", "not TOML: "),
        (b"[users.alice]\nlanguage = '\xff'", "not TOML: "),
        ("users = 3", "users: should be tables: [users.NAME]"),
        ("[[users]]", "users: should be tables: [users.NAME]"),
    ],
)
def test_what_is_no_table_of_users(path: Path, text: str | bytes, fault: str) -> None:
    (said,) = faults(path, text)
    assert said.startswith(fault)


def test_what_can_not_be_read_is_named(path: Path) -> None:
    settings = FileSettings(path=path)
    assert list(settings.faults()) == [("path", f"{path}: can't be read: No such file or directory")]
    assert list(settings.warnings()) == []
    path.mkdir()
    assert list(settings.faults()) == [("path", f"{path}: can't be read: Is a directory")]


def test_what_others_may_read_is_warned_about(path: Path) -> None:
    assert faults(path, user()) == []
    assert list(FileSettings(path=path).warnings()) == []
    path.chmod(0o644)
    assert list(FileSettings(path=path).warnings()) == [("path", f"{path} may be read by others: chmod o-r {path}")]
    assert list(FileSettings(path=path).faults()) == []


def test_the_same_file_is_not_read_twice(path: Path) -> None:
    assert faults(path, user()) == []
    users = read_users(path, "local")
    assert read_users(path, "local", users) is users
    path.chmod(0o660)
    with pytest.raises(UsersError, match="others than its owner may write to"):
        read_users(path, "local", users)


def test_an_entry_does_not_show_its_hash(path: Path) -> None:
    assert faults(path, user()) == []
    assert STORED[-20:] not in repr(read_users(path, "local"))
