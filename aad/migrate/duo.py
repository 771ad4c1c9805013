"""The Duo Authentication Proxy's authproxy.cfg -> [repositories.*], [clients.*], and an event for each server."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection
from ipaddress import ip_address, ip_network, summarize_address_range

from aad.core.secret import Secret
from aad.migrate.duo_syntax import Section, parse
from aad.migrate.essentials import CHAIN, chain, users_and_mail
from aad.migrate.toml_writer import Network, TomlWriter, address_text

_PORT = "1812"
_ONE_FIELD = "radius_server_concat"
_LDAP_PORTS = {"389", "636"}
_READ = {"client", "port", "interface"}
# What aad does in any case.
_SAME = {("failmode", "secure"), ("ssl_verify_hostname", "true"), ("pass_through_all", "false"), ("debug", "false")}
_LDAP_READ = {
    "service_account_username",
    "service_account_password",
    "service_account_password_protected",
    "search_dn",
    "security_group_dn",
    "username_attribute",
    "ldap_filter",
    "bind_dn",
    "port",
    "ssl_ca_certs_file",
}
_OURS = "aad logs to the journal, with the reason of every refusal: aad log"
_NOT_THERE = "there is no such thing in aad"
# Keys that aren't carried over, as regular expressions, and why.
_WHY = {
    r"ikey|skey(_protected)?|api_.*|client_ip_attr|http_proxy.*": "no cloud is asked: aad makes the code and mails it",
    r"failmode": "there is no letting in on the password alone: when mail or directory is unavailable, the NAS asks "
    "its next server ([radius] on_unavailable)",
    r"exempt_.*": "no user is exempt from the second factor; for other users make another chain, by groups",
    r"pass_through_.*|pw_codec": "no attributes are passed on from the server that checks the password; [replies.*] "
    "says what the NAS is told",
    r"factors|prompt.*|delimi.*|allow_concat|concat.*|enroll.*": "the password is typed first, and the code as the "
    "answer to a challenge",
    r"minimum_tls.*|cipher_.*|ssl_.*": "TLS is always verified, chain and name, and never older than 1.2",
    r"auth_type|ntlm.*|domain|workstation": "passwords are checked by a simple bind as the user",
    r"debug|log_.*|test_connectivity.*|sensitive.*|interval.*": _OURS,
    r"at_attribute|alias.*": "the user has the one name in user_filter; write an or-filter there: "
    "(|(a={name})(b={name}))",
    r"timeout|.*_timeout|retr(ies|y.*)": "how long a server may take: timeout of the repository, "
    "deadline of the client",
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
    "radius_server_concat": "the first try, with the password alone, is refused and has the code mailed; the second "
    "has password and code in one field",
    "radius_server_duo_only": "Duo checked no password; aad does: without it, any caller who knows a name could have "
    "mails sent",
    "radius_server_iframe": "there is no page of Duo's in the NAS's own: it has to ask for the code (Access-Challenge)",
}


def imported(name: str, text: str, page: TomlWriter) -> None:
    """Convert the file `name`. BadFileError."""
    sections = parse(name, text)
    servers = [section for section in sections if section.kind in _SERVERS]
    directories = {section.name: section for section in sections if section.kind == "ad_client"}
    page.remark(f"From {name} of the Duo Authentication Proxy. After it is filled in: aad check")
    page.remark("A code comes by mail, and the NAS asks for it in an Access-Challenge.")
    _listen(servers, page)
    for section in directories.values():
        page.lines.append("")
        _directory(section, page)
    for section in servers:
        page.lines.append("")
        _server(section, directories, page)
    for section in sections:
        if section not in servers and section.name not in directories:
            page.lines.append("")
            words = _SECTIONS.get(section.kind, _NOT_THERE)
            page.note(section.place, f"[{section.name}]: {words}", 1 + len(section.settings))
    page.lines.append("")
    users_and_mail(page, users=not directories)
    if any(not _asked(section, directories) for section in servers):
        chain(page, CHAIN)


def _asked(section: Section, directories: Collection[str]) -> str:
    """Return the name of the directory that a server asks; empty: it asks something else."""
    client = section.get("client").lower()
    return client if client in directories else ""


def _listen(servers: list[Section], page: TomlWriter) -> None:
    """Write the addresses that requests arrive at, unless they are aad's default."""
    found = []
    for section in servers:
        port = section.get("port", _PORT)
        hosts = [section.get("interface")] if section.get("interface") else ["0.0.0.0", "[::]"]  # noqa: S104 - as Duo does
        found += [f"[{host}]:{port}" if host.count(":") > 1 and host[0] != "[" else f"{host}:{port}" for host in hosts]
    unique = list(dict.fromkeys(found))
    wide = {each.rpartition(":")[2] for each in unique if each.startswith("0.0.0.0:")}  # an interface is among them
    listen = [each for each in unique if each.startswith(("0.0.0.0:", "[::]:")) or each.rpartition(":")[2] not in wide]
    if listen and listen != [f"0.0.0.0:{_PORT}", f"[::]:{_PORT}"]:
        page.table("radius")
        page.key("listen", listen)


