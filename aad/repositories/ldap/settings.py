"""[repositories.NAME] with type = "ldap": the keys, and what they mean together."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from aad.core.grants import SECRETS
from aad.core.secret import Secret
from aad.core.settings import Duration, option
from aad.repositories.ldap.connect import host_and_port
from aad.repositories.ldap.filter import compiled
from aad.repositories.ldap.result_codes import ACTIVE_DIRECTORY, OPENLDAP

_NAME, _DN = "{name}", "{dn}"
_ASSERTION = re.compile(r"\(\s*([A-Za-z0-9.-]+)([^()=]*)=([^()]*)")  # (attribute:rule:=value
MARKER = b"\x01the user's name\x01"  # stands for the name; no filter has it
DN_MARKER = b"\x01the user's DN\x01"
_USER_FILTERS = {
    ACTIVE_DIRECTORY: "(&(objectCategory=person)(objectClass=user)(|(sAMAccountName={name})(userPrincipalName={name})))"
}
_NESTED = "(&(objectClass=group)(member:1.2.840.113556.1.4.1941:={dn}))"  # MS-ADTS 3.1.1.3.4.4.3: members of members
_ATTRIBUTE = re.compile(r"[A-Za-z][A-Za-z0-9-]*|[0-9]+(\.[0-9]+)+")  # RFC 4512 2.5, without options
_BY_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]*")  # the same, but no number: most directories answer with the name
_MEMBER_OF = "memberof"
_DOMAIN = re.compile(r"\s*dc=[^,]+(,\s*dc=[^,]+)*", re.IGNORECASE)
_MOST_ATTRIBUTES = 16
_STARS = re.compile(r"\*{2,}")


@dataclass(frozen=True, kw_only=True)
class LdapSettings:
    """[repositories.NAME] with type = "ldap"."""

    servers: tuple[str, ...] = option(doc='In order: the next when one fails; "ldaps://HOST[:PORT]" or "ldap://..."')
    starttls: bool = option(default=False, doc="With ldap://: begin TLS before anything else, or don't talk at all.")
    ca_file: Path | None = option(None, "The authority that signed the servers' certificates; default: the system's.")
    bind_dn: str = option("", "The account that searches; default: anonymous.")
    bind_password: Secret | None = option(None, "Its password.")
    base_dn: str = option(doc="Where the users are, at any depth.")
    directory: str = option(
        "",
        '"openldap" or "active-directory", if it is one: sets user_filter, and says what a refusal proves and what an '
        "account's state is read from.",
        choices=("", OPENLDAP, ACTIVE_DIRECTORY),
    )
    user_filter: str = option(
        "",
        'Which user is meant (RFC 4515); {name} arrives escaped. Default: "(uid={name})"; with directory = '
        '"active-directory" whose sAMAccountName or userPrincipalName it is.',
    )
    email_attribute: str = option("mail", "Holds the addresses.")
    group_attribute: str = option("memberOf", "Holds the groups: memberOf by DN, another one by whatever it is.")
    nested_groups: bool = option(
        default=False, doc="With Active Directory: groups of groups count too, for one search more."
    )
    group_filter: str = option(
        "",
        "Finds groups by their members, for one search more; {dn} and {name} arrive escaped: "
        '"(&(objectClass=posixGroup)(memberUid={name}))".',
    )
    group_base_dn: str = option("", "Where these searches look; default: base_dn.")
    attributes: tuple[str, ...] = option((), "What else is read of a user, for reply attributes.")
    name_attribute: str = option("", "Holds the user's name; default: what user_filter compares {name} with first.")
    language_attribute: str = option("preferredLanguage", "Holds the language.")
    timeout: Duration = option(Duration(2.0), "For one server; then the next.", at_least=0.1, at_most=30.0)
    connections: int = option(8, "Logins that are checked at the same time.", at_least=1, at_most=64)

    def faults(self) -> Iterator[tuple[str, str]]:
        """Check what the keys mean together."""
        if not self.servers:
            yield "servers", 'should name at least one server, such as "ldaps://dc1.example.com"'
        for number, url in enumerate(self.servers):
            try:
                host_and_port(url)
            except ValueError:
                yield f"servers.[{number}]", f'"{url}" should be "ldaps://HOST", "ldap://HOST", or with ":PORT"'
        if self.starttls and any(url.startswith("ldaps:") for url in self.servers):
            yield "starttls", "goes with ldap://, but ldaps:// is TLS from the first octet: leave one of them out"
        if self.bind_dn and not self.bind_password:
            # RFC 4513 5.1.2: a bind with a name and no password succeeds, as anonymous.
            yield "bind_password", "missing: bind_dn can't log in without one"
        if self.bind_password and not self.bind_dn:
            yield "bind_dn", "missing: bind_password is for nobody"
        if self.ca_file:
            yield from _ca_faults(self.ca_file)
        yield from _filter_faults("user_filter", self._user_filter(), (_NAME,), "(uid={name})")
        yield from self._group_faults()
        yield from self._attribute_faults()

    def warnings(self) -> Iterator[tuple[str, str]]:
        """Complain of passwords in the clear, and of groups that may be elsewhere."""
        if self.nested_groups and not self.group_base_dn and not _DOMAIN.fullmatch(self.base_dn):
            yield "group_base_dn", f"missing: groups outside {self.base_dn} won't be found; should be the domain's root"
        for number, url in enumerate(self.servers):
            if url.startswith("ldap://") and not self.starttls:
                yield f"servers.[{number}]", f'"{url}" sends passwords in the clear: use ldaps:// or starttls = true'

    def compared(self) -> str:
        """Return the attribute that holds the user's name; empty: not known."""
        with_name = (attribute for attribute, _, value in _ASSERTION.findall(self._user_filter()) if _NAME in value)
        return self.name_attribute or next(with_name, "")

    def template(self) -> bytes:
        """Return user_filter as octets, with `MARKER` where the name belongs. ValueError: it is no filter."""
        return _template(self._user_filter())

    def any_user(self) -> bytes:
        """Return a filter that finds users of any name. ValueError: user_filter can't be turned into one."""
        return compiled(_STARS.sub("*", self._user_filter().replace(_NAME, "*")))

    def group_template(self) -> bytes | None:
        """Return the filter of further groups, with `MARKER` and `DN_MARKER` in it; None: there is none. ValueError."""
        text = _NESTED if self.nested_groups else self.group_filter
        return _template(text) if text else None

    def groups_are_dns(self) -> bool:
        """Say whether all names of a user's groups are DNs: those of entries, or of memberOf."""
        return self.group_attribute.lower() in {"", _MEMBER_OF}

    def groups_below(self) -> str:
        """Return where groups are searched."""
        return self.group_base_dn or self.base_dn

    def _user_filter(self) -> str:
        return self.user_filter or _USER_FILTERS.get(self.directory, "(uid={name})")

    def _group_faults(self) -> Iterator[tuple[str, str]]:
        if self.nested_groups and self.directory != ACTIVE_DIRECTORY:
            yield "nested_groups", f'goes with directory = "{ACTIVE_DIRECTORY}", which alone finds groups of groups'
        if self.nested_groups and self.group_filter:
            yield "group_filter", "doesn't go with nested_groups: leave one of them out"
        elif self.group_filter:
            yield from _filter_faults("group_filter", self.group_filter, (_DN, _NAME), "(member={dn})")
        if self.group_base_dn and not (self.nested_groups or self.group_filter):
            yield "group_base_dn", "is for nothing without nested_groups or group_filter"

    def _attribute_faults(self) -> Iterator[tuple[str, str]]:
        for key, name in (("group_attribute", self.group_attribute), ("name_attribute", self.name_attribute)):
            if name and not _BY_NAME.fullmatch(name):
                yield key, f'"{name}" should be an attribute\'s name as the directory writes it, such as "memberOf"'
        if len(self.attributes) > _MOST_ATTRIBUTES:
            yield "attributes", f"should be {_MOST_ATTRIBUTES} at most"
        for number, name in enumerate(self.attributes):
            if name.casefold() in SECRETS:
                yield f"attributes.[{number}]", f"{name} holds a secret, which nobody needs to know"
            elif not _ATTRIBUTE.fullmatch(name):
                yield f"attributes.[{number}]", f'"{name}" should be an attribute\'s name, such as "departmentNumber"'


def _template(filter_: str) -> bytes:
    return compiled(filter_.replace(_NAME, MARKER.decode()).replace(_DN, DN_MARKER.decode()))


def _filter_faults(key: str, filter_: str, places: tuple[str, ...], example: str) -> Iterator[tuple[str, str]]:
    """Complain of a filter without any of the `places` as a value."""
    wanted = " or ".join(places)
    rest = _ASSERTION.sub("", filter_)
    if not any(place in filter_ for place in places):
        yield key, f'should hold {wanted}, such as "{example}": else it finds the same for everybody'
    elif any(place in rest or (place in filter_ and place not in places) for place in (_NAME, _DN)):
        yield key, f'should have {wanted} as a value, such as "{example}"'
    else:
        try:
            _template(filter_)
        except ValueError:
            yield key, f'is no search filter; should be such as "{example}", in parentheses (RFC 4515)'


def _ca_faults(ca_file: Path) -> Iterator[tuple[str, str]]:
    try:
        ssl.create_default_context(cafile=ca_file)
    except ssl.SSLError:
        yield "ca_file", f"{ca_file} should hold certificates in PEM"
    except OSError as error:
        yield "ca_file", f"{ca_file} can't be read: {error.strerror}"
