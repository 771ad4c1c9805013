"""The text of a notice's mail, in one language."""

from __future__ import annotations

import time
from collections.abc import Mapping

from aad import texts
from aad.core import macros
from aad.core.message import Template
from aad.notices.kept import By, Notice, Row

_NAMED = {"email_otp", "totp", "hotp", "recovery_codes"}


def notice_mail(notice: Notice, language: str, contact: str) -> Template:
    """Return the mail, in one of `texts.LANGUAGES`. `contact`: the people to ask, may be empty."""
    say = texts.notices(language)
    lines = [f"  - {line(row, language)}" for row in notice.rows]
    if notice.more:
        lines.append("  - " + say["more"].format(count=notice.more))
    whom = say["contact"].format(contact=macros.clean(contact)) if contact else ""
    body = say["body"].format(user=macros.clean(notice.user), rows="\n".join(lines))
    body += say["guesses" if notice.guesses else "not_you"].rstrip("\n") + (f" {whom}" if whom else "") + "\n"
    return Template(subject=say["subject_guesses" if notice.guesses else "subject"], text=_literal(body))


def line(row: Row, language: str) -> str:
    """Write one row: when, what happened, by whom, and from where."""
    say = texts.notices(language)
    when = time.strftime("%Y-%m-%d %H:%M %z", time.localtime(row.at))
    what = say[row.what].format(method=_method(row, texts.portal(language)))
    by = say[f"by_{row.by}"] if row.by != By.ANYBODY else ""
    where = say["from"].format(place=macros.clean(row.place)) if row.place else ""
    return f"{when}: {', '.join(filter(None, (what, by, where)))}"


def _method(row: Row, said: Mapping[str, str]) -> str:
    method = macros.clean(row.method)
    if row.type not in _NAMED:
        return method
    name = said[f"type_{row.type}"]
    return name if method == row.type else f"{name} ({method})"


def _literal(text: str) -> str:
    # Braces in a name must not be read as macros of the mail.
    return text.replace("{", "{{").replace("}", "}}")