def _directory(section: Section, page: TomlWriter) -> None:
    name = _named(section.name)
    page.table("repositories", name, section.place)
    page.key("type", "ldap")
    page.key("directory", "active-directory")
    read = _LDAP_READ | _servers(section, page)
    account = _account(section)
    if account:
        page.key("bind_dn", account)
        protected = section.get("service_account_password_protected")
        password = section.get("service_account_password")
        at = section.at("service_account_password_protected" if protected else "service_account_password")
        page.secret("bind_password", f"{name}.password", Secret(password) if password and not protected else None, at)
    if section.get("search_dn"):
        page.key("base_dn", section.get("search_dn"))
    else:
        page.off('base_dn = "dc=example,dc=com"')
    _filter(section, page)
    if not account:
        page.note(section.place, "there is no account that may search (auth_type = sspi?): give bind_dn, bind_password")
    _rest(section, read, page)
    group = section.get("security_group_dn")
    chain(page, name, [group] if group else [])


def _filter(section: Section, page: TomlWriter) -> None:
    """Write the user_filter, unless it is the default for Active Directory."""
    if not {"username_attribute", "ldap_filter"} & section.settings.keys():
        return
    attribute, more = section.get("username_attribute", "sAMAccountName"), section.get("ldap_filter")
    more = more if not more or more.startswith("(") else f"({more})"
    page.key("user_filter", f"(&({attribute}={{name}}){more})" if more else f"({attribute}={{name}})")


def _servers(section: Section, page: TomlWriter) -> set[str]:
    """Write the directory's servers, always over TLS; return the keys that were read."""
    transport, port = section.get("transport", "clear"), section.get("port")
    scheme = "ldap" if transport == "starttls" else "ldaps"
    suffix = f":{port}" if port and port not in _LDAP_PORTS and transport != "clear" else ""
    hosts = [f"[{host}]" if ":" in host else host for _, host in section.numbered("host")]
    if hosts:
        page.key("servers", [f"{scheme}://{host}{suffix}" for host in hosts])
    else:
        page.off('servers = ["ldaps://dc1.example.com"]')
    if transport == "starttls":
        page.key("starttls", value=True)
    elif transport != "ldaps":
        words = "transport = clear: passwords would travel in the clear; written is ldaps://, or take starttls = true"
        page.note(section.at("transport"), words, int("transport" in section.settings))
    file = section.get("ssl_ca_certs_file")
    if file:
        page.key("ca_file", file.replace("\\", "/").rpartition("/")[2], "bring the file along, beside aad.toml")
    else:
        page.remark("ca_file: who signs the servers' certificates, if the system's authorities don't")
    return {"transport", *(f"host_{n}" if n else "host" for n, _ in section.numbered("host"))}


