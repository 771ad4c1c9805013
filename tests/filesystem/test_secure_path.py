"""What others could have written: by its mode, its owner, its folders and its links."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from aad.filesystem import secure_path

US = frozenset({0, os.geteuid()})
STRANGER = 54321
root = pytest.mark.skipif(os.geteuid() != 0, reason="it gives files to other users")


def file(path: Path, mode: int = 0o600) -> Path:
    path.write_bytes(b"read")
    path.chmod(mode)
    return path


def folder(path: Path, mode: int) -> Path:
    path.mkdir()
    path.chmod(mode)
    return path


def wrong(path: Path) -> list[str]:
    return secure_path.faults(secure_path.doubts(path), US)


def test_what_is_ours_alone_is_fine_however_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = file(folder(tmp_path / "a", 0o755) / "file", 0o644)
    (tmp_path / "link").symlink_to("a")
    (tmp_path / "a" / "other").symlink_to(plain)
    monkeypatch.chdir(tmp_path)
    for path in (plain, Path("a/file"), Path("link/../a/./other"), tmp_path / "link" / "other", tmp_path):
        assert wrong(path) == []
    assert secure_path.read(Path("link/other")) == (b"read", ())


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_what_others_may_write_is_named_with_what_mends_it(tmp_path: Path, mode: int) -> None:
    path = file(tmp_path / "a file", mode)
    (tmp_path / "link").symlink_to(path)
    said = f"others than its owner may write to {path}: chmod go-w '{path}'"
    assert wrong(path) == wrong(tmp_path / "link") == [said]


@pytest.mark.parametrize(("mode", "sound"), [(0o775, False), (0o757, False), (0o1777, True)])
def test_a_folder_on_the_way_is_looked_at_and_may_be_sticky(tmp_path: Path, mode: int, *, sound: bool) -> None:
    above = folder(tmp_path / "above", mode)
    below = file(folder(above / "below", 0o755) / "file")
    (tmp_path / "link").symlink_to(above / "below")
    expected = [] if sound else [f"others than its owner may write to {above}: chmod go-w {above}"]
    assert wrong(below) == wrong(tmp_path / "link" / "file") == expected
    assert wrong(above), "a folder that is read itself may not"


@root
def test_another_users_thing_is_named_and_a_link_with_its_own_command(tmp_path: Path) -> None:
    path = file(tmp_path / "file")
    (tmp_path / "link").symlink_to(path)
    os.chown(path, STRANGER, -1)
    os.chown(tmp_path / "link", STRANGER, -1, follow_symlinks=False)
    words = f"is user {STRANGER}'s, who is neither root nor the user that aad runs as"
    assert wrong(tmp_path / "link") == [
        f"{tmp_path / 'link'} {words}: chown -h root {tmp_path / 'link'}",
        f"{path} {words}: chown root {path}",
    ]
    assert secure_path.faults(secure_path.doubts(path), {0, STRANGER}) == []


@root
def test_for_root_the_daemons_user_is_whose_the_state_is(tmp_path: Path) -> None:
    state = folder(tmp_path / "state", 0o700)
    os.chown(state, STRANGER, STRANGER)
    assert secure_path.owners(state, "nobody") == {0, STRANGER}
    daemon = secure_path.owners(tmp_path / "none yet", "nobody")
    assert daemon == secure_path.owners(None, "nobody") > {0}
    assert secure_path.owners(None, "nobody at all") == secure_path.owners() == {0}


def test_what_can_not_be_opened_says_why(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    file(tmp_path / "file")
    for path, why in (
        (tmp_path / "none", "No such file"),
        (tmp_path / "loop", "Too many levels"),
        (tmp_path, "Is a directory"),
        (tmp_path / "file" / "below", "Not a directory"),
    ):
        with pytest.raises(OSError, match=why) as raised:
            secure_path.read(path)
        assert raised.value.filename == str(path)


def test_a_pipe_is_read_and_what_a_process_has_open(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    threading.Thread(target=(tmp_path / "pipe").write_bytes, args=(b"filled",), daemon=True).start()
    assert secure_path.read(tmp_path / "pipe") == (b"filled", ())
    reading, writing = os.pipe()
    os.write(writing, b"as by <(command)")
    os.close(writing)
    assert secure_path.read(Path(f"/dev/fd/{reading}")) == (b"as by <(command)", ())
    os.close(reading)
