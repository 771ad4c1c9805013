"""The keys of a sender that logs in by OAuth 2: which go together, and the OAuth client that they describe."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from aad.core.secret import Secret
from aad.core.settings import option
from aad.senders.smtp.oauth.requests import OAuthClient, Signer, endpoint
from aad.senders.smtp.replies import loopback, no_authorities

NEEDS = ("h11",)  # modules of the extra
_MICROSOFT, _GOOGLE = "login.microsoftonline.com", "oauth2.googleapis.com"
_TENANT_URL = "https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token"
_TENANT = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+(?: [\x21\x23-\x5b\x5d-\x7e]+)*")  # RFC 6749 3.3
_PROOFLESS = "missing: should be the application's secret, or client_certificate and client_key instead"
_NO_URL = (
    'missing: should be the Microsoft 365 tenant, such as "contoso.onmicrosoft.com"; '
    "for others token_url, for a service account of Google service_account"
)
_KEYS = (
    *("tenant", "token_url", "client_id", "client_secret", "client_certificate", "client_key"),
    *("refresh_token", "service_account", "scope", "token_ca_file", "token_proxy"),
)
_NOT_BESIDE_SERVICE_ACCOUNT = _KEYS[:1] + _KEYS[2:7]


@dataclass(frozen=True, kw_only=True)
class OAuthSettings:
    """The keys that authentication = "xoauth2" needs."""

    tenant: str = option("", "With xoauth2: the tenant of Microsoft 365, instead of token_url.")
    token_url: str = option("", "With xoauth2: the token endpoint, which gives access tokens; https.")
    client_id: str = option("", "The application's id.")
    client_secret: Secret | None = option(None, "The application's secret.")
    client_certificate: Path | None = option(None, "Instead of the secret: the application's certificate, in PEM ...")
    client_key: Secret | None = option(None, "... and its RSA key, in PEM.")
    refresh_token: Secret | None = option(None, "A user's permission to mail; default: the application's own is used.")
    service_account: Secret | None = option(None, "The JSON of a service account's key: all that Google needs.")
    scope: str = option("", "What the token is for; default: to send mail, at Microsoft and Google.")
    token_ca_file: Path | None = option(None, "Who may sign the token endpoint's certificate; default: the system's.")
    token_proxy: str = option("", "An HTTP proxy to the token endpoint, such as http://proxy:3128; default: none.")

    def oauth_faults(self, *, wanted: bool) -> Iterator[tuple[str, str]]:
        """Yield each key that can't be right, and what would be. Not `wanted`: none of them should be there."""
        if not wanted:
            yield from self._stray(_KEYS, 'only with authentication = "xoauth2"')
            return
        if missing := [name for name in NEEDS if find_spec(name) is None]:
            yield "authentication", f"needs {', '.join(missing)}: pip install 'aad[oauth]'"
        if self.scope and not _SCOPE.fullmatch(self.scope):
            yield "scope", "should be words with one space between, without quotes"
        if self.token_ca_file and (what := no_authorities(self.token_ca_file)):
            yield "token_ca_file", what
        if self.service_account:
            yield from self._stray(_NOT_BESIDE_SERVICE_ACCOUNT, "not beside service_account, which says it all")
            if what := _refused(lambda: self._by_service_account("")):
                yield "service_account", what
        else:
            yield from self._client_faults()
        if self.token_url and (what := _url_fault(self.token_url)):
            yield "token_url", what
        if self.token_proxy and not _is_proxy(self.token_proxy):
            yield (
                "token_proxy",
                "should be a URL such as http://proxy.example.com:3128, and nothing beside it",
            )

    def oauth_warnings(self) -> Iterator[tuple[str, str]]:
        """Yield what works, but is unwise."""
        if self.refresh_token and self._host == _MICROSOFT:
            yield "refresh_token", "ends after 90 days; without it the application mails in its own name"

    def oauth_client(self, mailbox: str) -> OAuthClient:
        """Return the client that requests tokens. Only for settings without faults."""
        if self.service_account:
            return self._by_service_account(mailbox)
        return OAuthClient(
            url=self._url,
            scope=self.scope or self._usual_scope,
            client_id=self.client_id,
            client_secret=self.client_secret,
            signer=self._by_certificate() if self.client_certificate else None,
            refresh_token=self.refresh_token,
        )

    def _stray(self, keys: tuple[str, ...], what: str) -> Iterator[tuple[str, str]]:
        yield from ((key, what) for key in keys if getattr(self, key))

    def _client_faults(self) -> Iterator[tuple[str, str]]:
        if not self.tenant and not self.token_url:
            yield "tenant", _NO_URL
        elif self.tenant and self.token_url:
            yield "token_url", "not beside tenant, which says where tokens are had: one of the two"
        elif self.tenant and not _TENANT.fullmatch(self.tenant):
            yield "tenant", 'should be the tenant\'s name or id, such as "contoso.onmicrosoft.com"'
        if not self.client_id:
            yield "client_id", "missing: should be the application's id"
        elif not (self.client_id.isascii() and self.client_id.isprintable()):
            yield "client_id", "should be plain ASCII"
        if self._host == _GOOGLE and not self.refresh_token:
            yield "refresh_token", "missing: Google wants one; or, instead of all this, service_account"
        for key in ("client_secret", "refresh_token"):
            if (secret := getattr(self, key)) and _refused(secret.text):
                yield key, "should be UTF-8"
        yield from self._proof_faults()

    def _proof_faults(self) -> Iterator[tuple[str, str]]:
        """Check the keys that authenticate the application."""
        if self.client_secret:
            yield from self._stray(("client_certificate", "client_key"), "not beside client_secret: one of the two")
        elif self.client_certificate and self.client_key:
            if what := _refused(self._key):
                yield "client_key", what
            elif what := _refused(self._by_certificate):
                yield "client_certificate", what
        elif self.client_certificate:
            yield "client_key", "missing: client_certificate needs it"
        elif self.client_key:
            yield "client_certificate", "missing: client_key needs it"
        elif not self.refresh_token or self._host == _GOOGLE:  # elsewhere an application may have none, RFC 6749 2.1
            yield "client_secret", _PROOFLESS

    @property
    def _url(self) -> str:
        return self.token_url or _TENANT_URL.format(tenant=self.tenant)

    @property
    def _host(self) -> str:
        """Return the token endpoint's host; empty: the URL is none."""
        try:
            return endpoint(self._url).host
        except ValueError:
            return ""

    @property
    def _usual_scope(self) -> str:
        if self._host != _MICROSOFT:
            return ""
        if self.refresh_token:
            return "https://outlook.office.com/SMTP.Send offline_access"
        return "https://outlook.office365.com/.default"

    def _key(self) -> object:
        """Read the key alone; ValueError."""
        from aad.senders.smtp.oauth import jwt  # noqa: PLC0415 - RSA takes its time to load, and few need it

        return jwt.private_key(self.client_key or Secret(b""))

    def _by_certificate(self) -> Signer:
        """Read certificate and key; ValueError."""
        from aad.senders.smtp.oauth import jwt  # noqa: PLC0415 - as above

        try:
            certificate = self.client_certificate.read_bytes() if self.client_certificate else b""
        except OSError as error:
            message = f"{self.client_certificate} can't be read: {error.strerror}"
            raise ValueError(message) from None
        return jwt.by_certificate(certificate, self.client_key or Secret(b""))

    def _by_service_account(self, mailbox: str) -> OAuthClient:
        """Read the file; ValueError."""
        from aad.senders.smtp.oauth import jwt  # noqa: PLC0415 - as above

        account = jwt.by_service_account(self.service_account or Secret(b""))
        url = self.token_url or account.url
        if what := _url_fault(url):
            message = f"its token_uri {what}"
            raise ValueError(message)
        scope = self.scope or "https://mail.google.com/"
        return OAuthClient(url=url, scope=scope, client_id=account.email, signer=account.signer, mailbox=mailbox)


def _url_fault(url: str) -> str:
    """Say what is wrong with a token endpoint's URL; empty: nothing."""
    try:
        found = endpoint(url)
    except ValueError as error:
        return str(error)
    return "" if found.secure or loopback(found.host) else "should begin with https://: secrets are sent there"


def _is_proxy(url: str) -> bool:
    """Check a proxy's URL: http alone, as TLS to the token endpoint goes through it."""
    try:
        proxy = endpoint(url)
    except ValueError:
        return False
    return not proxy.secure and proxy.path == "/"


def _refused(read: Callable[[], object]) -> str:
    try:
        read()
    except ValueError as error:
        return str(error)
    return ""
