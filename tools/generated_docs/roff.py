"""The little of roff's man(7) macros that our pages need; every text is escaped."""

from __future__ import annotations

import textwrap

WIDTH = 72  # of a source line, before escaping; mandoc complains beyond 80


def escaped(text: str) -> str:
    """Return text that roff shows as it is: a hyphen that can be copied, no macro at a line's beginning."""
    for plain, roff in (("\\", "\\e"), ("-", "\\-"), ("'", "\\(aq"), ("`", "\\(ga"), ("^", "\\(ha"), ("~", "\\(ti")):
        text = text.replace(plain, roff)
    return "\\&" + text if text.startswith(".") else text


def paragraph(text: str) -> str:
    """Return text in lines of moderate length."""
    lines = textwrap.wrap(text, WIDTH, break_long_words=False, break_on_hyphens=False)
    return "\n".join(escaped(line) for line in lines)


def bold(text: str) -> str:
    """Show what is typed as it stands."""
    return f"\\fB{escaped(text)}\\fR"


def slanted(text: str) -> str:
    """Show what stands for something else."""
    return f"\\fI{escaped(text)}\\fR"


def subsection(heading: str) -> str:
    """Begin a subsection."""
    quoted = escaped(heading).replace('"', "\\(dq")
    return f'.SS "{quoted}"'


def item(tag: str, says: str) -> str:
    """Explain `tag`, which is roff already; `says` is text."""
    return f".TP\n{tag}\n{paragraph(says)}"


def filled(template: str, generated: dict[str, str], title: dict[str, str]) -> str:
    """Put each generated part in place of the line @NAME@ of a page, and each word of `title` into its first line."""
    head, _, rest = template.partition("\n")
    for name, text in title.items():
        head = head.replace(f"@{name}@", text)
    for name, text in generated.items():
        rest = rest.replace(f"@{name}@\n", text.rstrip("\n") + "\n")
    return f"{head}\n{rest}"
