"""Folders held open, and the way to them: whose hand root doesn't take."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from aad.filesystem import folders
from aad.filesystem.folders import UnsafeFolderError

ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give folders away")
ONE, OTHER = 4321, 4322


def given(path: Path, uid: int = ONE, mode: int = 0o755) -> Path:
    path.mkdir()
    os.chown(path, uid, uid)
    path.chmod(mode)
    return path


def link(path: Path, target: str | Path, uid: int = ONE) -> Path:
    path.symlink_to(target)
    os.chown(path, uid, uid, follow_symlinks=False)
    return path


def where(path: Path) -> Path:
    with folders.opened(path) as folder:
        assert os.path.samestat(folder.path.stat(), os.fstat(folder.descriptor))
        return folder.path


def test_a_folder_is_held_whatever_becomes_of_its_name(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    with folders.opened(tmp_path / "one") as folder:
        (tmp_path / "one").rename(tmp_path / "moved")
        (tmp_path / "one").symlink_to("/nowhere")
        os.close(folder.make("file", os.O_WRONLY, 0o600))
        with pytest.raises(FileExistsError, match="one/file"):
            folder.make("file", os.O_WRONLY, 0o600)
    assert stat.S_IMODE((tmp_path / "moved" / "file").stat().st_mode) == 0o600


def test_what_is_no_folder_is_said_with_its_path(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "circle").symlink_to("circle")
    for name, error in (("none", FileNotFoundError), ("file", NotADirectoryError), ("file/x", NotADirectoryError)):
        with pytest.raises(error, match=str(tmp_path)):
            folders.opened(tmp_path / name)
    with pytest.raises(OSError, match="symbolic links"):
        folders.opened(tmp_path / "circle")


@pytest.mark.parametrize("way", ["a/b", "a/../a/b", "up/b", "a/./b/", "far", "a/b/up/.."])
def test_links_and_dots_lead_where_they_lead_for_the_kernel(
    tmp_path: Path, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "up").symlink_to("./a/../a")
    (tmp_path / "far").symlink_to(tmp_path / "up" / "b")
    (tmp_path / "a" / "b" / "up").symlink_to("../../a/b")
    monkeypatch.chdir(tmp_path)
    with folders.opened(Path(way)) as folder:
        assert os.path.samestat(os.fstat(folder.descriptor), Path(way).stat())


@ROOT_ONLY
def test_the_owner_of_the_folder_may_have_a_hand_in_it(tmp_path: Path) -> None:
    above = given(tmp_path / "above", mode=0o775)
    state = given(above / "state", mode=0o777)
    link(above / "link", "state")
    assert where(above / "link") == where(state) == state
    link(tmp_path / "of root", state, 0)
    assert where(tmp_path / "of root") == state


@ROOT_ONLY
def test_any_other_user_may_not(tmp_path: Path) -> None:
    above = given(tmp_path / "above")
    mine, other, roots = given(above / "mine"), given(tmp_path / "other", OTHER), given(tmp_path / "roots", 0)
    moved = given(above / "moved", 0)
    for name, target in (("to other", other), ("to root", roots), ("by ..", "../roots")):
        with pytest.raises(UnsafeFolderError, match=f"is user {ONE}'s, who could lead root elsewhere"):
            folders.opened(link(above / name, target))
    with pytest.raises(UnsafeFolderError, match=f"{above} on the way to it is user {ONE}'s"):
        folders.opened(moved)
    with pytest.raises(UnsafeFolderError, match="lead root elsewhere"):
        folders.opened(link(tmp_path / "a link that another user made", mine, OTHER))
    assert where(mine) == mine


@ROOT_ONLY
@pytest.mark.parametrize("mode", [0o755, 0o775, 0o777, 0o1777], ids=oct)
def test_a_folder_of_root_s_is_root_s_if_nobody_else_can_put_another_there(tmp_path: Path, mode: int) -> None:
    above = given(tmp_path / "above", 0, mode)
    state = given(above / "state", 0)
    if mode in {0o755, 0o1777}:
        assert where(state) == state
    else:
        with pytest.raises(UnsafeFolderError, match=f"others than root may write to {above} on the way to it"):
            folders.opened(state)
    theirs = given(above / "theirs")
    if mode == 0o777:
        with pytest.raises(UnsafeFolderError, match="on the way to it"):
            folders.opened(theirs)
    else:
        assert where(theirs) == theirs, "whoever acts as its owner needs no more"


@ROOT_ONLY
def test_what_root_makes_belongs_to_the_owner_of_the_folder(tmp_path: Path) -> None:
    with folders.opened(given(tmp_path / "theirs")) as folder:
        os.close(folder.make("file", os.O_WRONLY, 0o640))
    made = (tmp_path / "theirs" / "file").stat()
    assert (made.st_uid, made.st_gid, stat.S_IMODE(made.st_mode)) == (ONE, ONE, 0o640)


@ROOT_ONLY
def test_where_others_may_write_root_opens_no_link(tmp_path: Path) -> None:
    (tmp_path / "roots").write_text("root's")
    theirs = given(tmp_path / "theirs")
    link(theirs / "link", tmp_path / "roots")
    (theirs / "hard").hardlink_to(tmp_path / "roots")
    (theirs / "other").touch()
    os.chown(theirs / "other", OTHER, OTHER)
    (theirs / "own").touch()
    os.chown(theirs / "own", ONE, ONE)
    os.mkfifo(theirs / "pipe")
    with folders.opened(theirs) as folder:
        os.close(folder.open("own", os.O_RDONLY))
        for name in ("link", "hard", "other", "pipe"):
            with pytest.raises(OSError, match=f"theirs/{name}"):
                folder.open(name, os.O_RDONLY)
    with folders.opened(tmp_path) as folder:
        (tmp_path / "mine").symlink_to("roots")
        os.close(folder.open("mine", os.O_RDONLY))  # a link of root's own


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with folders.opened(tmp_path) as folder:
        for flags in (os.O_RDONLY, os.O_WRONLY, os.O_RDWR):
            with pytest.raises(OSError, match="pipe"):
                folder.open("pipe", flags)


def test_folders_are_made_from_the_first_that_is_missing(tmp_path: Path) -> None:
    with folders.made(tmp_path / "a" / "b", 0o700) as folder:
        assert stat.S_IMODE(os.fstat(folder.descriptor).st_mode) == 0o700
    with folders.made(tmp_path / "a" / "b", 0o755) as folder:
        assert stat.S_IMODE(os.fstat(folder.descriptor).st_mode) == 0o700, "it is there already"
