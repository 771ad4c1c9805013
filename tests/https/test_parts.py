"""The pure parts of the HTTPS front: addresses, forms, cookies, keys, shapes."""

from __future__ import annotations

import contextlib
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aad.core.user_address import Networks, literal
from aad.https import problems, schemas
from aad.https.api import OPERATIONS
from aad.https.connection import BODY_OCTETS
from aad.https.idempotency import key_of
from aad.https.keys import Key, Keys
from aad.https.messages import FORM, JSON, Cookie, OtherMediaTypeError, Request, Response, Route, UnreadableBodyError
from aad.https.problems import ProblemError
from aad.https.router import HEADERS, Router, headers
from aad.https.schemas import Field

HERE = "192.0.2.1"


def request(method: str = "POST", path: str = "/", body: bytes = b"", kind: str = "", **said: str) -> Request:
    return Request(
        method=method, path=path, caller=literal(HERE), received=0.0, body=body, headers={"content-type": kind, **said}
    )


def test_a_form_is_read_strictly() -> None:
    assert request(body=b"a=1&b=%C3%A9+x&c=", kind=f"{FORM}; charset=utf-8").form == {"a": "1", "b": "é x", "c": ""}
    for body in (b"a=1&a=2", b"a=%ff", b"\xff=1", b"&".join(b"a%d=" % n for n in range(60))):
        with pytest.raises(UnreadableBodyError):
            _ = request(body=body, kind=FORM).form
    with pytest.raises(OtherMediaTypeError):
        _ = request(body=b"a=1", kind="text/plain").form


@given(st.binary(max_size=200))
def test_whatever_a_body_holds_it_is_read_or_unreadable(octets: bytes) -> None:
    for kind in (FORM, JSON):
        asked = request(body=octets, kind=kind)
        with contextlib.suppress(UnreadableBodyError):
            _ = asked.form if kind == FORM else asked.json


def test_json_names_nothing_twice_and_knows_no_nan() -> None:
    for body in (b'{"a": 1, "a": 2}', b"NaN", b'{"a": {"b": 1, "b": 1}}', b"\xff", b"", b"[" * 100_000):
        with pytest.raises(UnreadableBodyError):
            _ = request(body=body, kind=JSON).json


def test_cookies_go_both_ways() -> None:
    assert request(cookie="a=1; b=x=y; a=2; c").cookies == {"a": "1", "b": "x=y"}
    written = str(Cookie(name="__Host-s", value="v", seconds=0))
    assert written == "__Host-s=v; Max-Age=0; Path=/; Secure; HttpOnly; SameSite=Strict"
    assert "v" not in repr(Cookie(name="s", value="v")).replace("value", "")


def test_nothing_secret_of_a_request_is_printed() -> None:
    shown = repr(request(body=b"hush", authorization="Bearer hush", cookie="hush=1"))
    assert "hush" not in shown


async def test_the_router_answers_paths_and_methods() -> None:
    async def fine(_request: Request) -> Response:
        return Response(body=b"fine")

    async def fault(asked: Request) -> Response:
        raise ValueError(asked.headers["authorization"])

    records: list[dict[str, object]] = []
    router = Router(
        [Route("GET", "/a", fine), Route("POST", "/a", fine), Route("POST", "/b", fault)],
        lambda name, /, **fields: records.append({"name": name, **fields}),
    )
    assert (await router.answer(request("HEAD", "/a"))).status == 200
    assert (await router.answer(request("GET", "/A"))).status == 404
    refused = await router.answer(request("PUT", "/a"))
    assert (refused.status, dict(refused.headers)["Allow"]) == (405, "GET, HEAD, POST")
    assert dict((await router.answer(request("GET", "/b"))).headers)["Allow"] == "POST"
    broken = await router.answer(request("POST", "/b", authorization="hush"))
    assert broken.status == 500
    assert [record["name"] for record in records] == ["fault"]
    assert "hush" not in f"{records}{broken}{broken.body!r}"
    with pytest.raises(ValueError, match="the same"):
        Router([Route("GET", "/a", fine)] * 2, lambda _name, /, **_fields: None)


def test_a_response_keeps_browsers_safe_unless_it_says_otherwise() -> None:
    plain = dict(headers(Response(body=b"x")))
    assert plain.items() >= HEADERS.items()
    own = headers(Response(headers=(("cache-control", "max-age=60"),), cookies=(Cookie(name="a", value="b"),)))
    assert [value for name, value in own if name.lower() == "cache-control"] == ["max-age=60"]
    assert [name for name, _ in own].count("Set-Cookie") == 1


def test_a_key_is_known_by_its_hash_alone() -> None:
    def digest(key: str) -> str:
        return hashlib.sha256(key.encode()).hexdigest()

    keys = Keys(
        [
            Key(name="shop", hashes=(digest("new"), digest("old")), events=("web",)),
            Key(name="far", hashes=(digest("far"),), events=("web",), networks=Networks(["198.51.100.0/24"])),
        ]
    )
    assert keys.of(request(authorization="Bearer new")).name == keys.of(request(authorization="bearer  old ")).name
    for said in ("Bearer far", "Bearer", "", "Bearer x", "Basic new", "new", f"Bearer {digest('new')}"):
        with pytest.raises(ProblemError) as raised:
            keys.of(request(authorization=said))
        assert raised.value.sort is problems.NO_KEY


FIELDS = (Field(name="name", doc="", least=1, most=3, required=True), Field(name="caller", doc="", address=True))


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ({"name": "abc", "caller": "2001:db8::1"}, ()),
        ({"name": "abcd"}, ("/name",)),
        ({"name": ""}, ("/name",)),
        ({"name": None}, ("/name",)),
        ({"name": "a\ud800"}, ("/name",)),
        ({}, ("/name",)),
        ({"name": "a", "caller": "x"}, ("/caller",)),
        ({"hush": 1, "name": 1, "caller": 1}, ("", "/name", "/caller")),
        (["name"], ("",)),
    ],
)
def test_a_body_has_its_shape_or_all_that_is_wrong_is_said(body: object, wrong: tuple[str, ...]) -> None:
    if not wrong:
        assert schemas.checked(body, FIELDS) == body
        return
    with pytest.raises(ProblemError) as raised:
        schemas.checked(body, FIELDS)
    assert tuple(pointer for pointer, _ in raised.value.errors) == wrong
    assert "hush" not in str(raised.value.document)


@pytest.mark.parametrize("header", ["", '""', "a b", "é", "x" * 129, 'a"b'])
def test_an_idempotency_key_is_plain(header: str) -> None:
    with pytest.raises(ProblemError):
        key_of(header)
    assert key_of('"8e03978e"') == key_of("8e03978e") == "8e03978e"


def test_every_body_that_is_right_has_room() -> None:
    for operation in OPERATIONS:
        escaped = 12  # octets of a character beyond the first plane, as JSON's \\uXXXX\\uXXXX
        assert sum(field.most * escaped + len(field.name) + 10 for field in operation.fields) < BODY_OCTETS
