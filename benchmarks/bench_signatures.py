"""ECDSA on P-256 beside OpenSSL's EVP, all called from C, one thread."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from conftest import Compare, profile
from harness import Party, Signing, SignatureWorkload
from rows import JUDGED, Row

BATCH = 1024
PEER_ITEMS = 32  # the peer's cost of one does not depend on their number
REPS, ROUNDS = 1, 100


@dataclass(frozen=True, slots=True)
class Case:
    """One comparison under one implementation: the ratio to reach, and the hoped-for one."""

    impl: str
    op: Signing
    target: float | None = None
    beyond: float | None = None

    @property
    def name(self) -> str:
        """The row's name."""
        return f"P-256 {self.op.text}, {self.impl} vs OpenSSL"

    @property
    def num(self) -> int:
        """Items of a call of ours."""
        return PEER_ITEMS if self.op in {Signing.SIGN_ONE, Signing.VERIFY_ONE} else BATCH


# "ifma" has no target: the judged profile is that of a CPU with AVX2 and FMA.
CASES = [
    Case("fma", Signing.SIGN_UNCHECKED, 7.5, 10),
    Case("fma", Signing.SIGN, 5, 7),
    Case("fma", Signing.VERIFY, 14, 18),
    Case("fma", Signing.VERIFY_MANY, 2.2, 3),
    Case("fma", Signing.SIGN_ONE, 1, 1.5),
    Case("fma", Signing.VERIFY_ONE, 1, 1.5),
    Case("mulx", Signing.SIGN_UNCHECKED, 5),
    Case("mulx", Signing.SIGN),
    Case("mulx", Signing.VERIFY, 9),
    Case("mulx", Signing.VERIFY_MANY, 1.3),
    Case("portable", Signing.SIGN),
    Case("portable", Signing.VERIFY),
]
NATIVE_CASES = [Case("ifma", op) for op in Signing]


@pytest.fixture(
    params=CASES if profile() == JUDGED else NATIVE_CASES,
    ids=lambda case: f"{case.impl} {case.op.name}",
)
def case(request: pytest.FixtureRequest) -> Case:
    """The comparison."""
    chosen: Case = request.param
    return chosen


@pytest.fixture
def work(case: Case) -> Iterator[SignatureWorkload]:
    """Digests and signatures, ready for both parties."""
    if case.impl not in SignatureWorkload.available():
        pytest.skip(f"this CPU cannot run {case.impl}")
    with SignatureWorkload(impl=case.impl, num=case.num) as made:
        yield made


def test_signatures(case: Case, work: SignatureWorkload, compare: Compare) -> None:
    """Each party accepts the other's signatures first; then the race."""
    assert work.agree(), "the parties do not accept each other's signatures: nothing to compare"
    compare(
        Row(case.name, case.target, case.beyond),
        lambda: work.run(Party.OURS, case.op, work.num, REPS),
        lambda: work.run(Party.OPENSSL, case.op, PEER_ITEMS, 1),
        units=REPS * work.num,
        peer_units=PEER_ITEMS,
        rounds=ROUNDS,
    )