def _account(section: Section) -> str:
    """Return the account that searches, as a DN or as ACCOUNT@DOMAIN, which Active Directory takes too."""
    name = section.get("bind_dn") or section.get("service_account_username")
    parts = [part.strip().partition("=") for part in section.get("search_dn").split(",")]
    domain = ".".join(value for kind, _, value in parts if kind.lower() == "dc")
    return f"{name}@{domain}" if name and domain and not set("@\\=") & set(name) else name


def _server(section: Section, directories: Collection[str], page: TomlWriter) -> None:
    event, asked = _named(section.name), _asked(section, directories)
    page.table("events", event, section.place)
    if asked:
        page.key("repositories", [_named(asked)])
    page.key("chains", [_named(asked) if asked else CHAIN])
    if words := _SERVERS[section.kind]:
        page.remark(f"{section.place}: {words}")
    if not asked and section.kind != "radius_server_duo_only":
        words = "another server checked the passwords; here all [repositories.*] are asked: name those that are meant"
        if section.get("client").lower().startswith("radius_client"):
            words += ", and for the passwords of a RADIUS server write [methods.radius]"
        page.note(section.at("client"), f"client = {section.get('client')}: {words}")
    read = _READ | ({"delimiter"} if section.kind == _ONE_FIELD else set())
    for number, written in section.numbered("radius_ip"):
        first = ("radius_ip", "radius_secret", "radius_secret_protected")
        keys = [f"{key}_{number}" if number else key for key in first]
        read |= set(keys)
        _client(section, keys, written, event, page)
    _rest(section, read, page)


def _client(section: Section, keys: list[str], written: str, event: str, page: TomlWriter) -> None:
    at, name = section.at(keys[0]), page.client_name(f"{event}{keys[0].removeprefix('radius_ip').replace('_', '-')}")
    networks = []
    for network in _networks(written):
        if owner := page.taken(network, name):
            where = f"{address_text(network)} is in [clients.{owner}] already"
            page.note(at, f"{keys[0]}: {where}: a client is known by address, not by port")
        else:
            networks.append(address_text(network))
    if not networks:
        if not _networks(written):
            page.note(at, f"{keys[0]}: no address, network or range of addresses")
        return
    page.clients += 1
    page.table("clients", name, at)
    page.key("networks", networks)
    secret, protected = section.get(keys[1]), section.get(keys[2])
    place = section.at(keys[2] if protected else keys[1])
    page.secret("secret", f"{name}.secret", Secret(secret) if secret and not protected else None, place)
    if protected:
        page.note(
            place, f"{keys[2]}: only the old machine can read it: look at the NAS, or make a new one there and here"
        )
    page.key("event", event)
    if section.kind == _ONE_FIELD:
        page.key("challenge", value=False)
        page.key("code_separator", section.get("delimiter", ","))


def _networks(written: str) -> list[Network]:
    """Read "192.0.2.10", "192.0.2.0/24" or "192.0.2.10-192.0.2.20"; empty: it is none of them."""
    first, dash, last = (part.strip() for part in written.partition("-"))
    try:
        if dash:
            return list(summarize_address_range(ip_address(first), ip_address(last)))
        return [ip_network(first, strict=False)]
    except (ValueError, TypeError):
        return []


def _rest(section: Section, read: set[str], page: TomlWriter) -> None:
    """Write why the other keys aren't carried over, one comment for each reason."""
    reasons = defaultdict(list)
    for key, setting in section.settings.items():
        if key not in read and (key, setting.value.lower()) not in _SAME:
            reasons[_why(key)].append(setting)
    for words, settings in reasons.items():
        lines = ",".join(str(setting.line) for setting in settings)
        page.note(f"{section.file}:{lines}", f"{', '.join(each.key for each in settings)}: {words}", len(settings))


def _why(key: str) -> str:
    return next((words for pattern, words in _WHY.items() if re.fullmatch(pattern, key)), _NOT_THERE)


def _named(section: str) -> str:
    return section.replace("_", "-")
