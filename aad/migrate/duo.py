"""The Duo Authentication Proxy's authproxy.cfg -> [repositories.*], [clients.*], and an event for each server."""

from __future__ import annotations

import re
from collections.abc import Collection
from ipaddress import ip_address, ip_network, summarize_address_range

from aad.core.secret import Secret
from aad.migrate.toml_writer import CHAIN, NOT_THERE, BadFileError, Item, Network, TomlWriter

_PORT = "1812"
# What aad does in any case.
_SAME = {("failmode", "secure"), ("ssl_verify_hostname", "true"), ("pass_through_all", "false"), ("debug", "false")}
_OURS = "aad logs to the journal, with the reason of every refusal: aad log"
# Keys that aren't carried over, as regular expressions, and why.
_WHY = {
    r"ikey|skey(_protected)?|api_.*|client_ip_attr|http_proxy.*": "no cloud is asked: aad makes the code and mails it",
    r"failmode": "there is no letting in on the password alone: when mail or directory is unavailable, the NAS asks "
    "its next server ([radius] on_unavailable)",
    r"exempt_.*": "no user is exempt from the second factor; for other users make another chain, by groups",
    r"pass_through_.*|pw_codec": "no attributes are passed on from other servers; [replies.*] says what a NAS is told",
    r"factors|prompt.*|delimi.*|allow_concat|concat.*|enroll.*": "the password is typed first, the code when asked",
    r"minimum_tls.*|cipher_.*|ssl_.*": "TLS is always verified, chain and name, and never older than 1.2",
    r"auth_type|ntlm.*|domain|workstation": "passwords are checked by a simple bind as the user",
    r"debug|log_.*|test_connectivity.*|sensitive.*|interval.*": _OURS,
    r"at_attribute|alias.*": "a user has the one name in user_filter; write an or-filter: (|(a={name})(b={name}))",
    r"timeout|.*_timeout|retr(ies|y.*)": "how long servers may take: timeout of the repository, deadline of the client",
}
_SECTIONS = {
    "main": _OURS,
    "cloud": "no directory is synchronized: the repository is asked at every login",
    "sso": "single sign-on isn't served",
    "http_proxy": "no HTTP is passed on",
    "ldap_server_auto": "LDAP isn't served: let the application ask over RADIUS, or leave it with another server",
    "radius_server_eap": "EAP isn't served: let the client use PAP (inside of TLS or IPsec) or MS-CHAPv2",
    "radius_client": "not carried over: to have that server check the passwords, write [methods.radius] with its "
    "address and secret, and radius in place of password in the chain; users still come from a repository: fill it in",
    "duo_only_client": "the password is always checked: without it, any caller who knows a name could have mails sent",
}
_SERVERS = {
    "radius_server_auto": "Duo called the user's telephone; aad mails a code, and the NAS has to ask for it",
    "radius_server_challenge": "",
    "radius_server_concat": "a first try, with the password alone, is refused and mails the code; the second has both",
    "radius_server_duo_only": "Duo checked no password; aad does, or any caller who knows a name could have mails sent",
    "radius_server_iframe": "there is no page of Duo's in the NAS's own: it has to ask for the code (Access-Challenge)",
}


class Section:
    """[name] and its keys, of which the last counts; it knows which were read."""

    def __init__(self, file: str, line: int, name: str) -> None:
        self.place, self.name = f"{file}:{line}", name
        self.kind = name.rstrip("0123456789")
        self.items: list[Item] = []
        self.read: dict[str, Item] = {}

    def get(self, key: str, default: str = "") -> str:
        """Return a key's value, or the default."""
        for item in self.items:
            if item.key == key:
                self.read[key] = item
        return self.read[key].value if key in self.read else default

    def at(self, key: str) -> str:
        """Return FILE:LINE of a key that was read, or of the section."""
        return self.read[key].place if key in self.read else self.place

    def numbered(self, key: str) -> dict[str, str]:
        """Return the values of `key`, `key_1`, `key_2` ..., by what follows `key`."""
        found = {item.key.removeprefix(key) for item in self.items if re.fullmatch(rf"{key}(_[0-9]{{1,3}})?", item.key)}
        return {n: self.get(key + n) for n in sorted(found, key=lambda n: int(n[1:] or 0)) if self.get(key + n)}

    def secret(self, key: str, keys: tuple[str, str], name: str, page: TomlWriter) -> None:
        """Write a secret that stands at the first of two keys, or, for that machine alone, at the second."""
        secret, protected = map(self.get, keys)
        place = self.at(keys[1] if protected else keys[0])
        if protected:
            words = "only the old machine can read it: look at the other side, or make a new one there and here"
            page.note(place, f"{keys[1]}: {words}")
        page.secret(key, name, Secret(secret) if secret and not protected else None, place)

    def rest(self, page: TomlWriter) -> None:
        """Write why the other keys aren't carried over."""
        page.rest((each for each in self.items if (each.key, each.value.lower()) not in _SAME), self.read, _WHY)


