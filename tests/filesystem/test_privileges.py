"""Becoming another user for good, in a process of its own each time."""

from __future__ import annotations

import os
import pwd
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from aad.config import load
from aad.daemon import assembly, plugin_registry
from aad.filesystem import folders, privileges
from aad.filesystem.privileges import PrivilegesError
from aad.ports import Unavailable
from tests.parts.rooted import PYTHON, ROOT, USER

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")

NOBODY = pwd.getpwnam("nobody")
PROGRAM = """
import os, sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from aad.filesystem import privileges
try:
    {}
except privileges.PrivilegesError as error:
    print(error)
    raise SystemExit(1)
"""
TELL = "print(*os.getresuid(), *os.getresgid(), os.getgroups(), oct(os.umask(0)))"


@pytest.fixture
def folder() -> Iterator[Path]:
    """Return a folder that every user can get to."""
    with tempfile.TemporaryDirectory(prefix="aad-privileges-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def run(step: str, *, before: tuple[str, ...] = ()) -> tuple[int, str]:
    command = [*before, PYTHON, "-IBc", PROGRAM.format(step), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, cwd="/")
    return done.returncode, done.stdout + done.stderr


def theirs(folder: Path, uid: int, gid: int, mode: int = 0o700) -> Path:
    folder.mkdir()
    os.chown(folder, uid, gid)
    folder.chmod(mode)
    return folder


def become(path: Path) -> str:
    return f"privileges.become_owner(Path({str(path)!r})); {TELL}"


def told(uid: int, gid: int) -> tuple[int, str]:
    return 0, f"{uid} {uid} {uid} {gid} {gid} {gid} [] 0o77\n"


def test_the_owner_s_own_group_counts_not_the_folder_s(folder: Path) -> None:
    """A folder's group may be root's, or that of those who read logs."""
    assert run(become(theirs(folder / "a", USER, USER))) == told(USER, USER)
    assert run(become(theirs(folder / "b", USER, 0))) == told(USER, privileges.NOGROUP)
    assert run(become(theirs(folder / "c", NOBODY.pw_uid, 0))) == told(NOBODY.pw_uid, NOBODY.pw_gid)


def test_there_is_no_way_back(folder: Path) -> None:
    steps = "".join(
        f"\n    try: os.{step}\n    except PermissionError: print('no')"
        for step in (
            "seteuid(0)",
            "setgid(0)",
            "setgroups([0])",
            "chown('/etc/hostname', 0, 0)",
            "open('/etc/shadow', 0)",
        )
    )
    code, said = run(become(theirs(folder / "a", USER, USER)) + steps)
    assert (code, said.splitlines()[1:]) == (0, ["no"] * 5)


def test_capabilities_that_would_be_kept_are_noticed(folder: Path) -> None:
    """With SECBIT_NO_SETUID_FIXUP another user's number is no loss of rights."""
    keep = "import ctypes; assert ctypes.CDLL(None).prctl(28, 4, 0, 0, 0) == 0; "  # PR_SET_SECUREBITS
    code, said = run(keep + become(theirs(folder / "a", USER, USER)))
    assert (code, said) == (1, f"root has become user {USER}, and still has rights of root's\n")


def test_root_that_may_not_become_another_user_opens_nothing(folder: Path) -> None:
    code, said = run(become(theirs(folder / "a", USER, USER)), before=("setpriv", "--bounding-set=-setuid"))
    assert code == 1
    assert f"root can't become user {USER}: Operation not permitted; run the command as that user" in said


def test_a_way_that_is_closed_is_opened_for_this_process_alone(folder: Path) -> None:
    gate = folder / "gate"
    gate.mkdir(mode=0o700)
    (gate / "between").mkdir(mode=0o700)
    state = theirs(gate / "between" / "a", USER, USER)
    also = theirs(gate / "b", USER, USER)
    other = theirs(gate / "c", USER + 1, USER + 1)
    look = f"[Path(each, 'made').touch() for each in ({str(state)!r}, {str(also)!r})]"
    look += f"; print(os.path.exists({str(other)!r}))"
    code, said = run(
        f"privileges.become_owner(Path({str(state)!r}), (Path({str(also)!r}), Path({str(other)!r}))); {look}"
    )
    assert (code, said) == (0, "False\n")
    assert [each.stat().st_uid for each in (state / "made", also / "made")] == [USER, USER]
    assert sorted(each.name for each in gate.iterdir()) == ["b", "between", "c"]


def test_a_way_that_root_may_not_open_is_said(folder: Path) -> None:
    (folder / "gate").mkdir(mode=0o700)
    state = theirs(folder / "gate" / "a", USER, USER)
    code, said = run(become(state), before=("setpriv", "--bounding-set=-sys_admin"))
    assert (code, f"root can't become user {USER}: Operation not permitted" in said) == (1, True)


def test_a_closed_way_of_the_user_s_own_is_not_mounted_over(folder: Path) -> None:
    """Who owns the folder that is closed could lead the mount elsewhere."""
    gate = theirs(folder / "gate", USER, USER, 0)
    code, said = run(become(theirs(gate / "a", USER, USER)))
    assert (code, said) == (1, f"{gate} is closed to user {USER}, and isn't root's own\n")


def test_a_program_that_its_new_user_can_t_read_is_not_begun(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = theirs(folder / "a", USER, USER)
    code, said = run("import os as _; _.__file__ = '/root/os.py'; " + become(state))
    assert (code, said) == (1, f"/root/os.py can't be read by user {USER}: install aad where every user may read it\n")


def test_who_maps_one_user_only_is_not_root(folder: Path) -> None:
    step = f"print(privileges.folders.privileged(), os.geteuid()); privileges.become_owner(Path({str(folder)!r}))"
    assert run(step, before=("unshare", "--map-root-user")) == (0, "False 0\n")


def test_a_user_that_there_is_not(folder: Path) -> None:
    code, said = run("privileges.become_user('nobody-of-this-name')")
    assert (code, "there is no user 'nobody-of-this-name': make it" in said) == (1, True)
    assert run(f"privileges.become_user('root'); {TELL}")[1].startswith("0 0 0 ")


SETTLED: dict[str, Callable[[Path], object]] = {
    "another's": lambda folder: os.chown(folder, USER, USER),
    "shared": lambda folder: folder.chmod(0o777),
    "gone": lambda folder: folder.rmdir(),
}


@pytest.mark.parametrize("how", SETTLED)
async def test_root_opens_no_store_and_no_key_before_it_has_become_its_owner(tmp_path: Path, how: str) -> None:
    """Whatever command forgets to: it can't go on."""
    file = tmp_path / "aad.toml"
    file.touch(0o600)
    (tmp_path / "users.toml").touch(0o600)
    file.write_text(
        '[clients.a]\nnetworks = ["::1"]\nsecret = "0123456789abcdef"\nevent = "e"\n[events.e]\n'
        '[chains.c]\nmethods = ["password"]\n[store]\npath = "state/state.db"\n'
    )
    config = load(file, plugin_registry)
    (tmp_path / "state").mkdir()
    async with assembly.opened_store(config):
        assembly.installation_key(config)
    for each in (tmp_path / "state").iterdir():
        each.unlink()
    SETTLED[how](tmp_path / "state")
    with pytest.raises(Unavailable):
        await assembly.opened_store(config).__aenter__()
    with pytest.raises(Unavailable):
        assembly.installation_key(config)
    with pytest.raises(PrivilegesError):
        privileges.settled(tmp_path / "state")
    assert not (tmp_path / "state").exists() or not list((tmp_path / "state").iterdir())
    assert folders.privileged()
