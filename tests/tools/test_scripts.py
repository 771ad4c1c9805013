"""The scripts of tools/: --help needs no environment, and the locked versions are plain constraints."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).parents[2] / "tools"
SCRIPTS = [path.name for path in TOOLS.iterdir() if path.is_file() and os.access(path, os.X_OK)]
MEASURING = [name for name in SCRIPTS if (TOOLS / f"{name}_parts").is_dir()]


def test_the_scripts_are_found() -> None:
    assert {"bench", "failover", "flood", "fuzz", "soak"} == set(MEASURING)
    assert {"deb", "demo", "lock", "test"} <= set(SCRIPTS)


@pytest.mark.parametrize("name", MEASURING)
def test_the_options_need_the_standard_library_alone(name: str) -> None:
    command = [sys.executable, "-S", "-m", f"tools.{name}_parts.options", "--help"]
    done = subprocess.run(command, cwd=TOOLS.parent, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"usage: tools/{name} ")


@pytest.mark.parametrize("name", SCRIPTS)
def test_help_is_answered_without_building_anything(name: str, tmp_path: Path) -> None:
    """The tree is copied without .venv; none is there afterwards."""
    (tmp_path / "tools").mkdir()
    files = [
        TOOLS / "__init__.py",
        *TOOLS.glob("[a-z]*"),
        *(TOOLS / f"{name}_parts").glob("*.py"),
        TOOLS / "parts" / "run",
    ]
    for file in files:
        if file.is_file():
            copy = tmp_path / "tools" / file.relative_to(TOOLS)
            copy.parent.mkdir(exist_ok=True)
            copy.write_bytes(file.read_bytes())
            copy.chmod(0o755)
    environment = {"PATH": os.environ["PATH"], "PYTHON": sys.executable, "HOME": str(tmp_path)}
    done = subprocess.run(
        [tmp_path / "tools" / name, "--help"], env=environment, capture_output=True, text=True, timeout=30, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert f"tools/{name}" in done.stdout
    assert not (tmp_path / ".venv").exists()


def test_versions_are_plain_constraints() -> None:
    lines = [line for line in (TOOLS / "versions.txt").read_text("utf-8").splitlines() if not line.startswith("#")]
    assert [line for line in lines if not re.fullmatch(r"[\w.-]+==[\w.+!]+", line)] == []
    assert len(lines) > 50
