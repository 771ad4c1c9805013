"""FreeRADIUS's clients.conf -> [clients.*]."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from ipaddress import ip_network

from aad.core.secret import Secret
from aad.migrate.essentials import chain_and_event, users_and_mail
from aad.migrate.freeradius_syntax import Include, Pair, Section, parse
from aad.migrate.toml_writer import Network, TomlWriter, address_text

EVENT = "vpn"
_SIGNED = "require_message_authenticator"
_ADDRESSES = {"ipaddr": "0.0.0.0/0", "ipv4addr": "0.0.0.0/0", "ipv6addr": "::/0"}
_TRUE, _FALSE = {"yes", "true", "on", "1"}, {"no", "false", "off", "0"}
_ENVIRONMENT = re.compile(r"\$ENV\{(\w+)\}")
_CARRIED = {*_ADDRESSES, "netmask", "secret", "shortname", "proto", _SIGNED}
_WHY = {
    key: why
    for keys, why in (
        ("nas_type nastype", "checkrad isn't there, so the make of the NAS doesn't matter"),
        ("login password", "checkrad isn't there, so there is no login to the NAS"),
        ("virtual_server", "`event` chooses what is asked of the users: make an [events.*] for it and name that"),
        (
            "limit_proxy_state",
            "a request with Proxy-State but without Message-Authenticator is always discarded (CVE-2024-3596)",
        ),
        ("limit", "it limits connections, and UDP has none; logins at the same time: [limits] at_work_per_client"),
        ("response_window", "no requests are sent to clients; how long this one waits for an answer is `deadline`"),
        ("coa_server coa_port coa_nat", "no CoA or Disconnect is sent"),
        ("dynamic_clients lifetime rate_limit", "clients are known beforehand: name its network here"),
        ("src_ipaddr", "a reply leaves from the address that was asked"),
    )
    for key in keys.split()
}
_TAKEN = "its network is in"
_OTHERWISE = "there is no such thing in aad"


def imported(name: str, text: str, include: Include, page: TomlWriter) -> None:
    """Convert the file `name` and those it includes. BadFileError."""
    page.remark(f"From {name} of FreeRADIUS. After it is filled in: aad check")
    page.remark(
        "Unless a client says otherwise it has to send Message-Authenticator. A NAS that can't (pam_radius, ocserv, "
        "openvpn-auth-radius) needs require_message_authenticator = false, on a network you trust."
    )
    for item in parse(name, text, include):
        _top_level(item, page)
    page.lines.append("")
    users_and_mail(page)
    chain_and_event(page, EVENT)


def _top_level(item: Pair | Section, page: TomlWriter) -> None:
    if isinstance(item, Section) and item.kind == "client":
        page.lines.append("")
        _client(item, page)
    elif isinstance(item, Section) and item.kind == "clients":
        page.lines.append("")
        page.note(item.place, f"clients {item.name}: lists for one port alone aren't there; its clients are for all")
        for each in item.items:
            _top_level(each, page)
    else:
        what, lines = (item.kind, item.lines) if isinstance(item, Section) else (item.key, 1)
        page.lines.append("")
        page.note(item.place, f"{what} is no client: of FreeRADIUS's configuration only clients are read", lines)


def _client(section: Section, page: TomlWriter) -> None:
    pairs = [item for item in section.items if isinstance(item, Pair)]
    first = {pair.key: pair for pair in reversed(pairs)}  # of two, FreeRADIUS takes the first
    wanted_name = first["shortname"].value if "shortname" in first and _network(section.name) else section.name
    proto = first["proto"].value if "proto" in first else "udp"
    if proto not in {"udp", "*"} or any(item.kind == "tls" for item in section.items if isinstance(item, Section)):
        what = "RADIUS over TCP or TLS isn't served: let it ask over UDP, and write a [clients.NAME] for it"
        page.note(section.place, f"client {section.name}: {what}", section.lines)
        return
    name = page.client_name(wanted_name or section.name or "client")
    networks, doubts = _networks(section, first, page, name)
    if not networks and any(why.startswith(_TAKEN) for _, why in doubts):
        for place, why in doubts:
            page.note(place, f"client {section.name}: {why}", section.lines)
        return
    page.clients += 1
    page.table("clients", name, section.place)
    if networks:
        page.key("networks", networks)
    else:
        page.off('networks = ["ADDRESS"]')
    _secret(first.get("secret"), section, name, page)
    page.key("event", EVENT)
    doubts += _signed(first.get(_SIGNED), page)
    for place, why in doubts:
        page.note(place, why)
    _rest(section, first, page)


def _networks(
    section: Section, first: dict[str, Pair], page: TomlWriter, name: str
) -> tuple[list[str], list[tuple[str, str]]]:
    """Return the client's networks, and remarks on them: place and words."""
    written = [first[key] for key in _ADDRESSES if key in first] or [Pair(section.place, "ipaddr", section.name)]
    found, doubts = [], []
    for pair in written:
        value = pair.value or ""
        if value == "*":
            doubts.append((pair.place, f"{pair.key} = *: any host can be this client; better name its networks"))
        if "netmask" in first and "/" not in value:
            value = f"{value}/{first['netmask'].value}"
        network = _network(_ADDRESSES[pair.key] if value == "*" else value)
        if network is None:
            doubts.append((pair.place, "its address is a name or unknown: write the address it has, into networks"))
        elif owner := page.taken(network, name):
            doubts.append((pair.place, f"{_TAKEN} [clients.{owner}] already, and can have only one secret"))
        else:
            found.append(address_text(network))
    return found, doubts