def imported(name: str, text: str, page: TomlWriter) -> None:
    """Convert the file `name`. BadFileError."""
    sections = parse(name, text)
    servers = [section for section in sections if section.kind in _SERVERS]
    directories = {section.name: section for section in sections if section.kind == "ad_client"}
    page.remark(f"From {name} of the Duo Authentication Proxy. After it is filled in: aad check")
    page.remark("A code comes by mail, and the NAS asks for it in an Access-Challenge.")
    _listen(servers, page)
    for section in directories.values():
        _directory(section, page)
    asked = [_server(section, directories, page) for section in servers]
    for section in sections:
        if section not in servers and section.name not in directories:
            page.lines.append("")
            words = _SECTIONS.get(section.kind, NOT_THERE)
            page.note(section.place, f"[{section.name}]: {words}", 1 + len(section.items))
    page.blanks(users=not directories)
    if not all(asked):
        page.chain()


def parse(name: str, text: str) -> list[Section]:
    """Parse the file `name`, an ini file. BadFileError: FILE:LINE and what is wrong."""
    sections: dict[str, Section] = {}
    for number, raw in enumerate(text.splitlines(), 1):
        line, fault = raw.strip().removeprefix("\ufeff"), ""
        header = re.fullmatch(r"\[\s*([^\]]+?)\s*\]\s*(?:[;#].*)?", line)
        setting = re.fullmatch(r"([A-Za-z0-9_.-]+)\s*[=:]\s*(.*)", line)
        if not line or line[0] in ";#":
            continue
        if header and header[1].lower() not in sections:
            sections[header[1].lower()] = Section(name, number, header[1].lower())
        elif setting and sections:
            [*sections.values()][-1].items.append(Item(name, number, setting[1].lower(), setting[2].strip()))
        else:
            fault = f"{setting[1]} stands before any [section]" if setting else "neither [section] nor key=value"
            message = f"{name}:{number}: {f'[{header[1]}] is there twice' if header else fault}"
            raise BadFileError(message)
    return [*sections.values()]


def _listen(servers: list[Section], page: TomlWriter) -> None:
    """Write the addresses that requests arrive at, unless they are aad's default."""
    wide = ["0.0.0.0", "[::]"]  # noqa: S104 - as Duo does
    found = [(host, section.get("port", _PORT)) for section in servers for host in _hosts(section, "interface") or wide]
    everywhere = {port for host, port in found if host == wide[0]}  # an interface is among them
    listen = [f"{host}:{port}" for host, port in dict.fromkeys(found) if host in wide or port not in everywhere]
    if listen != [f"{host}:{_PORT}" for host in wide] and listen:
        page.table("radius", listen=listen)


def _hosts(section: Section, key: str) -> list[str]:
    """Return hosts, as they are written before a port."""
    return [f"[{host}]" if ":" in host and host[0] != "[" else host for host in section.numbered(key).values()]


def _directory(section: Section, page: TomlWriter) -> None:
    name = _named(section.name)
    page.table("repositories", name, section.place, type="ldap", directory="active-directory")
    _servers(section, page)
    keys = ("service_account_password", "service_account_password_protected")
    if account := _account(section):
        page.keys(bind_dn=account)
        section.secret("bind_password", keys, name, page)
    else:
        page.note(section.place, "there is no account that may search (auth_type = sspi?): give bind_dn, bind_password")
    page.keys(base_dn=section.get("search_dn"))
    if not section.get("search_dn"):
        page.lines.append('#base_dn = "dc=example,dc=com"')
    attribute, more = section.get("username_attribute", "sAMAccountName"), section.get("ldap_filter")
    more = more if not more or more.startswith("(") else f"({more})"
    if {"username_attribute", "ldap_filter"} & section.read.keys():  # else Active Directory's default
        page.keys(user_filter=f"(&({attribute}={{name}}){more})" if more else f"({attribute}={{name}})")
    group = section.get("security_group_dn")
    section.rest(page)
    page.chain(name, group)


