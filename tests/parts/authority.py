"""A certificate authority of the test's own, for servers that speak TLS."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme


@dataclass(frozen=True)
class Certificate:
    """A server's certificate (with its chain) and its private key, as files."""

    cert_file: Path
    key_file: Path


class Authority:
    """Signs certificates for any names; each authority is trusted only through its own `ca_file`."""

    def __init__(self, folder: Path) -> None:
        """Make the authority's key and write its certificate."""
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._signer = trustme.CA()
        self._count = 0
        self.ca_file = folder / "ca.pem"
        self._signer.cert_pem.write_to_path(str(self.ca_file))

    def certificate(self, *names: str, expired: bool = False, common_name: str | None = None) -> Certificate:
        """Sign a certificate for host names and addresses; an expired one ended an hour ago. Few look for a CN."""
        ends = datetime.now(UTC) - timedelta(hours=1) if expired else None
        begins = datetime.now(UTC) - timedelta(days=2) if expired else None
        names = names or ("localhost", "127.0.0.1")
        leaf = self._signer.issue_cert(*names, not_before=begins, not_after=ends, common_name=common_name)
        self._count += 1
        made = Certificate(self._folder / f"server{self._count}.pem", self._folder / f"server{self._count}.key")
        for number, blob in enumerate(leaf.cert_chain_pems):
            blob.write_to_path(str(made.cert_file), append=number > 0)
        made.key_file.touch(mode=0o600)
        leaf.private_key_pem.write_to_path(str(made.key_file))
        return made
