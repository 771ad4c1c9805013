"""Builds the Debian package: what goes where, and dpkg-deb. `tools/deb` calls it."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tomllib
from pathlib import Path

from tools.packaging import metadata
from tools.packaging.stage import Stage
from tools.packaging.vendoring import CannotBuildError, Library, fetched

ROOT = Path(__file__).parents[2]
DEBIAN = ROOT / "tools" / "debian"
LIBRARY = "usr/lib/aad"
UNITS = {".service", ".socket", ".target", ".timer", ".path", ".slice"}
SYSTEMD = {"sysusers.d": "usr/lib/sysusers.d", "tmpfiles.d": "usr/lib/tmpfiles.d", "catalog": "usr/lib/systemd/catalog"}
COMPLETIONS = {
    "bash": "usr/share/bash-completion/completions/aad",
    "zsh": "usr/share/zsh/vendor-completions/_aad",
    "fish": "usr/share/fish/vendor_completions.d/aad.fish",
}


def main() -> int:
    """Build, and say what was built; or say in one line why not."""
    parser = argparse.ArgumentParser(prog="tools/deb", description="Build aad_VERSION_all.deb.")
    parser.add_argument("--out", type=Path, default=ROOT / "dist", metavar="FOLDER", help="default: %(default)s")
    options = parser.parse_args()
    try:
        built = build(options.out)
    except (CannotBuildError, OSError) as error:
        print(f"tools/deb: {error}", file=sys.stderr)
        return 1
    print(f"{built}  {built.stat().st_size / 1e6:.2f} MB")
    return 0


def build(out: Path) -> Path:
    """Return the package's file. CannotBuildError, OSError."""
    edition = metadata.edition(ROOT)
    print(f"aad {edition.version}, {edition.date}")
    libraries = fetched(DEBIAN / "vendored.txt", ROOT / "build" / "wheels")
    print("libraries:", ", ".join(f"{one.name} {one.metadata['Version']}" for one in libraries))
    out.mkdir(parents=True, exist_ok=True)
    stage = Stage(out / "stage")
    _program(stage, libraries)
    _configuration(stage)
    for path in sorted(path for path in (ROOT / "systemd").rglob("*") if path.is_file()):
        stage.put(_home(path), path.read_bytes())
    _documents(stage, libraries, edition)
    _control(stage, edition)
    stage.seal(edition.moment)
    print(f"{len(stage.files())} files")
    file = out / f"aad_{edition.version}_all.deb"
    _run(["dpkg-deb", "--root-owner-group", "-Zxz", "--build", stage.root, file], edition, DPKG_DEB_THREADS_MAX="1")
    return file.resolve()


