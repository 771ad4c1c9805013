"""Drive FreeRADIUS's radclient, one process for each packet."""

import os
import re
from dataclasses import dataclass
from subprocess import run
from typing import Literal

from tests.parts.part import Part
from tests.parts.result import Answer, Result

ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}
ROUNDS = 10


@dataclass(frozen=True)
class Reply:
    """One reply: `code` is a name such as Access-Challenge, or empty when none came."""

    code: str
    attributes: dict[str, list[str]]
    raw: str


class Radclient(Part):
    """A client without a home: it has a server and a secret."""

    def __init__(
        self,
        host: str,
        port: int,
        secret: str,
        *,
        message_authenticator: bool = True,
        timeout: float = 5,
        retries: int = 1,
    ) -> None:
        """Send each packet `retries` times at most, `timeout` seconds apart."""
        self._options = ["-x", "-t", str(timeout), "-r", str(retries)]
        self._server = f"{host}:{port}"
        self._secret = secret
        self._signed = message_authenticator

    def login(self, user: str, password: str, answer: Answer) -> Result:
        """Log in, answering each Access-Challenge with its State."""
        prompts: list[str] = []
        transcript = ""
        typed, state = password, ""
        for _ in range(ROUNDS):
            attributes = [f"User-Name = {quote(user)}", f"User-Password = {quote(typed)}"]
            reply = self.send("auth", [*attributes, f"State = {state}"] if state else attributes)
            transcript += reply.raw
            if reply.code != "Access-Challenge":
                break
            state = reply.attributes["State"][0]
            prompts.append("".join(reply.attributes.get("Reply-Message", [])))
            typed = answer(prompts[-1])
        return Result(reply.code == "Access-Accept", tuple(prompts), transcript)

    def send(self, code: Literal["auth", "status", "acct"], attributes: list[str]) -> Reply:
        """Send one packet; attributes are lines such as `NAS-Port = 3` or `User-Name = "bob"`."""
        signature = ["Message-Authenticator = 0x00"] if code == "status" or (self._signed and code == "auth") else []
        text = "\n".join([*attributes, *signature]) + "\n"
        command = ["/usr/bin/radclient", *self._options, self._server, code, self._secret]
        done = run(command, input=text.encode(), capture_output=True, check=False, env={**os.environ, "LC_ALL": "C"})
        return parse((done.stdout + done.stderr).decode(errors="replace"))


def quote(value: str) -> str:
    """Write a value between double quotes."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def parse(output: str) -> Reply:
    """Read what radclient printed about the packet that it received."""
    code = ""
    attributes: dict[str, list[str]] = {}
    for line in output.splitlines():
        if received := re.match(r"Received ([A-Za-z-]+) Id", line):
            code, attributes = received[1], {}
        elif re.match(r"Sent ", line):
            code, attributes = "", {}
        elif code and (pair := re.match(r"\t([\w:-]+) = (.*)", line)):
            attributes.setdefault(pair[1], []).append(_unquote(pair[2]))
    return Reply(code, attributes, output)


def _unquote(value: str) -> str:
    if not value.startswith('"'):
        return value
    return re.sub(r"\\([0-7]{3}|.)", _character, value[1:-1])


def _character(escaped: re.Match[str]) -> str:
    text = escaped[1]
    return chr(int(text, 8)) if text.isdigit() else ESCAPES.get(text, text)
