"""The OpenAPI 3.1 document, made of the tables by which requests are checked and answered. PURE."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from aad.https import problems, schemas
from aad.https.messages import JSON
from aad.https.problems import KIND, ProblemType
from aad.https.schemas import Field

_ALWAYS = (
    problems.NO_HTTP,
    problems.UNREADABLE,
    problems.BAD_IDEMPOTENCY_KEY,
    problems.NO_KEY,
    problems.TOO_SLOW,
    problems.UNDER_WAY,
    problems.TOO_LARGE,
    problems.OTHER_KIND,
    problems.WRONG_SHAPE,
    problems.KEY_REUSED,
    problems.HEAD_TOO_LARGE,
    problems.FAULT,
    problems.UNAVAILABLE,
)
_RETRY = {"Retry-After": {"description": "Seconds until it may be tried again.", "schema": {"type": "integer"}}}
_HEADERS = {401: {"WWW-Authenticate": {"schema": {"type": "string"}}}, 409: _RETRY, 429: _RETRY, 503: _RETRY}
_TEXT = {"type": "string"}


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One operation: a POST of `fields` to `path`. `problems`: those that only it has."""

    path: str
    name: str
    doc: str
    fields: Sequence[Field]
    problems: tuple[ProblemType, ...] = ()

    @property
    def document(self) -> dict[str, Any]:
        """The operation as OpenAPI's Operation Object."""
        described = {"application/json": {"schema": schemas.schema(self.fields)}}
        result = {"description": "What became of it.", "content": {JSON: {"schema": _ref("schemas", "Result")}}}
        return {
            "operationId": self.name,
            "summary": self.doc.partition(". ")[0].removesuffix(".") + ".",
            "description": self.doc,
            "security": [{"key": []}],
            "parameters": [_ref("parameters", "Idempotency-Key")],
            "requestBody": {"required": True, "content": described},
            "responses": {"200": result, **_responses((*_ALWAYS, *self.problems))},
        }


def document(operations: Iterable[Operation]) -> dict[str, Any]:
    """Return the document. Its version is the API's: nothing that was published in it is changed or removed."""
    paths: dict[str, Any] = {each.path: {"post": each.document} for each in operations}
    paths["/openapi.json"] = {"get": _plain("openapi", "This document.", {"type": "object"})}
    serving = _object({"result": {"const": "serving"}})
    paths["/health"] = {"get": _plain("health", "Whether anybody is there. The directory isn't asked.", serving)}
    return {
        "openapi": "3.1.0",
        "info": {"title": "aad", "version": "1.0.0", "description": "Logs the users of websites in."},
        "paths": paths,
        "components": {
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
            "parameters": {"Idempotency-Key": _IDEMPOTENCY_KEY},
            "schemas": _SCHEMAS,
        },
    }


def _responses(sorts: Iterable[ProblemType]) -> dict[str, Any]:
    """Return a response for each status that these problems have."""
    found: dict[str, Any] = {}
    for status, alike in groupby(sorted(sorts, key=lambda sort: sort.status), key=lambda sort: sort.status):
        each = list(alike)
        shape = {
            "allOf": [
                _ref("schemas", "Problem"),
                {"properties": {"type": {"enum": [sort.type for sort in each]}, "status": {"const": status.value}}},
            ]
        }
        response: dict[str, Any] = {
            "description": " Or: ".join(sort.detail for sort in each),
            "content": {KIND: {"schema": shape}},
        }
        if headers := _HEADERS.get(status):
            response["headers"] = headers
        found[str(status.value)] = response
    return found


def _plain(name: str, doc: str, shape: dict[str, Any]) -> dict[str, Any]:
    response = {"description": doc, "content": {JSON: {"schema": shape}}}
    sorts = (problems.NO_HTTP, problems.TOO_SLOW, problems.TOO_LARGE, problems.HEAD_TOO_LARGE)
    return {"operationId": name, "summary": doc, "security": [], "responses": {"200": response, **_responses(sorts)}}


def _ref(kind: str, name: str) -> dict[str, str]:
    return {"$ref": f"#/components/{kind}/{name}"}


def _object(properties: dict[str, Any], *optional: str) -> dict[str, Any]:
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "New for each request, and the same when it is sent again: then nothing is done twice, and "
    "the answer is the same, for two minutes.",
    "schema": {"type": "string", "pattern": "^[!#-~]{1,128}$", "examples": ["8e03978e-40d5-43dd-bc93-6894a57f9324"]},
}
_USER = _object(
    {
        "name": {**_TEXT, "description": "As the repository spells it: one person is one name, whatever was typed."},
        "repository": _TEXT,
        "groups": {"type": "array", "items": _TEXT, "description": "Only where the key has tell_groups = true."},
    },
    "groups",
)
_SCHEMAS = {
    "Result": {
        "oneOf": [_ref("schemas", "Accepted"), _ref("schemas", "Refused"), _ref("schemas", "Challenge")],
        "discriminator": {
            "propertyName": "result",
            "mapping": {name.lower(): f"#/components/schemas/{name}" for name in ("Accepted", "Refused", "Challenge")},
        },
    },
    "Accepted": _object(
        {
            "result": {"const": "accepted"},
            "reference": {**_TEXT, "description": "What the log calls this login."},
            "event": _TEXT,
            "user": _USER,
        }
    ),
    "Refused": _object(
        {"result": {"const": "refused"}, "message": {**_TEXT, "description": "All that the user may be told."}}
    ),
    "Challenge": _object(
        {
            "result": {"const": "challenge"},
            "login": {**_TEXT, "description": "Comes back with the answer. Good for this key only, and once."},
            "prompt": {**_TEXT, "description": "What the user is asked, in their language."},
            "expires_in": {"type": "integer", "minimum": 0, "description": "Seconds."},
            "values": {
                "type": "object",
                "additionalProperties": _TEXT,
                "description": "What the prompt is made of, for a page with words of its own; may be empty.",
            },
        }
    ),
    "Problem": {
        "type": "object",
        "properties": {
            "type": _TEXT,
            "title": _TEXT,
            "status": {"type": "integer"},
            "detail": _TEXT,
            "errors": {"type": "array", "items": _object({"pointer": _TEXT, "detail": _TEXT})},
        },
        "required": ["type", "title", "status", "detail"],
    },
}
