"""A website that logs its users in through aad: WSGI and the standard library, nothing else. website.md says how."""

import contextlib
import html
import json
import os
import ssl
import uuid
from pathlib import Path
from urllib.parse import parse_qsl
from urllib.request import Request, urlopen

KEY = Path(os.environ["AAD_KEY_FILE"]).read_text().strip()
TLS = ssl.create_default_context(cafile=os.environ.get("AAD_CA_FILE"))
PAGE = "<!doctype html><meta charset=utf-8><title>Log in</title><p>{words}</p><form method=post>{fields}<button>Go on</button></form>"
FIRST = "<input name=name autocomplete=username> <input name=password type=password autocomplete=current-password>"
CODE = "<input name=answer autocomplete=one-time-code autofocus><input name=login type=hidden value='{}'>"


def ask(path, **body):
    """Post to aad; once more if nothing came back: with the same Idempotency-Key nothing is done twice."""
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json", "Idempotency-Key": str(uuid.uuid4())}
    request = Request(f"https://{os.environ['AAD_SERVER']}{path}", json.dumps(body).encode(), headers)
    for _ in range(2):
        with contextlib.suppress(OSError):  # whatever isn't 200 is one, too
            return json.load(urlopen(request, timeout=15, context=TLS))
    return {"result": "error", "message": "We can't log you in now."}


def application(environ, start_response):
    """Show the form, or go on with what was typed."""
    typed = dict(parse_qsl(environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)).decode()))
    if "login" in typed:
        said = ask("/v1/answers", login=typed["login"], answer=typed.get("answer", ""))
    elif "name" in typed:
        said = ask("/v1/logins", name=typed["name"], password=typed.get("password", ""), caller=environ["REMOTE_ADDR"])
    else:
        said = {"result": "begin", "message": "Who are you?"}
    if said["result"] == "accepted":  # here the website begins its session, for this name and no other
        page = f"<!doctype html><meta charset=utf-8><title>Welcome</title><p>Welcome, {html.escape(said['user']['name'])}."
    elif said["result"] == "challenge":
        page = PAGE.format(words=html.escape(said["prompt"]), fields=CODE.format(html.escape(said["login"])))
    else:
        page = PAGE.format(words=html.escape(said["message"]), fields=FIRST)
    start_response("200 OK", [("Content-Type", "text/html; charset=utf-8"), ("Cache-Control", "no-store")])
    return [page.encode()]
