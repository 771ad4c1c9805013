"""The texts of a mail and its prompt: each key as set for the user's language, for all languages, or as shipped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from aad.core import macros
from aad.core.language import tag, wider
from aad.core.message import Template
from aad.core.settings import option
from aad.texts import LANGUAGES, shipped

_REQUIRED = {"subject": "subject", "body_file": "body", "prompt": "prompt", "wrong_prompt": "wrong_prompt"}


@dataclass(frozen=True, kw_only=True)
class TextSettings:
    """[methods.NAME.texts.LANGUAGE], and the same keys in [methods.NAME], where they go for all languages."""

    subject: str | None = option(None, "The mail's subject; default: a short one in the user's language.")
    body_file: Path | None = option(None, "The mail's text, with macros; default: a short one in the user's language.")
    html_file: Path | None = option(None, "The same as HTML, if wanted.")
    prompt: str | None = option(None, "What the user is asked; default: a short text in the user's language.")
    wrong_prompt: str | None = option(None, "... once more.")

    def faults(self) -> Iterator[tuple[str, str]]:
        """Check files and macros."""
        texts = {"subject": self.subject}
        for key in ("body_file", "html_file"):
            try:
                texts[key] = self.read(key)
            except (OSError, UnicodeDecodeError) as error:
                yield key, f"{getattr(self, key)} can't be read: {error}"
        for key, content in texts.items():
            if content is not None and (wrong := macros.unknown(content, macros.MAIL)):
                yield key, wrong
        for key, prompt in (("prompt", self.prompt), ("wrong_prompt", self.wrong_prompt)):
            if prompt is None:
                continue
            if wrong := macros.unknown(prompt, macros.PROMPT):
                yield key, wrong
            elif not prompt.strip():
                yield key, "should not be empty: some clients fail a login that they can't show a text for"

    def read(self, key: str) -> str | None:
        """Return the text set for a key, or read from its file; None: neither. OSError, UnicodeDecodeError."""
        given: str | Path | None = getattr(self, key)
        return given.read_text("utf-8") if isinstance(given, Path) else given


@dataclass(frozen=True, kw_only=True)
class Words:
    """The texts of one language: the mail, and the prompts."""

    template: Template
    prompt: str
    wrong_prompt: str


def words(common: TextSettings, own: Mapping[str, TextSettings]) -> dict[str, Words]:
    """Return the words of each language, shipped or of the administrator's own, which are complete.

    `own`: by language. OSError, UnicodeDecodeError: a file can't be read.
    """
    return {language: _words(Choice(language, common, own)) for language in dict.fromkeys((*LANGUAGES, *own))}


def missing(common: TextSettings, own: Mapping[str, TextSettings]) -> Iterator[tuple[str, str]]:
    """Yield each key that a language needs and that is set nowhere, and each tag that is not a language's."""
    for language in own:
        if not tag(language):
            yield f"texts.{language}", 'should be a language tag in small letters, such as "de" or "pt-br"'
            continue
        choice = Choice(language, common, own)
        for key in _REQUIRED:
            if choice.find(key) is None:
                yield f"texts.{language}.{key}", f"missing: there are shipped texts in {', '.join(LANGUAGES)} only"


@dataclass(frozen=True)
class Choice:
    """Finds the texts of one language.

    Key by key: in its own table, in that of the wider language (de-at: de), in the method's, in the shipped texts. Only
    the HTML belongs to the body: beside a body_file without one there is none.
    """

    language: str
    common: TextSettings
    own: Mapping[str, TextSettings]

    def find(self, key: str) -> str | None:
        """Return the text for a key of TextSettings, or None. OSError, UnicodeDecodeError."""
        tags = list(wider(self.language))
        for given in (*(self.own[each] for each in tags if each in self.own), self.common):
            if (found := given.read(key)) is not None:
                return found
            if key == "html_file" and given.body_file:  # that of another text, or of another language, would hide it
                return None
        known = next((each for each in tags if each in LANGUAGES), "")
        text: str | None = getattr(shipped(known), _REQUIRED[key]) if known and key in _REQUIRED else None
        return text


def _words(choice: Choice) -> Words:
    def text(key: str) -> str:
        return choice.find(key) or ""

    template = Template(subject=text("subject"), text=text("body_file"), html=text("html_file"))
    return Words(template=template, prompt=text("prompt"), wrong_prompt=text("wrong_prompt"))
