"""README, docs and conf agree with the code: commands, diagram, examples, keys, paths and links."""

from __future__ import annotations

import dataclasses
import re
import tomllib
from pathlib import Path

import pytest

from aad.cli import COMMANDS
from aad.config import load
from aad.config.https import ApiKey, Https
from aad.config.portal import Portal
from aad.daemon import plugin_registry
from aad.methods.email_otp import EmailOtpSettings
from aad.methods.email_texts import TextSettings
from tools.generated_docs.diagram import diagram

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")
EXAMPLE = (ROOT / "conf" / "aad.toml").read_text("utf-8")
FOLDERS = ("aad", "conf", "docs", "systemd", "tests", "tools")
TEXTS = {".catalog", ".md", ".py", ".service", ".sh", ".socket", ".timer", ".toml", ".txt", ".yml", ""}
FILES = [*ROOT.glob("*.md"), *(file for folder in FOLDERS for file in (ROOT / folder).rglob("*") if file.is_file())]
NAMED = re.compile(r"(?<![\w/.-])(?:aad|docs|tools|tests)/[\w/.-]+\.(?:py|md)\b")
PAGES = [file for file in FILES if file.suffix == ".md"]


def test_the_diagram_is_drawn_from_the_code() -> None:
    assert f"```mermaid\n{diagram()}\n```" in README


def test_every_command_is_there() -> None:
    table = (ROOT / "docs" / "commands.md").read_text("utf-8")
    assert [name for name in COMMANDS if f"`aad {name}" not in table] == []


def test_a_stranger_can_read_it_in_one_sitting() -> None:
    assert README.count("\n") <= 200


def test_every_page_is_in_the_index() -> None:
    index = (ROOT / "docs" / "README.md").read_text("utf-8")
    pages = {path.name for path in (ROOT / "docs").glob("*.md")} - {"README.md"}
    assert {page for page in pages if f"]({page})" not in index} == set()


def anchors(text: str) -> set[str]:
    """Return what the headings of a page may be linked by, as forges make it."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"(?ms)^```.*?^```$", "", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda file: str(file.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)\s]+)\)", page.read_text("utf-8")):
        name, _, anchor = target.partition("#")
        file = page.parent / name if name else page
        assert file.exists(), f"{page}: {target}"
        assert not anchor or anchor in anchors(file.read_text("utf-8")), f"{page}: {target}"


def test_every_file_that_is_named_somewhere_exists() -> None:
    for file in FILES:
        if file.suffix in TEXTS and "__pycache__" not in file.parts:
            for path in re.findall(
                r"(?<![\w/.-])(?:aad|docs|tools|tests)/[\w/.-]+\.(?:py|md)\b", file.read_text("utf-8")
            ):
                assert (ROOT / path).exists(), f"{file}: {path}"


def written(folder: Path, text: str) -> Path:
    for name in ("vpn-gateway", "ldap", "smtp"):
        for ending in ("secret", "password"):
            (folder / f"{name}.{ending}").write_text("a secret, long enough for everybody")
            (folder / f"{name}.{ending}").chmod(0o600)
    file = folder / "aad.toml"
    file.touch(mode=0o600)
    file.write_text(text)
    return file


def test_the_configuration_in_the_readme_works(tmp_path: Path) -> None:
    (text,) = [block.partition("```")[0] for block in README.split("```toml\n")[1:] if "[clients.vpn-gateway]" in block]
    assert not load(written(tmp_path, text), plugin_registry).warnings


def test_the_example_works_as_it_is(tmp_path: Path) -> None:
    assert not load(written(tmp_path, EXAMPLE), plugin_registry).warnings


def test_the_example_of_html_can_be_sent() -> None:
    assert not list(EmailOtpSettings(senders=("mail",), html_file=ROOT / "conf" / "email_otp.html").faults())


def uncommented(text: str) -> dict[str, dict[str, str]]:
    """Return section -> key -> written value, of the commented part."""
    found: dict[str, dict[str, str]] = {}
    section = ""
    for line in text.splitlines():
        bare = line.removeprefix("# ")
        if line.startswith("# [") and "]" in bare and "=" not in bare.partition("]")[0]:
            kind = "  ".join(bare.partition("]")[2].split())
            section = bare[1 : bare.index("]")] + (" " + kind if kind else "")
        elif line.startswith("# ") and " = " in line and section:
            key, _, value = bare.partition(" = ")
            found.setdefault(section, {})[key] = value
    return found


def test_the_example_names_every_key_and_its_default() -> None:
    sections = uncommented(EXAMPLE)
    plugins = {
        "repositories.corp": ("repositories", "ldap"),
        "repositories.local": ("repositories", "file"),
        "senders.mail": ("senders", "smtp"),
        "methods.email_otp": ("methods", "email_otp"),
        "methods.password": ("methods", "password"),
        "methods.file_password": ("methods", "file_password"),
        "methods.radius": ("methods", "radius"),
        "methods.totp": ("methods", "totp"),
        "methods.hotp": ("methods", "hotp"),
        "methods.recovery_codes": ("methods", "recovery_codes"),
        "store": ("stores", "sqlite"),
    }
    shown: dict[str, set[str]] = {}
    for section, keys in sections.items():
        shown.setdefault(section.split(" ")[0], set()).update(keys)
    shown["methods.email_otp"].add("texts")  # tables of their own:
    assert shown["methods.email_otp.texts.de"] == {field.name for field in dataclasses.fields(TextSettings)}
    above = tomllib.loads(EXAMPLE)
    for place, settings in (("https", Https), ("https.keys.shop", ApiKey), ("https.portal", Portal)):
        assert {field.name for field in dataclasses.fields(settings)} - {"keys", "portal"} == shown[place], place
    for place, (kind, name) in [*plugins.items(), ("store", ("stores", "valkey"))]:
        table = above
        for step in place.split("."):
            table = table.get(step, {})
        known = {field.name for field in dataclasses.fields(plugin_registry.settings(kind, name))}
        assert known - shown[place] - set(table) == set(), place
