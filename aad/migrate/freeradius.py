"""FreeRADIUS's clients.conf -> [clients.*]; $INCLUDE reads on where it stands."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from aad.core.secret import Secret
from aad.migrate.toml_writer import CHAIN, BadFileError, Item, Network, TomlWriter, network_of

EVENT = "vpn"
DEEPEST = 10  # files that include each other
Include = Callable[[str, str], Sequence[tuple[str, str]]]
"""A path and the file that names it -> names and texts of the files it means. OSError."""

_INCLUDE = {"$INCLUDE", "$-INCLUDE"}
_SIGNED = "require_message_authenticator"
_ADDRESSES = {"ipaddr": "0.0.0.0/0", "ipv4addr": "0.0.0.0/0", "ipv6addr": "::/0"}
_CARRIED = {*_ADDRESSES, "netmask", "secret", "shortname", "proto", _SIGNED}
_SWITCH = {**dict.fromkeys(("yes", "true", "on", "1"), True), **dict.fromkeys(("no", "false", "off", "0"), False)}
# Keys that aren't carried over, as regular expressions, and why.
_WHY = {
    "nas_?type": "checkrad isn't there, so the make of the NAS doesn't matter",
    "login|password": "checkrad isn't there, so there is no login to the NAS",
    "virtual_server": "`event` chooses what is asked of the users: make an [events.*] for it and name that",
    "limit_proxy_state": "a request with Proxy-State but no Message-Authenticator is always discarded (CVE-2024-3596)",
    "limit": "it limits connections, and UDP has none; logins at the same time: [limits] at_work_per_client",
    "response_window": "no requests are sent to clients; how long this one waits for an answer is `deadline`",
    "coa_server|coa_port|coa_nat": "no CoA or Disconnect is sent",
    "dynamic_clients|lifetime|rate_limit": "clients are known beforehand: name its network here",
    "src_ipaddr": "a reply leaves from the address that was asked",
    "shortname": "log and mails call the client by the name of its table",
    _SIGNED: "only yes and no are there, not auto: it is required; if the NAS can't send it, say false",
}
_WORD = r"""(?>"(?:[^"\\\n]|\\.)*" | '(?:[^'\\\n]|\\.)*'
    | (?!["'])(?:\$(?:ENV)?\{[^}\n]*\} | (?![:+\-!<>]?=)[^\s{};,\#])+)"""
_SPACE = r"(?:[ \t\r]|\\\r?\n)*+"
_ITEM = re.compile(
    rf"""(?P<skip>(?:[\s;,]|\\\r?\n|\#[^\n]*)++) | (?P<close>\}}) | (?P<key>{_WORD}) {_SPACE} (?:
        (?P<operator>[:+\-!<>=]?=[=~*]?) {_SPACE} (?P<value>{_WORD})? {_SPACE} (?P<more>[^\s;,}}\#])?
      | (?P<name>{_WORD})? {_SPACE} (?P<open>\{{)? ) | (?P<bad>.)""",
    re.VERBOSE,
)


def imported(name: str, text: str, include: Include, page: TomlWriter) -> None:
    """Convert the file `name` and those it includes. BadFileError."""
    page.remark(f"From {name} of FreeRADIUS. After it is filled in: aad check")
    page.remark(
        "Unless a client says otherwise it has to send Message-Authenticator. A NAS that can't (pam_radius, ocserv, "
        "openvpn-auth-radius) needs require_message_authenticator = false, on a network you trust."
    )
    for item in parse(name, text, include):
        _top_level(item, page)
    page.blanks(users=True)
    page.chain()
    page.table("events", EVENT, chains=[CHAIN])


def parse(name: str, text: str, include: Include, depth: int = 0) -> list[Item]:
    """Parse the file `name`. BadFileError: FILE:LINE and what is wrong, without any value of the text."""
    within = [Item(name, 0, "")]
    line, at = 1, 0
    for found in _ITEM.finditer(text):
        line, at = line + text.count("\n", at, found.start()), found.start()
        if fault := _fault(found, within):
            raise _bad(name, line, fault)
        if found["close"]:
            closed = within.pop()
            closed.lines = line - closed.line + 1
        elif found["key"]:
            value = found["value"] or found["name"] or ""
            item = Item(name, line, _unquoted(found["key"]), _unquoted(value), value[:1], section=bool(found["open"]))
            within[-1].items += _included(item, include, depth) if item.key in _INCLUDE else [item]
            within += [item] if item.section else []
    if len(within) > 1:
        what = f"{within[-1].key} {within[-1].value}".rstrip()
        raise _bad(name, within[-1].line, f"the {{ of {what} is never closed")
    return within[0].items


def _bad(name: str, line: int, what: str) -> BadFileError:
    return BadFileError(f"{name}:{line}: {what}")


def _fault(found: re.Match[str], within: list[Item]) -> str:
    """Say what is wrong with an item; empty: nothing. What follows a value isn't repeated: it may be half a secret."""
    bad = found["bad"] or (found["more"] if not found["value"] else None) or ""
    key, named = _unquoted(found["key"] or ""), found["name"] and not found["open"]
    faults = {
        "a quote that isn't closed on its line": bad and bad in "\"'",
        f"a name is expected, not {bad}": found["bad"],
        "a } that closes nothing": found["close"] and len(within) == 1,
        f"{key} has no value": found["operator"] and not found["value"],
        f"something follows the value of {key}: if it belongs to it, it needs quotes": found["more"],
        f"{key} needs a path": key in _INCLUDE and not named,
        f"{key} needs a = or a {{ on its line": key not in _INCLUDE and named,
    }
    return next((words for words, wrong in faults.items() if wrong), "")


def _included(item: Item, include: Include, depth: int) -> list[Item]:
    if depth >= DEEPEST:
        raise _bad(item.file, item.line, "$INCLUDE goes too deep; does the file include itself?")
    try:
        files = include(item.value, item.file)
    except OSError as error:
        if item.key == "$-INCLUDE":
            return []
        raise _bad(item.file, item.line, f"{item.value} can't be read: {error.strerror}") from None
    return [each for name, text in files for each in parse(name, text, include, depth + 1)]


def _unquoted(text: str) -> str:
    if text[:1] == "'":  # only the quote itself is escaped
        return text[1:-1].replace("\\'", "'")
    return re.sub(r"\\([0-7]{3}|.)", _escaped, text[1:-1]) if text[:1] == '"' else text


def _escaped(match: re.Match[str]) -> str:
    text = match[1]
    if len(text) == 1:
        return {"n": "\n", "r": "\r", "t": "\t"}.get(text, text)
    return bytes((int(text, 8) & 255,)).decode("utf-8", "surrogateescape")  # it is an octet, not a character


def _top_level(item: Item, page: TomlWriter) -> None:
    page.lines.append("")
    if item.section and item.key == "client":
        _client(item, page)
    elif item.section and item.key == "clients":
        page.note(item.place, f"clients {item.value}: lists for one port alone aren't there; its clients are for all")
        for each in item.items:
            _top_level(each, page)
    else:
        words = f"{item.key} is no client: of FreeRADIUS's configuration only clients are read"
        page.note(item.place, words, item.lines)


def _client(section: Item, page: TomlWriter) -> None:
    # Of two, FreeRADIUS takes the first.
    first = {item.key: item for item in reversed(section.items) if item.key in _CARRIED and not item.section}
    proto = first["proto"].value if "proto" in first else "udp"
    if proto not in {"udp", "*"} or any(item.section and item.key == "tls" for item in section.items):
        what = "RADIUS over TCP or TLS isn't served: let it ask over UDP, and write a [clients.NAME] for it"
        page.note(section.place, f"client {section.value}: {what}", section.lines)
        return
    short = first.get("shortname", section).value
    named = short if network_of(section.value) else section.value
    if short not in {named, section.value}:
        del first["shortname"]
    name = page.unused("client", named or section.value or "client")
    written = [first[key] for key in _ADDRESSES if key in first] or [replace(section, key="ipaddr")]
    known = {item.place: _network(item, first, page) for item in written}
    networks = [each for place, network in known.items() if network for each in page.free(place, [network], name)]
    if any(known.values()) and not networks:
        page.note(section.place, f"client {section.value}: left out, as no network is its own", section.lines - 1)
        return
    page.clients += 1
    page.table("clients", name, section.place, networks=networks, event=EVENT)
    if not networks:
        page.lines.append('#networks = ["ADDRESS"]')
    _secret(first.get("secret"), section, name, page)
    signed = _SWITCH.get(first[_SIGNED].value.lower()) if _SIGNED in first else None
    if signed is None:
        first.pop(_SIGNED, None)
    else:
        page.keys(require_message_authenticator=signed)
    if signed is False:
        page.remark(f"Try without {_SIGNED} = false first: most NASes can by now (CVE-2024-3596)")
    page.rest(section.items, first, _WHY)


def _network(item: Item, first: dict[str, Item], page: TomlWriter) -> Network | None:
    """Return the network of an address, with a comment if it is none, or any."""
    value = item.value
    if value == "*":
        page.remark(f"{item.place}: {item.key} = *: any host can be this client; better name its networks")
    if "netmask" in first and "/" not in value:
        value = f"{value}/{first['netmask'].value}"
    network = network_of(_ADDRESSES[item.key] if value == "*" else value)
    if network is None:
        page.note(item.place, "its address is a name or unknown: write the address it has, into networks")
    return network


def _secret(item: Item | None, section: Item, name: str, page: TomlWriter) -> None:
    if item is None or not item.value:
        page.remark(f"{section.place}: there is no secret here; aad make-secret makes one")
        page.secret("secret", name, None, section.place)
    elif (variable := re.fullmatch(r"\$ENV\{(\w+)\}", item.value)) and item.quote != "'":
        page.keys(secret={"env": variable[1]})
    else:
        # ${...} is put together when FreeRADIUS starts: what stands here isn't the secret.
        readable = "${" not in item.value and "$ENV{" not in item.value
        page.secret("secret", name, Secret(item.value) if readable else None, item.place)
