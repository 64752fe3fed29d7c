"""`make bench-scale`: how costs grow, with records, keys, versions of a key, and events.

Every point of every part is a process of its own, so that memory is that of the point alone. Costs
are of the shortest of a few rounds where a round can be repeated. Writes build/scale.json.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import document
from document import BUILD, HERE, Curve, Line
from environment import of_profile
from scale_audit import events
from scale_batches import batches
from scale_keys import keys
from scale_versions import versions

Figures = dict[str, float]


@dataclass(frozen=True, slots=True)
class Part:
    """What grows.

    measure: the figures of a point, by the names of lines; curves: id, title, y, and the names of
    the lines of each; quick: the points of --quick.
    """

    measure: Callable[[int], Figures]
    x: str
    points: list[int]
    quick: list[int]
    curves: dict[str, tuple[str, str, list[str]]] = field(default_factory=dict)


DECADES = [10**power for power in range(8)]
PARTS = {
    "batches": Part(batches, "records in a batch", DECADES, DECADES[:6], {
        "scale-batches": ("Batches of records of 64 B", "ns per record", [
            "encrypt", "decrypt", "encrypt, 2 threads", "decrypt, 2 threads"]),
    }),
    "keys": Part(keys, "keys in the store", DECADES[:6], DECADES[:4], {
        "scale-keys": ("Keys, each with an alias", "milliseconds", [
            "open the store", "first use of a key", "use of a key", "name of no key", "list all",
            "make a key", "list ids (ListKeys)"]),
        "scale-keys-memory": ("Memory of the process", "MiB", ["store open", "all listed"]),
    }),
    "versions": Part(versions, "versions of the key", DECADES[:4], DECADES[:3], {
        "scale-versions": ("Versions of one key", "milliseconds", [
            "open the store", "first use", "rotate", "encrypt one", "decrypt 10,000 of all"]),
    }),
    "audit": Part(events, "events in the log", DECADES[3:], DECADES[3:6], {
        "scale-audit": ("The audit log", "milliseconds", [
            "append 1,000", "open after a restart", "search all", "look up the newest 50",
            "verify all"]),
        "scale-audit-memory": ("Its memory and files", "MiB", ["peak of verify", "on the disk"]),
    }),
}  # fmt: skip


def point(part: str, number: int) -> Figures:
    """The figures of a point, by a process of its own; none when it failed, which it says."""
    command = [sys.executable, str(HERE / "scale.py"), "--part", part, "--point", str(number)]
    done = subprocess.run(
        command, env=of_profile("native"), stdout=subprocess.PIPE, check=False, cwd=HERE.parent
    )
    found: Figures = json.loads(done.stdout) if done.returncode == 0 else {}
    return found


def measured(name: str, part: Part, *, quick: bool) -> list[Curve]:
    """The curves of a part; says what each point took."""
    points, found = part.quick if quick else part.points, []
    for number in points:
        began = time.monotonic()
        found.append(point(name, number))
        failed = "" if found[-1] else ", failed: see above"
        print(f"{name}, {number:,}: {time.monotonic() - began:.0f} s{failed}", flush=True)
    return [
        Curve(id_, title, part.x, y, points,
              [Line(line, [each.get(line) for each in found]) for line in lines])
        for id_, (title, y, lines) in part.curves.items()
    ]  # fmt: skip


def main() -> None:
    """Parses the arguments and measures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller points alone")
    parser.add_argument("--only", choices=PARTS, action="append", help="this part (repeatable)")
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    parser.add_argument("--point", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part:
        json.dump(PARTS[options.part].measure(options.point), sys.stdout)
        return
    start, curves = time.monotonic(), []
    for name, part in PARTS.items():
        if options.only is None or name in options.only:
            curves += measured(name, part, quick=options.quick)
    output = BUILD / ("scale-quick.json" if options.quick or options.only else "scale.json")
    document.write(output, start, curves=curves, quick=options.quick)
    print(f"{len(curves)} curves in {time.monotonic() - start:.0f} s; {output}")
    if any(line.values.count(None) for curve in curves for line in curve.lines):
        sys.exit("some points failed, see above, and have no figures")


if __name__ == "__main__":
    main()
