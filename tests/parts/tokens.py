"""A token endpoint of the test's own (OAuth 2): it checks who asks, gives tokens, and can refuse, redirect or hang."""

from __future__ import annotations

import base64
import json
import secrets
import ssl
import threading
import time
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl

import trustme
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.parts.authority import Authority
from tests.parts.part import Part
from tests.parts.ports import free_port

Answer = tuple[int, dict[str, str], bytes]


class Identity:
    """An RSA key and its certificate, in PEM."""

    def __init__(self) -> None:
        leaf = trustme.CA().issue_cert("aad.example.com", key_type=trustme.KeyType.RSA)
        self.certificate = leaf.cert_chain_pems[0].bytes()
        self.key = leaf.private_key_pem.bytes()
        certificate = x509.load_pem_x509_certificate(self.certificate)
        self.thumbprint = _base64(sha256(certificate.public_bytes(serialization.Encoding.DER)).digest())

    def service_account(self, url: str, email: str = "aad@project.example.com") -> str:
        """Return the JSON that Google would make of this key."""
        said = {"type": "service_account", "client_email": email, "token_uri": url}
        return json.dumps({**said, "private_key_id": self.thumbprint, "private_key": self.key.decode()})

    def signed(self, algorithm: str, text: str, signature: str) -> bool:
        """Say whether this key signed the text."""
        key = x509.load_pem_x509_certificate(self.certificate).public_key()
        assert isinstance(key, rsa.RSAPublicKey)
        pss = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
        scheme = {"PS256": pss, "RS256": padding.PKCS1v15()}[algorithm]
        try:
            key.verify(_octets(signature), text.encode(), scheme, hashes.SHA256())
        except InvalidSignature:
            return False
        return True


class TokenServer(Part):
    """Knows one application, "the-app", by its `secret` and its `identity`, which is a service account's key too."""

    client_id = "the-app"
    secret = "hush hush"
    refresh_token = "1//leave-to-mail"
    mailbox = "noreply@company.com"

    def __init__(self, authority: Authority, identity: Identity | None = None, *, life: object = 3600) -> None:
        """Choose a port. `life`: what it says in expires_in."""
        self.port = free_port()
        self.url = f"https://localhost:{self.port}/tenant/oauth2/v2.0/token"
        self.identity = identity
        self.life = life
        self.asked: list[dict[str, str]] = []
        self.granted: list[str] = []
        self.instead: Answer | None = None
        self.following = ""  # a new refresh token with each answer
        self._good: set[str] = set()
        self._authority = authority
        self._going = threading.Event()
        self._going.set()
        self._names: set[str] = set()
        self._server: ThreadingHTTPServer | None = None

    def start(self) -> None:
        """Listen."""
        certificate = self._authority.certificate("localhost", "127.0.0.1")
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificate.cert_file, certificate.key_file)
        self._server = _Server(("127.0.0.1", self.port), _request_of(self, tls))
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop(self) -> None:
        """Close the port."""
        self.release()
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def hold(self) -> None:
        """Answer nothing until `release`."""
        self._going.clear()

    def release(self) -> None:
        """Answer whoever waits, and everybody from now on."""
        self._going.set()

    def refuse(self, error: str, description: str = "", status: int = 400) -> None:
        """Answer from now on with an error (RFC 6749 5.2)."""
        said = {"error": error, "error_description": description}
        self.instead = (status, {"Content-Type": "application/json"}, json.dumps(said).encode())

    def revoke(self) -> None:
        """Let no token that was given so far be good any more."""
        self._good.clear()

    def knows(self, mailbox: str, token: str) -> bool:
        """Say whether a mail server should let this token in."""
        return mailbox == self.mailbox and token in self._good

    def answer(self, path: str, fields: dict[str, str]) -> Answer:
        """Check a request and answer it."""
        self.asked.append(fields)
        self._going.wait(30)
        if self.instead:
            return self.instead
        fault = "path" if path != "/tenant/oauth2/v2.0/token" else self._fault(fields)
        if fault:
            return 400, {}, json.dumps({"error": "invalid_request", "error_description": f"bad {fault}"}).encode()
        token = f"ey.{secrets.token_urlsafe(900)}"  # as long as Microsoft's
        self.granted.append(token)
        self._good.add(token)
        said: dict[str, object] = {"access_token": token, "token_type": "Bearer", "expires_in": self.life}
        if self.following:
            said["refresh_token"] = self.following
        return 200, {"Content-Type": "application/json; charset=utf-8"}, json.dumps(said).encode()

    def _fault(self, fields: dict[str, str]) -> str:
        """Say what is wrong with a request; empty: nothing."""
        grant = fields.get("grant_type")
        if grant == "urn:ietf:params:oauth:grant-type:jwt-bearer":
            claims = {"iss": "aad@project.example.com", "sub": self.mailbox, "scope": "https://mail.google.com/"}
            return self._forged(fields["assertion"], "RS256", "kid", claims, 3600)
        if fields.get("client_id") != self.client_id:
            return "client"
        if "client_assertion" in fields:
            kind = fields["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
            claims = {"iss": self.client_id, "sub": self.client_id}
            fault = self._forged(fields["client_assertion"], "PS256", "x5t#S256", claims, 600)
            if fault or not kind:
                return fault or "kind"
        elif fields.get("client_secret") != self.secret:
            return "secret"
        if grant == "refresh_token":
            return "" if fields["refresh_token"] in (self.refresh_token, self.following) else "refresh"
        return "" if grant == "client_credentials" else "grant"

    def _forged(self, jwt: str, algorithm: str, name: str, claims: dict[str, Any], longest: int) -> str:
        head, body, signature = jwt.split(".")
        header, said = json.loads(_octets(head)), json.loads(_octets(body))
        assert self.identity
        if header != {"alg": algorithm, "typ": "JWT", name: self.identity.thumbprint}:
            return "header"
        if not self.identity.signed(algorithm, f"{head}.{body}", signature):
            return "signature"
        if {**said, **claims, "aud": self.url} != said:
            return "claims"
        if not said["iat"] <= time.time() < said["exp"] <= said["iat"] + longest:
            return "times"
        if said.get("jti", "") in self._names:
            return "jti"
        self._names |= {said["jti"]} if "jti" in said else set()
        return ""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, *_: object) -> None:
        """Say nothing: a client that hangs up is what some tests are about."""


def _request_of(owner: TokenServer, tls: ssl.SSLContext) -> type[BaseHTTPRequestHandler]:
    class Request(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            """Do the handshake in the request's own thread."""
            self.request.settimeout(30)
            self.request = tls.wrap_socket(self.request, server_side=True)
            super().setup()

        def finish(self) -> None:
            """Close what `setup` opened."""
            try:
                super().finish()
            finally:
                self.request.close()

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            status, headers, said = owner.answer(self.path, dict(parse_qsl(body, strict_parsing=True)))
            self.send_response(status)
            for name, value in {"Content-Length": str(len(said)), **headers}.items():
                if value:
                    self.send_header(name, value)
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Request


def _octets(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _base64(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()
