"""`make bench-curves`: figures by size and by threads, and latencies, for charts.

Like the rows: equal work, in turns, the shortest round counts. Both profiles for what depends on
them. Writes build/curves.json.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import document
from curve_latency import latencies
from curve_sizes import kernels, python_sizes
from curve_threads import threads
from document import BUILD, HERE, Curve, Line
from environment import of_profile

Measured = Callable[[bool], list[Curve]]

# What is measured in which profile, in a process of its own.
PARTS: dict[str, tuple[Measured, Sequence[str]]] = {
    "kernels": (kernels, ("aesni", "native")),
    "python": (python_sizes, ("aesni",)),
    "threads": (threads, ("native",)),
    "latency": (latencies, ("native",)),
}


def measure(part: str, profile: str, *, quick: bool) -> list[Curve]:
    """The curves of a part, by a process that has the profile's environment; none if it failed."""
    command = [sys.executable, str(HERE / "curves.py"), "--part", part]
    environment = of_profile(profile) | {"PYTHONPATH": str(HERE)}
    done = subprocess.run(
        command + (["--quick"] if quick else []),
        env=environment,
        stdout=subprocess.PIPE,
        check=False,
        cwd=HERE.parent,
    )
    if done.returncode:
        return []
    found = [Curve(**each | {"lines": [Line(**line) for line in each["lines"]]})
             for each in json.loads(done.stdout)]  # fmt: skip
    several = len(PARTS[part][1]) > 1
    return [_named(curve, profile) for curve in found] if several else found


def _named(curve: Curve, profile: str) -> Curve:
    return Curve(f"{curve.id}-{profile}", curve.title, curve.x, curve.y, curve.points, curve.lines)


def main() -> None:
    """Parses the arguments and measures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="to see that all runs")
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part:
        from dataclasses import asdict

        found = PARTS[options.part][0](options.quick)
        json.dump([asdict(curve) for curve in found], sys.stdout)
        return
    start, curves, failed = time.monotonic(), [], []
    for part, (_, profiles) in PARTS.items():
        for profile in profiles:
            began = time.monotonic()
            found = measure(part, profile, quick=options.quick)
            curves += found
            failed += [] if found else [part]
            print(f"{part}, {profile}: {time.monotonic() - began:.0f} s", flush=True)
    output: Path = BUILD / ("curves-quick.json" if options.quick else "curves.json")
    document.write(output, start, curves=curves, quick=options.quick)
    print(f"{len(curves)} curves in {time.monotonic() - start:.0f} s; {output}")
    if failed:
        sys.exit(f"failed, see above: {', '.join(failed)}")


if __name__ == "__main__":
    main()
