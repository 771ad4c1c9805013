"""The text that fills a test's directory: people in units, groups with their members, password policies."""

from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

BASE = "dc=example,dc=com"
SERVICE = f"cn=service,{BASE}"
STRICT_POLICY = f"cn=strict,ou=policies,{BASE}"

_MILD = {"pwdLockout": "FALSE"}
_STRICT = {"pwdLockout": "TRUE", "pwdMaxFailure": "3", "pwdLockoutDuration": "0", "pwdMaxAge": "86400"}

Attributes = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Person:
    """Somebody with a password; `unit` is a sub-unit of ou=people, so one name can be there twice.

    `extra` holds further attributes, also those of the password policy, such as pwdAccountLockedTime or
    pwdReset, or pwdPolicySubentry: STRICT_POLICY.
    """

    name: str
    password: str
    mail: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    extra: Mapping[str, str] = field(default_factory=dict)
    unit: str = ""

    @property
    def dn(self) -> str:
        """Where the person's entry is."""
        unit = f"ou={escape(self.unit)}," if self.unit else ""
        return f"uid={escape(self.name)},{unit}ou=people,{BASE}"


def escape(value: str) -> str:
    """Write a value so that it can stand in a DN."""
    return "".join(
        char if char.isascii() and char.isalnum() else "".join(f"\\{octet:02x}" for octet in char.encode())
        for char in value
    )


def group_dn(group: str) -> str:
    """Where the entry of a group is."""
    return f"cn={escape(group)},ou=groups,{BASE}"


def ldif(people: Sequence[Person], service_password: str, policy: Mapping[str, str]) -> str:
    """Return the whole directory as LDIF, parents before children."""
    return "\n".join(_entry(dn, attributes) for dn, attributes in _entries(people, service_password, policy))


def _entries(
    people: Sequence[Person], service_password: str, policy: Mapping[str, str]
) -> Iterator[tuple[str, Attributes]]:
    yield BASE, [("objectClass", "dcObject"), ("objectClass", "organization"), ("dc", "example"), ("o", "Example")]
    role = [("objectClass", "organizationalRole"), ("objectClass", "simpleSecurityObject"), ("cn", "service")]
    yield SERVICE, [*role, ("userPassword", service_password)]
    for unit in ("people", "groups", "policies"):
        yield f"ou={unit},{BASE}", _unit(unit)
    for unit in sorted({person.unit for person in people} - {""}):
        yield f"ou={escape(unit)},ou=people,{BASE}", _unit(unit)
    for name, rules in (("mild", _MILD), ("strict", {**_STRICT, **policy})):
        classes = [("objectClass", "device"), ("objectClass", "pwdPolicy"), ("cn", name)]
        yield f"cn={name},ou=policies,{BASE}", [*classes, ("pwdAttribute", "userPassword"), *rules.items()]
    for person in people:
        yield person.dn, _person(person)
    for group in sorted({group for person in people for group in person.groups}):
        members = [("member", person.dn) for person in people if group in person.groups]
        yield group_dn(group), [("objectClass", "groupOfNames"), ("cn", group), *members]


def _person(person: Person) -> Attributes:
    attributes = [("objectClass", "inetOrgPerson"), ("objectClass", "extensibleObject"), ("uid", person.name)]
    attributes += [("userPassword", person.password)] if person.password else []
    for kind in ("cn", "sn"):
        attributes += [] if kind in person.extra else [(kind, person.name)]
    attributes += [("mail", address) for address in person.mail]
    # The overlay fills memberOf only when a group changes later, not when the directory is loaded.
    attributes += [("memberOf", group_dn(group)) for group in person.groups]
    return [*attributes, *person.extra.items()]


def _unit(name: str) -> Attributes:
    return [("objectClass", "organizationalUnit"), ("ou", name)]


def _entry(dn: str, attributes: Attributes) -> str:
    lines = [f"{kind}:: {b64encode(value.encode()).decode()}" for kind, value in (("dn", dn), *attributes)]
    return "\n".join(lines) + "\n"
