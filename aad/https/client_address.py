"""The address of a request's client: the peer's, or the one that a trusted proxy reports in a header. PURE.

X-Forwarded-For and Forwarded (RFC 7239) are lists to which each proxy appends the address that it got the request
from. So they are believed from the right, as far as the proxies are trusted; what a client wrote there itself stands
further to the left.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from aad.core.user_address import Networks, Unknown, UserAddress, literal, read

_OWS = "[ \t]*+"  # possessive: a long row of blanks is gone through once
_WORD = "[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # a token: RFC 9110 5.6.2
_QUOTED = r'"(?:[^"\\]|\\.)*+"'  # RFC 9110 5.6.4
_STEP = re.compile(rf"{_OWS}(?:({_WORD})=({_WORD}|{_QUOTED}))?{_OWS}([;,]|\Z)")
_ESCAPED = re.compile(r"\\(.)")


def caller(peer: str, headers: Mapping[str, str], trusted: Networks) -> UserAddress:
    """Return the client's address. `headers`: names in lower case; several lines of one header are joined by ", ".

    The address of a trusted proxy is never the client's: where a proxy reports nothing, or nothing that can be read, or
    the two headers differ, the client's is unknown.
    """
    address = literal(peer)
    if address not in trusted:
        return address
    given = [(name, headers[name.lower()]) for name in _READ if name.lower() in headers]
    found = [_believed(name, _READ[name](text), trusted) for name, text in given]
    if not found:
        return Unknown(f"it sends neither {' nor '.join(_READ)}")
    if any(other != found[0] for other in found):
        return Unknown(f"{' and '.join(_READ)} don't say the same", " / ".join(map(str, found)))
    return found[0]


def _believed(header: str, listed: Iterator[UserAddress], trusted: Networks) -> UserAddress:
    """Return the first one, from the right, that isn't a trusted proxy itself."""
    proxy = ""
    for address in listed:
        if isinstance(address, Unknown):
            return Unknown(f"{header} {address.why}", address.found)
        if address not in trusted:
            return address
        proxy = str(address)
    return Unknown(f"{header} names trusted proxies alone", proxy)


def _forwarded_for(text: str) -> Iterator[UserAddress]:
    """Read X-Forwarded-For. No standard defines it; ports, brackets and quotes are what proxies put there.

    An empty member counts: a proxy that has no name for its peer may have added it.
    """
    for member in reversed(text.split(",")):
        bare = member.strip(" \t")
        yield read(bare[1:-1] if len(bare) > 1 and bare[0] == bare[-1] == '"' else bare)


def _forwarded(text: str) -> Iterator[UserAddress]:
    """Read Forwarded. If it isn't well formed it is unknown as a whole: where an element ends in it can't be told."""
    found: list[str | None] = []
    pairs: dict[str, str] = {}
    at, end = 0, ","
    while end:
        match = _STEP.match(text, at)
        # RFC 7239 4: "Each parameter MUST NOT occur more than once per field-value", and names are case-insensitive.
        if match is None or (match[1] or "").lower() in pairs:
            return iter([Unknown("isn't well formed", text[at:])])
        name, value, end = match.groups()
        if name:
            pairs[name.lower()] = _ESCAPED.sub(r"\1", value[1:-1]) if value.startswith('"') else value
        if end != ";":
            found.append(pairs.get("for"))
            pairs = {}
        at = match.end()
    return map(_node, reversed(found))


def _node(value: str | None) -> UserAddress:
    """Read a node: an address, "unknown", or an obfuscated name, and maybe a port (RFC 7239 6)."""
    if value is None:
        return Unknown("has an element without for=")
    # RFC 7239 6: an IPv6 address stands in brackets, always, so a port behind it is none of its groups.
    return read(value) if value.startswith("[") or value.count(":") <= 1 else Unknown("holds no address", value)


_READ: Mapping[str, Callable[[str], Iterator[UserAddress]]] = {
    "X-Forwarded-For": _forwarded_for,
    "Forwarded": _forwarded,
}
