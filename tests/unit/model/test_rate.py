"""A token bucket, against one that counts tokens."""

from __future__ import annotations

from threading import Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmsfast.model.rate import Rate


@pytest.mark.parametrize("per_second", [0.1, 0.5, 1, 2.5, 5, 1800])
def test_a_second_has_so_many_and_no_more(per_second: float) -> None:
    rate, size = Rate(per_second), max(1, int(per_second))
    assert [rate.take(7.0) for _ in range(size)] == [0.0] * size
    wait = rate.take(7.0)
    assert 0 < wait < 1.000001 / per_second
    assert rate.take(7.0 + wait * 0.99) > 0
    assert rate.take(7.0 + wait) == 0.0
    assert rate.take(7.0 + wait) > 0


@given(
    st.sampled_from([0.25, 1.0, 3.0, 10.0, 128.0]),
    st.lists(st.tuples(st.integers(0, 4096), st.integers(1, 3)), max_size=60),
)
def test_it_does_what_a_bucket_of_tokens_does(
    per_second: float, steps: list[tuple[int, int]]
) -> None:
    """Times are whole 1,024ths of a second and rates divide them, so that all sums are exact."""
    rate, size = Rate(per_second), max(1.0, per_second)
    tokens, now = size, 0.0
    for ticks, wanted in steps:
        now += ticks / 1024
        tokens = min(size, tokens + ticks / 1024 * per_second)
        wait = rate.take(now, wanted)
        if tokens >= 1:
            assert wait == 0.0
            tokens -= wanted
        else:
            assert wait == pytest.approx((1 - tokens) / per_second, abs=2e-6)


def test_what_was_given_back_can_be_taken_again() -> None:
    rate = Rate(2)
    for _ in range(10):
        assert rate.take(1.0) == 0.0
        rate.give_back()
    assert not rate.used(1.0)
    assert rate.take(1.0) == rate.take(1.0) == 0.0
    assert rate.take(1.0) == pytest.approx(0.5, abs=2e-6)
    assert rate.used(1.9)
    assert not rate.used(2.0)


def test_threads_take_no_more_than_there_is() -> None:
    rate, taken = Rate(1000), list[int]()

    def work() -> None:
        taken.extend(1 for _ in range(500) if rate.take(3.0) == 0.0)

    threads = [Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == 1000
