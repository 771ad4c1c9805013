"""Renders templates to pages, everything escaped; serves stylesheet and picture. The only import of jinja2."""

from __future__ import annotations

import hashlib
from functools import cache
from http import HTTPStatus
from importlib.resources import files
from typing import Any

import jinja2
import markupsafe

from aad.https.messages import Cookie, Request, Response, Route
from aad.portal.translations import saying

POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""Nothing inline, and no script at all."""
_LASTS = (("Cache-Control", "public, max-age=31536000, immutable"),)  # its name changes with its octets
_NONE: dict[str, Any] = {
    "again": False,
    "csrf": "",
    "helper": False,
    "mistakes": {},
    "name": "",
    "narrow": False,
    "notice": "",
    "others": (),
    "page": "",
    "trouble": "",
    "visitor": "",
}


class Pages:
    """Renders templates."""

    def __init__(self, brand: str, contact: str) -> None:
        """`brand`: the portal's name; `contact`: where users get help, may be empty."""
        self._environment = jinja2.Environment(
            loader=jinja2.FunctionLoader(_template), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
        )
        self._environment.globals |= {
            "brand": brand,
            "contact": contact,
            "picture": _named("picture.svg"),
            "stylesheet": _named("portal.css"),
        }

    def page(
        self,
        name: str,
        language: str,
        /,
        *cookies: Cookie,
        status: HTTPStatus = HTTPStatus.OK,
        **values: object,
    ) -> Response:
        """Return the page of a template, `values` filled in. jinja2's UndefinedError: one is missing."""
        template = self._environment.get_template(f"{name}.html")
        text = template.render(_NONE | values | {"language": language, "say": saying(language)})
        headers = (("Content-Security-Policy", POLICY), ("Content-Language", language))
        return Response(status=status, body=text.encode(), headers=headers, cookies=cookies)


def drawing(svg: str) -> object:
    """Return an SVG element as markup, which a template doesn't escape. Only for what we made ourselves."""
    return markupsafe.Markup(svg)  # noqa: S704 - segno made it, of digits and our own words


def routes() -> list[Route]:
    """Return the routes of stylesheet and picture."""

    def serving(name: str, kind: str) -> Route:
        body = _octets(name)

        async def answer(_request: Request) -> Response:
            return Response(body=body, kind=kind, headers=_LASTS)

        return Route("GET", _named(name), answer)

    return [serving("portal.css", "text/css; charset=utf-8"), serving("picture.svg", "image/svg+xml")]


def _template(name: str) -> str:
    return files("aad.portal").joinpath("templates", name).read_text("utf-8")


@cache
def _octets(name: str) -> bytes:
    return files("aad.portal").joinpath(name).read_bytes()


@cache
def _named(name: str) -> str:
    stem, _, ending = name.rpartition(".")
    return f"/{stem}.{hashlib.sha256(_octets(name)).hexdigest()[:12]}.{ending}"
