"""`make bench-keep`: puts what was measured last into benchmarks/results, when it is whole."""

from document import BUILD, KEPT, read
from outline import KINDS


def main() -> None:
    """Copies, and says what and why not."""
    KEPT.mkdir(exist_ok=True)
    for kind in KINDS:
        source = BUILD / f"{kind}.json"
        if not source.exists():
            print(f"{source} is not there: what was kept before stays")
            continue
        found = read(source)
        if found.get("quick") or found.get("choice"):
            print(f"{source} is of some rows or parts alone: what was kept before stays")
            continue
        (KEPT / source.name).write_bytes(source.read_bytes())
        print(f"{source}: kept, of {found['date']}, measured in {found['seconds']:.0f} s")


if __name__ == "__main__":
    main()
