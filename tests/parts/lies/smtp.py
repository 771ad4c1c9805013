"""A mail server that lies: `python -m tests.parts.lies.smtp PORT CERTIFICATE KEY`.

Lies: at which command, what is said there instead of the right reply, whether the conversation goes on after it, and
what the log says of it then.
"""

from __future__ import annotations

import asyncio
import ssl
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tests.parts.lies.liar import MEGABYTE, Orders, by_and_by, endless, once, say

NONSENSE = "what the mail server answers is no SMTP"
SLOW = f"no answer within 2s|{NONSENSE}"
STARTTLS = "starttls"


@dataclass(frozen=True)
class Lie:
    """`told`: a pattern of what the daemon's log says; empty: nothing need be said, as the mail went."""

    at: str
    says: Callable[[], Iterable[bytes]]
    told: str = NONSENSE
    goes_on: bool = False
    security: str = "none"
    login: bool = False
    pause: float = 0.0


def lines(code: str, size: int = 65536) -> Callable[[], Iterable[bytes]]:
    """Return a reply of lines without end."""
    return endless(f"{code}-and then\r\n".encode(), size)


STARTTLS = "starttls"
SOME, PAUSE = 2048, 0.001
"""Less at a time than a reply may have; and the seconds in between."""
LONG = 10 * MEGABYTE
LIES = {
    "greets in lines without end": Lie("banner", lines("220")),
    "greets in one line of 10 MiB": Lie("banner", once(b"220 " + b"x" * LONG + b"\r\n")),
    "greets with NULs": Lie("banner", once(bytes(LONG))),
    "greets with what is no code": Lie("banner", once(b"abc hello\r\n")),
    "greets with 999": Lie("banner", once(b"999 hello\r\n")),
    "greets with -22": Lie("banner", once(b"-22 hello\r\n")),
    "greets in TLS": Lie("banner", once(b"\x16\3\1\2\0\1\0" + bytes(600) + b"\n")),
    "greets, octet by octet, without end": Lie("banner", by_and_by(b"220-\r\n" * 8000), SLOW),
    "answers before it is asked": Lie("banner", once(b"220 hello\r\n" + b"250 ok\r\n" * 1000), "", goes_on=True),
    "offers keywords without end": Lie("EHLO", lines("250")),
    "offers a keyword of 10 MiB": Lie("EHLO", once(b"250-hello\r\n250 " + b"K" * LONG + b"\r\n")),
    "offers 5000 keywords, octet by octet": Lie("EHLO", by_and_by(b"250-A\r\n" * 5000), SLOW),
    "says what is no TLS": Lie("STARTTLS", once(b"220 go\r\n" + b"x" * LONG), "TLS|no SMTP", security=STARTTLS),
    "injects a reply before TLS": Lie("STARTTLS", once(b"220 go\r\n250 hi\r\n"), "", goes_on=True, security=STARTTLS),
    "refuses TLS in lines without end": Lie("STARTTLS", lines("454"), security=STARTTLS),
    "challenges by 10 MiB": Lie("AUTH", once(b"334 " + b"A" * LONG + b"\r\n"), login=True),
    "challenges in lines without end": Lie("AUTH", lines("334"), login=True),
    "challenges in no base64": Lie("AUTH", once(b"334 !!!!\r\n"), SLOW, login=True),
    "answers the login in lines without end": Lie("challenge", lines("235"), login=True),
    "takes the sender in lines without end": Lie("MAIL", lines("250")),
    "takes the sender in lines without end, some at a time": Lie("MAIL", lines("250", SOME), pause=PAUSE),
    "takes the sender in one line of 10 MiB": Lie("MAIL", once(b"250 " + b"x" * LONG + b"\r\n")),
    "takes the sender in two codes": Lie("MAIL", once(b"250-ok\r\n550 no\r\n")),
    "takes the sender by 999": Lie("MAIL", once(b"999 ok\r\n")),
    "takes the sender with NULs": Lie("MAIL", endless(bytes(65536))),
    "takes the sender in bare CRs": Lie("MAIL", once(b"250 ok\r" * 4000), SLOW),
    "answers the sender thrice": Lie("MAIL", once(b"250 ok\r\n" * 3), "hung up|closes|closed"),
    "takes the recipient in lines without end": Lie("RCPT", lines("250")),
    "answers the recipient by 354": Lie("RCPT", once(b"354 go on\r\n"), "refuses the recipient: 354"),
    "wants the mail in lines without end": Lie("DATA", lines("354")),
    "wants the mail in two codes": Lie("DATA", once(b"354-go\r\n250 ok\r\n")),
    "takes the mail in lines without end": Lie("end", lines("250")),
    "takes the mail in lines without end, some at a time": Lie("end", lines("250", SOME), pause=PAUSE),
    "takes the mail in one line without end": Lie("end", endless(b"250 " + b"x" * 65532)),
    "takes the mail in two codes": Lie("end", once(b"250-ok\r\n550 no\r\n")),
    "takes the mail by 000": Lie("end", once(b"000 ok\r\n")),
    "takes the mail, octet by octet, without end": Lie("end", by_and_by(b"250-\r\n" * 8000), SLOW),
    "takes the mail, and goes on talking": Lie("end", lambda: [b"250 ok\r\n", *endless(b"250 ok\r\n")()], ""),
}
GOOD = {
    "banner": "220 liar.example.com ESMTP",
    "EHLO": "250-liar.example.com\r\n{offers}250 8BITMIME",
    "STARTTLS": "220 go on",
    "AUTH": "334 VXNlcm5hbWU6",
    "challenge": "235 2.7.0 ok",
    "MAIL": "250 2.1.0 ok",
    "RCPT": "250 2.1.5 ok",
    "DATA": "354 go on",
    "end": "250 2.0.0 ok",
    "RSET": "250 2.0.0 ok",
    "NOOP": "250 2.0.0 ok",
    "QUIT": "221 2.0.0 bye",
}


class Server:
    """Its connections."""

    def __init__(self, orders: Orders, tls: ssl.SSLContext) -> None:
        self._orders, self._tls = orders, tls

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Talk, until the client has enough."""
        at, secure = "banner", False
        while at:
            lie = LIES.get(self._orders.name)
            if lie and lie.at == at and not (secure and at == "banner"):
                await say(writer, lie.says(), lie.pause)
                if not lie.goes_on:
                    await reader.read()
                    return
            else:
                offers = "250-AUTH LOGIN\r\n" + ("" if secure else "250-STARTTLS\r\n")
                writer.write(GOOD.get(at, "502 5.5.1 what?").format(offers=offers).encode() + b"\r\n")
            if at == "STARTTLS":
                await writer.start_tls(self._tls)
                secure = True
            at = await self._heard(reader, at)

    async def _heard(self, reader: asyncio.StreamReader, at: str) -> str:
        """Return what is answered next."""
        if at == "DATA":
            await reader.readuntil(b"\r\n.\r\n")
            return "end"
        line = await reader.readline()
        if at in ("AUTH", "challenge") and line and b" " not in line:
            return "challenge"
        return line.split(b" ")[0].strip().decode("ascii", "replace").upper()


def main(port: str, certificate: str, key: str) -> None:
    """Serve until there are no orders any more."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    orders = Orders()
    asyncio.run(orders.obey(Server(orders, tls).serve, int(port)))


if __name__ == "__main__":
    main(*sys.argv[1:])
