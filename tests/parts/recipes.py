"""The recipes in conf/clients/: the very blocks that an administrator copies, with a test's addresses in them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "conf" / "clients"
_FENCED = re.compile(r"^```\w*\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_PLACE = re.compile(r"[#!] (?P<place>[\w./ -]+)(?:, (?P<how>.+))?\n")


@dataclass(frozen=True)
class Block:
    """What goes into the file at `place`; `how` says what becomes of that which is there already."""

    place: str
    how: str
    text: str


@dataclass(frozen=True)
class Site:
    """Where the recipes' servers are in a test; theirs are at 192.0.2.5, ports 1812 and 1813, asked by 192.0.2.10."""

    host: str
    port: int
    secret: str
    accounting_port: int = 0

    def filled(self, text: str) -> str:
        """Return a block's text with these values."""
        text = text.replace("192.0.2.5", self.host).replace("192.0.2.10", self.host).replace("THE-SECRET", self.secret)
        return re.sub(r"\b1813\b", str(self.accounting_port), re.sub(r"\b1812\b", str(self.port), text))


def names() -> list[str]:
    """Return all recipes by the names of their files."""
    return sorted(path.stem for path in FOLDER.glob("*.md") if path.stem != "README")


def blocks(name: str, section: str = "") -> dict[str, Block]:
    """Return the blocks of a recipe, or of one section of it, by their places."""
    return {block.place: block for block in every(name, section)}


def every(name: str, section: str = "") -> Iterator[Block]:
    """Return all blocks of a recipe, or of one section of it, in order."""
    text = (FOLDER / f"{name}.md").read_text("utf-8")
    if section:
        _, found, text = text.partition(f"\n## {section}\n")
        assert found, f"{name}.md has no section {section}"
        text = text.partition("\n## ")[0]
    for fenced in _FENCED.findall(text):
        head = _PLACE.match(fenced)
        assert head, f"{name}.md: a block doesn't begin with where it goes: {fenced[:80]}"
        yield Block(head["place"], head["how"] or "", fenced)


def aad_block(name: str, section: str = "") -> str:
    """Return the block for aad."""
    (found,) = [block.text for block in every(name, section) if block.place.startswith("/etc/aad/")]
    return found
