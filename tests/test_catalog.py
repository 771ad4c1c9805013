"""The journal's catalogue explains every record there is."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from aad.logs.records import KINDS

CATALOGUE = Path(__file__).parent.parent / "systemd" / "aad.catalog"
TEXT = re.sub(r"(?m)^#.*\n", "", CATALOGUE.read_text("utf-8"))
ENTRIES = {entry[:32]: entry[33:] for entry in re.split(r"(?m)^-- ", TEXT) if entry.strip()}


def test_every_record_is_explained_and_nothing_else() -> None:
    assert set(ENTRIES) == {kind.message_id for kind in KINDS.values()}


@pytest.mark.parametrize("name", KINDS)
def test_an_explanation_has_a_subject_and_says_something(name: str) -> None:
    head, _, text = ENTRIES[KINDS[name].message_id].partition("\n\n")
    assert re.fullmatch(r"Subject: \S.{8,70}\nDefined-By: aad", head)
    assert len(text.split()) >= 5
    assert all(len(line) <= 96 for line in text.splitlines())
    macros = re.findall(r"{(\w+)}", KINDS[name].text)
    story = {"user", "client", "login_event", "login"} if "user" in macros or "recipient" in macros else set()
    known = {*macros, *story}
    assert {field.lower() for field in re.findall(r"@AAD_(\w+)@", head + text)} <= known, "a field it hasn't got"
    assert "reason" not in macros or "@AAD_REASON@" in text


def test_systemd_takes_it(tmp_path: Path) -> None:
    if not shutil.which("journalctl"):
        pytest.skip("there is no journalctl")
    for folder in ("usr/lib/systemd/catalog", "var/lib/systemd/catalog"):
        (tmp_path / folder).mkdir(parents=True)
    shutil.copy(CATALOGUE, tmp_path / "usr/lib/systemd/catalog")
    done = subprocess.run(
        ["journalctl", f"--root={tmp_path}", "--update-catalog"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    for name, kind in KINDS.items():
        shown = subprocess.run(
            ["journalctl", f"--root={tmp_path}", "--dump-catalog", kind.message_id],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        assert shown.split("\n", 1)[1].strip() == ENTRIES[kind.message_id].strip(), name