def _program(stage: Stage, libraries: list[Library]) -> None:
    for path in sorted((ROOT / "aad").rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            stage.put(f"{LIBRARY}/{path.relative_to(ROOT)}", path.read_bytes())
    for library in libraries:
        for name, content in library.files.items():
            stage.put(f"{LIBRARY}/{name}", content)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    version = metadata.plain_version(ROOT)
    stage.put(f"{LIBRARY}/aad-{version}.dist-info/METADATA", metadata.metadata(project, version))
    stage.put("usr/bin/aad", (DEBIAN / "aad").read_bytes(), 0o755)
    stage.put("usr/share/python3/runtime.d/aad.rtupdate", (DEBIAN / "aad.rtupdate").read_bytes(), 0o755)


def _configuration(stage: Stage) -> None:
    """Put the configuration there: readable for root alone, until postinst has made the group."""
    stage.folder("etc/aad", 0o750)
    stage.folder("etc/aad/aad.toml.d", 0o750)
    stage.put("etc/aad/aad.toml", (ROOT / "conf" / "aad.toml").read_bytes(), 0o640)
    rotation = ROOT / "conf" / "logrotate.d" / "aad"
    if rotation.exists():
        stage.put("etc/logrotate.d/aad", rotation.read_bytes())
    for path in sorted(path for path in (ROOT / "conf").rglob("*") if path.is_file() and path != rotation):
        stage.put(f"usr/share/doc/aad/examples/{path.relative_to(ROOT / 'conf')}", path.read_bytes())


def _home(path: Path) -> str:
    """Return where a file of systemd/ goes. CannotBuildError: its place is not defined."""
    folder = SYSTEMD.get(path.parent.name)
    if path.suffix in UNITS:
        folder = "usr/lib/systemd/system"
    elif path.suffix == ".catalog":
        folder = SYSTEMD["catalog"]
    if folder is None:
        message = f"{path.relative_to(ROOT)}: tools/packaging/main.py doesn't know where that is installed"
        raise CannotBuildError(message)
    return f"{folder}/{path.name}"


def _documents(stage: Stage, libraries: list[Library], edition: metadata.Edition) -> None:
    for page in ("aad.8", "aad.toml.5"):
        stage.put_zipped(
            f"usr/share/man/man{page[-1]}/{page}.gz", _printed(stage, edition, "tools.generated_docs.man", page)
        )
    for shell, place in COMPLETIONS.items():
        stage.put(place, _printed(stage, edition, "tools.generated_docs.completion", shell))
    stage.put_zipped("usr/share/doc/aad/changelog.gz", metadata.changelog(ROOT, edition))
    stanzas = [(DEBIAN / "copyright").read_text("utf-8"), *(library.stanza() for library in libraries)]
    stage.put("usr/share/doc/aad/copyright", "\n".join(stanzas))
    for text in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        stage.put(f"usr/share/doc/aad/{text.relative_to(ROOT)}", text.read_bytes())
    stage.put("usr/share/doc/aad/README.Debian", (DEBIAN / "README.Debian").read_bytes())
    overrides = DEBIAN / "lintian-overrides"
    if overrides.exists():
        stage.put("usr/share/lintian/overrides/aad", overrides.read_bytes())


def _control(stage: Stage, edition: metadata.Edition) -> None:
    # Sockets and timers first: else they would start again what has just been stopped.
    units = [path.name for path in sorted((ROOT / "systemd").iterdir(), key=_last) if path.suffix in UNITS]
    for script in ("postinst", "prerm", "postrm"):
        text = (DEBIAN / script).read_text("utf-8").replace("@UNITS@", " ".join(units))
        stage.put(f"DEBIAN/{script}", text, 0o755)
    conffiles = (stage.place(path) for path in stage.files() if stage.place(path).startswith("etc/"))
    stage.put("DEBIAN/conffiles", "".join(f"/{place}\n" for place in conffiles))
    stage.put("DEBIAN/md5sums", stage.sums())
    control = (DEBIAN / "control").read_text("utf-8")
    values = {"VERSION": edition.version, "MAINTAINER": edition.maintainer, "SIZE": str(stage.kibibytes())}
    for name, value in values.items():
        control = control.replace(f"@{name}@", value)
    stage.put("DEBIAN/control", control)


def _last(path: Path) -> tuple[bool, str]:
    return path.suffix == ".service", path.name


def _printed(stage: Stage, edition: metadata.Edition, module: str, word: str) -> str:
    """Return what a tool prints; it reads the program as it will be installed, with the libraries it will have."""
    return _run([sys.executable, "-m", module, word], edition, PYTHONPATH=f"{stage.root / LIBRARY}:{ROOT}")


def _run(command: list[str | Path], edition: metadata.Edition, **environment: str) -> str:
    bytecode = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(ROOT / "build" / "bytecode")}  # not beside it
    own = {**os.environ, **environment, **bytecode, "SOURCE_DATE_EPOCH": str(edition.moment)}
    done = subprocess.run(command, env=own, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        message = f"{' '.join(str(word) for word in command)}: {said}"
        raise CannotBuildError(message)
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
