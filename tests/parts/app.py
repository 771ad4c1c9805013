"""A phone's app that shows codes, played by oathtool."""

import re
import subprocess
from urllib.parse import parse_qs, urlsplit


class App:
    """An authenticator app that has read the URI: oathtool."""

    def __init__(self, uri: str) -> None:
        parts = urlsplit(uri)
        self.kind = parts.netloc
        self.told = {key: values[0] for key, values in parse_qs(parts.query, strict_parsing=True).items()}

    def code(self, seconds: int = 0, counter: int = 0) -> str:
        """Return what it shows, now or in so many seconds; or at a counter."""
        how = ["-c", str(counter)]
        if self.kind == "totp":
            how = [f"--totp={self.told['algorithm']}", f"--time-step-size={self.told['period']}s"]
            how.append(f"--now=now + {seconds} seconds")
        command = ["oathtool", *how, f"--digits={self.told['digits']}", "--base32", "-"]
        done = subprocess.run(command, input=self.told["secret"], capture_output=True, text=True, check=True)
        return done.stdout.strip()


def uri(output: str) -> App:
    found = re.search(r"otpauth://\S+", output)
    assert found, output
    return App(found[0])
