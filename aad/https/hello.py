"""One route of each kind, to begin with."""

from __future__ import annotations

from html import escape

from aad.https.site import PAGE_POLICY
from aad.https.web import Request, Response, Route, written


async def _json(_request: Request) -> Response:
    return written({"hello": "world"})


async def _page(request: Request) -> Response:
    body = f'<!doctype html><title>hello</title><form method=post>{escape(request.caller)}<input name="name"></form>'
    return Response(body=body.encode(), headers=(("Content-Security-Policy", PAGE_POLICY),))


async def _form(request: Request) -> Response:
    return Response(body=f"<!doctype html>hello {escape(request.form.get('name', ''))}".encode())


ROUTES = (Route("GET", "/hello.json", _json), Route("GET", "/hello", _page), Route("POST", "/hello", _form))