def _network(text: str) -> Network | None:
    try:
        return ip_network(text, strict=False)
    except ValueError:
        return None


def _secret(pair: Pair | None, section: Section, name: str, page: TomlWriter) -> None:
    if pair is None or not pair.value:
        page.remark(f"{section.place}: there is no secret here; make one with: aad make-secret >{name}.secret")
        page.off(f'secret = {{ file = "{name}.secret" }}')
    elif (variable := _ENVIRONMENT.fullmatch(pair.value)) and pair.quoted != "'":
        page.lines.append(f'secret = {{ env = "{variable[1]}" }}')
    else:
        # ${...} is put together when FreeRADIUS starts: what stands here isn't the secret.
        readable = "${" not in pair.value and "$ENV{" not in pair.value
        page.secret("secret", f"{name}.secret", Secret(pair.value) if readable else None, pair.place)


def _signed(pair: Pair | None, page: TomlWriter) -> list[tuple[str, str]]:
    """Write whether the client has to send Message-Authenticator; return remarks: place and words."""
    value = (pair.value or "").lower() if pair else ""
    if pair is None:
        return []
    if value in _TRUE:
        page.key(_SIGNED, value=True)
    elif value in _FALSE:
        page.key(_SIGNED, value=False, remark="try without this line first: most NASes can by now (CVE-2024-3596)")
    else:
        return [(pair.place, f"{_SIGNED} = auto isn't there: it is required; if the NAS can't send it, say false")]
    return []


def _rest(section: Section, first: dict[str, Pair], page: TomlWriter) -> None:
    for place, key, lines in _others(section.items):
        why = _WHY.get(key, _OTHERWISE)
        page.note(place, f"{key}: {why}", lines)
    if "shortname" in first and not _network(section.name) and first["shortname"].value != section.name:
        page.note(first["shortname"].place, "shortname: log and mails call the client by the name of its table")
    for pair in section.items:
        if isinstance(pair, Pair) and pair.key in _CARRIED and first[pair.key] is not pair:
            page.note(pair.place, f"{pair.key}: is here twice; the first one counts")


def _others(items: Iterable[Pair | Section]) -> Iterator[tuple[str, str, int]]:
    for item in items:
        if isinstance(item, Section):
            yield item.place, item.kind, item.lines
        elif item.key not in _CARRIED:
            yield item.place, item.key, 1
