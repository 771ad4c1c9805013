#!/usr/bin/python3
"""Ask a RADIUS server whom OpenVPN may let in; what it asks back becomes OpenVPN's dynamic challenge (CRV1).

OpenVPN 2.6 or newer calls this for each login; openvpn.md beside it says how. Python 3.8 or newer, nothing else.
It speaks PAP, signs every request with Message-Authenticator, and believes no reply that isn't signed (RFC 3579 3.2).
"""

import configparser
import hashlib
import hmac
import os
import secrets
import socket
import struct
import sys
import time
from base64 import b64decode, b64encode
from pathlib import Path
from urllib.parse import urlsplit

ACCEPTED, REFUSED, DEFERRED = 0, 1, 2  # exit codes that OpenVPN knows
ACCESS_REQUEST, ACCESS_ACCEPT, ACCESS_REJECT, ACCESS_CHALLENGE = 1, 2, 3, 11
USER_NAME, USER_PASSWORD, REPLY_MESSAGE, STATE, CALLING_STATION_ID, NAS_IDENTIFIER = 1, 2, 18, 24, 31, 32
NAS_PORT_TYPE, MESSAGE_AUTHENTICATOR = 61, 80
VIRTUAL = struct.pack("!I", 5)  # RFC 2865 5.41: not a physical port


class Server:
    """One RADIUS server, as the .ini names it."""

    def __init__(self, place, secret, timeout, tries):
        """Keep where it is, `HOST` or `HOST:PORT`; `timeout`: seconds for each of so many tries."""
        found = urlsplit("//" + place)
        self.address = (found.hostname, found.port or 1812)
        self.secret, self.timeout, self.tries = secret, timeout, tries

    def ask(self, password, attributes):
        """Send an Access-Request; return the reply's code and attributes, or None when no true one came."""
        authenticator = secrets.token_bytes(16)
        hidden = self.hide(password, authenticator)
        body = b"".join(bytes((kind, len(value) + 2)) + value for kind, value in [*attributes, (USER_PASSWORD, hidden)])
        identifier = secrets.randbelow(256)
        start = struct.pack("!BBH", ACCESS_REQUEST, identifier, 38 + len(body)) + authenticator
        blank = bytes((MESSAGE_AUTHENTICATOR, 18)) + bytes(16)
        signature = hmac.new(self.secret, start + blank + body, "md5").digest()
        request = start + blank[:2] + signature + body
        family, kind, _, _, address = socket.getaddrinfo(*self.address, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind) as line:
            line.connect(address)
            for _ in range(self.tries):  # the same octets again: a server takes that for the same request
                ends = time.monotonic() + self.timeout
                try:
                    line.send(request)
                    while (left := ends - time.monotonic()) > 0:  # what is no true reply doesn't end the wait
                        line.settimeout(left)
                        if found := self.read(line.recv(4096), identifier, authenticator):
                            return found
                except socket.timeout:
                    pass
                except OSError:  # no daemon listens there
                    time.sleep(min(self.timeout, 0.5))
        return None

    def read(self, packet, identifier, authenticator):
        """Return code and attributes of a true reply, else None."""
        if len(packet) < 20 or packet[1] != identifier or struct.unpack("!H", packet[2:4])[0] != len(packet):
            return None
        right = hashlib.md5(packet[:4] + authenticator + packet[20:] + self.secret).digest()
        if not hmac.compare_digest(right, packet[4:20]):
            return None
        found, at, signed = {}, 20, False
        while at < len(packet):
            kind, size = packet[at], packet[at + 1] if at + 1 < len(packet) else 0
            if size < 2 or at + size > len(packet):
                return None
            found.setdefault(kind, packet[at + 2 : at + size])
            if kind == MESSAGE_AUTHENTICATOR and size == 18:
                unsigned = packet[:4] + authenticator + packet[20 : at + 2] + bytes(16) + packet[at + 18 :]
                right = hmac.new(self.secret, unsigned, "md5").digest()
                signed = hmac.compare_digest(right, found[kind])
            at += size
        return (packet[0], found) if signed else None  # unsigned, it might be forged (CVE-2024-3596)

    def hide(self, password, authenticator):
        """Encrypt a User-Password (RFC 2865 5.2)."""
        hidden, last = b"", authenticator
        padded = password.ljust(max(16, -(-len(password) // 16) * 16), b"\0")
        for at in range(0, len(padded), 16):
            pad = hashlib.md5(self.secret + last).digest()
            last = bytes(a ^ b for a, b in zip(padded[at : at + 16], pad))
            hidden += last
        return hidden


def decide(settings, user, password):
    """Return whether the user is accepted, and the text for their client if not."""
    secret = Path(settings["secret_file"]).read_bytes().strip()
    limits = settings.getfloat("timeout", 3.0), settings.getint("tries", 2)
    servers = [Server(place, secret, *limits) for place in settings["servers"].split()]
    caller = os.environ.get("untrusted_ip") or os.environ.get("untrusted_ip6") or ""
    attributes = [(USER_NAME, user), (NAS_PORT_TYPE, VIRTUAL), (CALLING_STATION_ID, caller.encode())]
    attributes.append((NAS_IDENTIFIER, settings.get("nas_identifier", "openvpn").encode()))
    turns = list(range(len(servers)))
    if password.startswith(b"CRV1::"):  # the answer to a challenge, CRV1::STATE::ANSWER: for the server that asked
        token, _, password = password[len(b"CRV1::") :].partition(b"::")
        state = b64decode(token, validate=True)
        if len(state) < 2:
            raise ValueError("an answer to no challenge")
        turns = [state[0]]
        attributes.append((STATE, state[1:]))
    if not secret or not user or len(user) > 253 or len(password) > 128:
        return False, b"Login failed."
    for turn in turns:
        reply = servers[turn].ask(password, [pair for pair in attributes if pair[1]])
        if reply is None:
            continue
        code, found = reply
        words = bytes(max(octet, 32) for octet in found.get(REPLY_MESSAGE, b""))
        if code == ACCESS_CHALLENGE and STATE in found:
            token = b64encode(bytes([turn]) + found[STATE])
            return False, b"CRV1:R,E:%s:%s:%s" % (token, b64encode(user), words or b"Code: ")
        return code == ACCESS_ACCEPT, words or b"Login failed."
    return False, b"The login server does not answer."


def main():
    """Read whom OpenVPN asks about, let it go on with its other users, and write the decision when there is one."""
    parser = configparser.ConfigParser(interpolation=None)
    with open(sys.argv[1], encoding="utf-8") as file:
        parser.read_file(file)
    user, password, *_ = Path(sys.argv[2]).read_bytes().split(b"\n") + [b""]
    control, told = os.environ.get("auth_control_file"), os.environ.get("auth_failed_reason_file")
    if control and os.fork():
        return DEFERRED
    accepted, words = False, b"Login failed."
    try:
        accepted, words = decide(parser["radius"], user, password)
    except Exception as error:  # any error here refuses the login, and the log has it
        print(f"openvpn-crv1: {type(error).__name__}: {error}", file=sys.stderr)
    if not accepted and told:
        Path(told).write_bytes(words)
    if control:
        Path(control).write_bytes(b"1" if accepted else b"0")
    return ACCEPTED if accepted else REFUSED


if __name__ == "__main__":
    sys.exit(main())
