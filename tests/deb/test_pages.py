"""Man pages and completion, which are made from the code."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pexpect
import pytest

from aad.cli import COMMANDS
from tools.generated_docs import completion, config_keys, man
from tools.generated_docs.commands import commands

PAGES = ("aad.8", "aad.toml.5")


@pytest.fixture(params=PAGES)
def page(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    file = tmp_path / str(request.param)
    file.write_text(man.page(request.param))
    return file


def read(file: Path) -> str:
    """Return the page as a reader sees it, without line breaks."""
    shown = subprocess.run(["mandoc", "-Tutf8", "-Owidth=200", file], capture_output=True, text=True, check=True).stdout
    return " ".join(re.sub(r".\x08", "", shown).split())


def test_a_page_is_clean(page: Path) -> None:
    done = subprocess.run(["mandoc", "-Tlint", page], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)
    done = subprocess.run(
        ["man", "--warnings", "-E", "UTF-8", "-l", page],
        env={"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin", "MANPAGER": "cat"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    assert not re.search("@[A-Z]+@", done.stdout)


def test_every_command_and_argument_is_explained(tmp_path: Path) -> None:
    (tmp_path / "aad.8").write_text(man.page("aad.8"))
    text = read(tmp_path / "aad.8")
    assert [one.name for one in commands()] == list(COMMANDS)
    for command in commands():
        assert f"aad {command.name}" in text
        assert " ".join(command.example.split()) in text
        for argument in command.arguments:
            assert f"{', '.join(argument.flags)} {argument.value}".strip() in text
            assert " ".join(argument.says.split()) in text


def test_every_key_is_explained_with_its_default(tmp_path: Path) -> None:
    (tmp_path / "aad.toml.5").write_text(man.page("aad.toml.5"))
    text = read(tmp_path / "aad.toml.5")
    tables = list(config_keys.tables())
    assert {"[radius]", "[clients.NAME]", "[senders.NAME]", "[store]", "[log]"} <= {table.heading for table in tables}
    for table in tables:
        assert table.heading in text
        for key in table.keys:
            default = "; required" if key.required else f"; default: {key.default}" if key.default else ""
            assert f"{key.name} ({key.takes}{default}) {' '.join(key.says.split())}" in text
    assert 'reject_delay (duration, 0ms to 10s; default: "1s") No Access-Reject' in text


CASES = [("aad unl", "unlock"), ("aad login --pass", "--password-file"), ("aad login --protocol msc", "mschapv2")]


@pytest.mark.parametrize(("typed", "becomes"), CASES)
def test_bash_completes(typed: str, becomes: str) -> None:
    words = typed.split()
    script = (
        completion.bash()
        + f"COMP_WORDS=({typed}); COMP_CWORD={len(words) - 1}; _aad aad '{words[-1]}' '{words[-2]}'"
        + '; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(["bash", "-uc", script], capture_output=True, text=True, check=True)
    assert (done.stdout.split(), done.stderr) == ([becomes], "")


@pytest.mark.parametrize(("typed", "becomes"), CASES)
def test_fish_completes(typed: str, becomes: str, tmp_path: Path) -> None:
    (tmp_path / "aad.fish").write_text(completion.fish())
    script = f"source {tmp_path}/aad.fish; complete -C '{typed}'"
    env = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(["fish", "--private", "-c", script], capture_output=True, text=True, check=True, env=env)
    assert [line.split("\t")[0] for line in done.stdout.splitlines()] == [becomes]


@pytest.mark.parametrize(("typed", "becomes"), CASES)
def test_zsh_completes(typed: str, becomes: str, tmp_path: Path) -> None:
    (tmp_path / "_aad").write_text(completion.zsh())
    env = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "TERM": "dumb", "PS1": "", "LC_ALL": "C.UTF-8"}
    shell = pexpect.spawn("zsh", ["-f", "-i"], env=env, encoding="utf-8", timeout=20)
    shell.sendline(
        f"PS1=; fpath=({tmp_path} $fpath); autoload -Uz compinit; compinit -u -D; aad() {{ echo got: $@ }}; echo set"
    )
    shell.expect("\r\nset\r\n")
    shell.send(f"{typed}\t")
    shell.expect(re.escape(typed))
    shell.sendline("")
    shell.expect_exact(f"got: {' '.join([*typed.split()[1:-1], becomes])}")
    shell.close(force=True)
