"""Drive pam_radius_auth through pamtester, as a program on a host that asks RADIUS would."""

from pathlib import Path

from tests.parts.namespace import private
from tests.parts.part import Part
from tests.parts.result import Answer, Result
from tests.parts.terminal import talk

SERVICE = "aadtest"


class Pamtester(Part):
    """A host with a PAM service that asks RADIUS; `user` has an account there."""

    def __init__(  # noqa: PLR0913 - the rarer ones by keyword
        self, folder: Path, host: str, port: int, secret: str, user: str, *, timeout: int = 3, source: str = ""
    ) -> None:
        """Write the host's files; `source`: the address that it asks from."""
        self._binds = pam_host(folder, f"{host}:{port} {secret} {timeout} {source}".rstrip(), SERVICE, user)

    def login(self, user: str, password: str, answer: Answer) -> Result:
        """Authenticate once."""
        command = private(["/usr/bin/pamtester", SERVICE, user, "authenticate"], self._binds)
        done = talk(command, password, answer)
        return Result(done.status == 0, done.prompts, done.transcript)


def pam_host(folder: Path, server: str, service: str, user: str) -> dict[str, Path]:
    """Write the files of a host whose `service` asks a RADIUS server; return what to bind where."""
    services = folder / "pam.d"
    services.mkdir(parents=True)
    settings = folder / "pam_radius_auth.conf"
    settings.touch(mode=0o600)
    settings.write_text(f"{server}\n")
    (services / service).write_text(
        f"auth required pam_radius_auth.so conf={settings} prompt_attribute\n"
        "account required pam_permit.so\n"
        "session required pam_permit.so\n"
    )
    (services / "other").write_text("auth required pam_deny.so\naccount required pam_deny.so\n")
    account = f"{user}:x:4711:4711::/:/bin/sh\n"
    lines = {"passwd": account, "group": f"{user}:x:4711:\n", "shadow": f"{user}:*:19000:0:99999:7:::\n"}
    binds = {"/etc/pam.d": services}
    for name, line in lines.items():
        binds[f"/etc/{name}"] = folder / name
        binds[f"/etc/{name}"].write_text(Path(f"/etc/{name}").read_text() + line)
    return binds