def _servers(section: Section, page: TomlWriter) -> None:
    """Write the directory's servers, always over TLS."""
    transport, port = section.get("transport", "clear"), section.get("port")
    scheme = "ldap" if transport == "starttls" else "ldaps"
    suffix = f":{port}" if port not in {"", "389", "636"} and transport != "clear" else ""
    servers = [f"{scheme}://{host}{suffix}" for host in _hosts(section, "host")]
    file = section.get("ssl_ca_certs_file").replace("\\", "/").rpartition("/")[2]
    page.keys(servers=servers, starttls=transport == "starttls" or "", ca_file=file)
    if not servers:
        page.lines.append('#servers = ["ldaps://dc1.example.com"]')
    if scheme == "ldaps" and transport != "ldaps":
        words = "transport = clear: passwords would travel in the clear; written is ldaps://, or take starttls = true"
        page.note(section.at("transport"), words, int("transport" in section.read))
    ours = "who signs the servers' certificates, if the system's authorities don't"
    page.remark(f"ca_file: {'bring the file along, beside aad.toml' if file else ours}")


def _account(section: Section) -> str:
    """Return the account that searches, as a DN or as ACCOUNT@DOMAIN, which Active Directory takes too."""
    name = section.get("service_account_username")
    name = section.get("bind_dn") or name
    parts = [part.strip().partition("=") for part in section.get("search_dn").split(",")]
    domain = ".".join(value for kind, _, value in parts if kind.lower() == "dc")
    return f"{name}@{domain}" if name and domain and not set("@\\=") & set(name) else name


def _server(section: Section, directories: Collection[str], page: TomlWriter) -> bool:
    """Write a server's event and clients; return whether it asks a directory that is here."""
    event, client = _named(section.name), section.get("client")
    directory = _named(client.lower()) if client.lower() in directories else ""
    asked = [directory] if directory else []
    page.table("events", event, section.place, repositories=asked, chains=asked or [CHAIN])
    if words := _SERVERS[section.kind]:
        page.remark(f"{section.place}: {words}")
    if not directory and section.kind != "radius_server_duo_only":
        words = "another server checked the passwords; here all [repositories.*] are asked: name those that are meant"
        if client.lower().startswith("radius_client"):
            words += ", and for the passwords of a RADIUS server write [methods.radius]"
        page.note(section.at("client"), f"client = {client}: {words}")
    for number, written in section.numbered("radius_ip").items():
        _client(section, number, written, page)
    section.rest(page)
    return bool(directory)


def _client(section: Section, number: str, written: str, page: TomlWriter) -> None:
    event, at = _named(section.name), section.at(f"radius_ip{number}")
    name = page.unused("client", event + _named(number))
    known = _networks(written)
    networks = page.free(at, known, name)
    keys = (f"radius_secret{number}", f"radius_secret_protected{number}")
    one_field = section.kind == "radius_server_concat"
    separator = section.get("delimiter", ",") if one_field else ""
    if not known:
        page.note(at, f"radius_ip{number}: no address, network or range of addresses")
    if not networks:
        page.left += sum(bool(section.get(key)) for key in keys)
        return
    page.clients += 1
    page.table("clients", name, at, networks=networks, event=event)
    section.secret("secret", keys, name, page)
    if one_field:
        page.keys(challenge=False, code_separator=separator)


def _networks(written: str) -> list[Network]:
    """Read "192.0.2.10", "192.0.2.0/24" or "192.0.2.10-192.0.2.20"; empty: it is none of them."""
    first, dash, last = (part.strip() for part in written.partition("-"))
    try:
        if dash:
            return list(summarize_address_range(ip_address(first), ip_address(last)))
        return [ip_network(first, strict=False)]
    except (ValueError, TypeError):
        return []


def _named(section: str) -> str:
    return section.replace("_", "-")
