"""Field: a member of a JSON body, by which bodies are checked and of which the OpenAPI document is made. PURE."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from aad.core.user_address import literal
from aad.https import problems
from aad.https.problems import ProblemError


@dataclass(frozen=True, kw_only=True)
class Field:
    """One string in a body. `least`, `most`: characters; `address`: it has to be an address of IPv4 or IPv6."""

    name: str
    doc: str
    least: int = 0
    most: int = 253
    required: bool = False
    address: bool = False
    secret: bool = False

    def wrong(self, value: object) -> str:
        """Return what is wrong with a value, without quoting it; empty: nothing."""
        if not isinstance(value, str):
            return "should be a text"
        if not self.least <= len(value) <= self.most:
            return f"should have {self.least} to {self.most} characters"
        if any("\ud800" <= c <= "\udfff" for c in value):
            return "holds half a character (a lone surrogate)"
        if self.address:
            try:
                literal(value)
            except ValueError:
                return "should be an address of IPv4 or IPv6"
        return ""

    @property
    def schema(self) -> dict[str, Any]:
        """The field as JSON Schema."""
        schema: dict[str, Any] = {"type": "string", "description": self.doc}
        if self.address:
            return {**schema, "anyOf": [{"format": "ipv4"}, {"format": "ipv6"}]}
        secret = {"format": "password", "writeOnly": True} if self.secret else {}
        return {**schema, "minLength": self.least, "maxLength": self.most, **secret}


def schema(fields: Sequence[Field]) -> dict[str, Any]:
    """Return the JSON Schema of a body with these fields."""
    return {
        "type": "object",
        "properties": {field.name: field.schema for field in fields},
        "required": [field.name for field in fields if field.required],
        "additionalProperties": False,
    }


def checked(body: object, fields: Sequence[Field]) -> dict[str, str]:
    """Return the fields of a body. ProblemError: every fault of its shape at once, quoting no value."""
    if not isinstance(body, dict):
        raise ProblemError(problems.WRONG_SHAPE, errors=(("", "should be an object"),))
    if faults := tuple(_faults(body, fields)):
        raise ProblemError(problems.WRONG_SHAPE, errors=faults)
    return body


def _faults(body: dict[str, object], fields: Sequence[Field]) -> Iterator[tuple[str, str]]:
    known = {field.name: field for field in fields}
    if unknown := len(body.keys() - known.keys()):
        yield "", f"has {unknown} members that are not known; known here: {', '.join(known)}"
    for name, field in known.items():
        if name not in body:
            if field.required:
                yield f"/{name}", "is missing"
        elif wrong := field.wrong(body[name]):
            yield f"/{name}", wrong
