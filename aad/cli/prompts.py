"""Prompts as each client would get them, and what it would cut off; for `aad check` and `aad explain`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from aad.config import Config, Fault
from aad.core import macros
from aad.core.identity import User
from aad.core.language import lookup
from aad.core.secret import Secret
from aad.daemon import assembly
from aad.ports import ChoosesAddress, DefaultsLanguage, Prompts, Sender, TellsMinutes, UsesSenders
from aad.radius.prompt_encoding import Wording, unwritable

REFERENCE = "K7QD2M"  # an example, as long as each is
_LONG_ADDRESS = "maximiliane.mustermann-oberhuber@correspondence.subsidiary-of-example.international"
_LONG_NUMBER = "+123456789012345"  # E.164: at most 15 digits


def wording(config: Config, client: str) -> Wording:
    """Return how a client wants its prompts; an empty name: the default."""
    known = config.clients.get(client)
    if known is None:  # none is named, or a website, which shows whatever there is
        return Wording()
    return Wording(known.prompt, known.prompt_charset, known.prompt_limit)


@dataclass(frozen=True)
class Asking:
    """The prompts of one method; `where`: its table in aad.toml; `prompts`: language -> key -> text."""

    where: str
    settings: Any
    prompts: Mapping[str, Mapping[str, str]]
    senders: Mapping[str, Sender]

    @property
    def attribute(self) -> str:
        """Name the user's attribute that holds the address; empty: the mail address."""
        return self.settings.address_attribute if isinstance(self.settings, ChoosesAddress) else ""

    def values(self, user: User) -> dict[str, str]:
        """Return the macros' values for a user, with the longest masked address; empty: the prompts have no macros."""
        shown = [
            each.masked(address)
            for each in self.senders.values()
            if (address := next(filter(each.usable, user.reached_at(self.attribute)), None))
        ]
        if not shown:
            return {}
        minutes = self.settings.minutes if isinstance(self.settings, TellsMinutes) else ""
        longest = max(shown, key=len)
        return {"recipient": longest, "reference": REFERENCE, "user": macros.clean(user.name), "minutes": minutes}

    def text(self, language: str, key: str, values: Mapping[str, str]) -> str:
        """Return one text with its macros filled; without `values` braces are literal."""
        text = self.prompts[language][key]
        return macros.filled(text, values) if values else text

    def language(self, user: User) -> str:
        """Return the language of a user's prompts; empty: there is only one."""
        default = self.settings.language if isinstance(self.settings, DefaultsLanguage) else ""
        return lookup(user.language, self.prompts, default)


def asking(config: Config, chain: tuple[str, ...]) -> Iterator[Asking]:
    """Yield the methods of a chain that prompt; the first method's password is never prompted for."""
    senders = assembly.senders(config, Secret(b""))
    for position, name in enumerate(chain):
        settings = config.methods[name].settings
        own = {each: senders[each] for each in (settings.senders if isinstance(settings, UsesSenders) else ())}
        if isinstance(settings, Prompts) and (own or position):
            yield Asking(f"methods.{name}", settings, settings.prompts(), own)


def warnings(config: Config) -> Iterator[Fault]:
    """Yield the prompts that a client would cut off or couldn't show, and what would be right."""
    refused = Asking("radius", None, {"": {"reject_message": config.radius.reject_message}}, {})
    asked = {
        name: {one.where: one for chain in event.chains for one in asking(config, config.chains[chain].methods)}
        for name, event in config.events.items()
    }
    for name, client in config.clients.items():
        for one in (*asked[client.event].values(), refused):
            for key, what in _wrong(one, wording(config, name), f"clients.{name}"):
                yield Fault(config.file, f"clients.{name}.{key}", what)


def _longest_user(attribute: str) -> User:
    """Return a user whose name and addresses are as long as possible."""
    addresses = (_LONG_ADDRESS, _LONG_NUMBER)
    return User(
        name="m" * macros.LONGEST_VALUE,
        repository="",
        handle="",
        addresses=addresses,
        attributes={attribute: addresses},
    )


def _wrong(one: Asking, client: Wording, at: str) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with a method's prompts for one client, by the client's key."""
    values, longer, lost = one.values(_longest_user(one.attribute)), dict[str, int](), dict[str, str]()
    own = client.prompt if values else ""
    fixed = own and "{prompt}" not in own
    for language, texts in one.prompts.items():
        for key, text in texts.items():
            label = f"{at}.prompt" if fixed else f"{one.where}.{key}" + (f" in {language}" if language else "")
            size = len(client.whole(one.text(language, key, values), values))
            if size > client.limit:
                longer[label] = size
            words = own if fixed else own + text
            if client.charset == "ascii" and (unknown := unwritable(words)):
                lost[label] = unknown
    otherwise = f", or give this client words of its own: {at}.prompt" if values and not own else ""
    if longer:
        said = ", ".join(f"{label} ({size})" for label, size in longer.items())
        yield "prompt_limit", f"cuts what may have more than {client.limit} octets: {said}; shorten it{otherwise}"
    if lost:
        said = ", ".join(f"{label} ({letters})" for label, letters in lost.items())
        yield "prompt_charset", f'sends "?" for letters with no likeness in ASCII: {said}; reword it{otherwise}'
