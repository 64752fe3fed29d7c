"""The kernels beside OpenSSL's EVP and Intel ipsec-mb, all called from C."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from conftest import Compare
from harness import MacWorkload, Party, Workload
from rows import Row

# A batch is 1,024 records, or as many as keep what is read and written within the second-level
# cache: the rows compare computing, not memory.
BATCH_RECORDS, BATCH_BYTES = 1024, 128 << 10
ROUND_SECONDS = 1e-3
ROUNDS = 300
RAGGED = -256

NAMES = {Party.OPENSSL: "OpenSSL", Party.IPSECMB: "ipsec-mb"}


@dataclass(frozen=True, slots=True)
class Case:
    """One comparison, made for seal and for open.

    length: bytes per record, or RAGGED for 1 to 256; digest: 32 bytes of associated data each.
    """

    length: int
    peer: Party
    target: float | None
    beyond: float | None = None
    xaes: bool = False
    digest: bool = False

    @property
    def name(self) -> str:
        """What the row says before "seal" or "open"."""
        suite = "XAES-256-GCM" if self.xaes else "AES-256-GCM"
        size = "1-256 B" if self.length == RAGGED else f"{self.length} B"
        against = f"{NAMES[self.peer]}{' fresh keys' if self.xaes else ''}"
        return f"{suite} {size}{', 32 B AAD' if self.digest else ''} vs {against}"

    @property
    def num(self) -> int:
        """Records in a batch."""
        mean = 128 if self.length == RAGGED else self.length
        return max(8, min(BATCH_RECORDS, BATCH_BYTES // mean))


CASES = [
    Case(64, Party.OPENSSL, 11),
    Case(64, Party.IPSECMB, 1.5, 2.2),
    Case(1024, Party.OPENSSL, 2.1),
    Case(1024, Party.IPSECMB, None),
    Case(16384, Party.OPENSSL, 1.18, 1.37),
    Case(16384, Party.IPSECMB, 1.1),
    Case(RAGGED, Party.OPENSSL, 5, 7),
    Case(RAGGED, Party.IPSECMB, None),
    Case(64, Party.OPENSSL, 7, xaes=True),
    Case(64, Party.IPSECMB, 1.7, 2.5, xaes=True),
    Case(64, Party.OPENSSL, None, xaes=True, digest=True),
    Case(64, Party.IPSECMB, None, xaes=True, digest=True),
    Case(1024, Party.IPSECMB, None, xaes=True),
    Case(RAGGED, Party.OPENSSL, None, xaes=True),
]


@pytest.fixture(params=[False, True], ids=["seal", "open"])
def opening(request: pytest.FixtureRequest) -> bool:
    """The direction."""
    return bool(request.param)


@pytest.fixture(params=CASES, ids=lambda case: case.name)
def case(request: pytest.FixtureRequest) -> Case:
    """The comparison."""
    chosen: Case = request.param
    return chosen


@pytest.fixture
def work(case: Case, opening: bool) -> Iterator[Workload]:
    """The records, ready for all parties."""
    with Workload(
        xaes=case.xaes, opening=opening, num=case.num, length=case.length, digest=case.digest
    ) as made:
        yield made


def reps(work: Workload | MacWorkload, party: Party) -> int:
    """How often the workload fits into a round."""
    work.run(party, 1)
    start = time.perf_counter()
    work.run(party, 3)
    return max(1, round(ROUND_SECONDS * 3 / (time.perf_counter() - start)))


def test_kernel(case: Case, opening: bool, work: Workload, compare: Compare) -> None:
    """Equal outputs first, then the race."""
    row = Row(f"{case.name}, {'open' if opening else 'seal'}", case.target, case.beyond)
    ours = reps(work, Party.OURS)
    if not work.has(case.peer):
        compare(row, lambda: work.run(Party.OURS, ours), None, units=ours * work.num, rounds=ROUNDS)
        return
    assert work.agree(Party.OURS, case.peer), "the peer's output differs: nothing to compare"
    theirs = reps(work, case.peer)
    compare(
        row,
        lambda: work.run(Party.OURS, ours),
        lambda: work.run(case.peer, theirs),
        units=ours * work.num,
        peer_units=theirs * work.num,
        rounds=ROUNDS,
    )
