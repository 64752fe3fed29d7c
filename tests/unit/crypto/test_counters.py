"""Counters by name: given out once, and when there are none left."""

from __future__ import annotations

import threading

from kmsfast.crypto import counters
from kmsfast.crypto.counters import SIZE_BOUNDS, TIME_BOUNDS, _Names
from kmsfast.crypto.native import ffi, lib


def test_names_have_one_number_each_and_the_last_is_shared() -> None:
    names: _Names[str] = _Names(10, 13)
    assert [names.number(name) for name in "abacdea"] == [10, 11, 10, 12, 12, 12, 10]
    assert names.given() == {"a": 10, "b": 11, "c": 12, "d": 12, "e": 12}


def test_names_are_given_to_many_threads() -> None:
    names: _Names[int] = _Names(0, 1 << 20)
    threads = [
        threading.Thread(target=lambda: [names.number(each) for each in range(2000)])
        for _ in range(8)
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(names.given().values()) == list(range(2000))


def test_all_operations_of_two_doors_and_their_usual_errors_have_room() -> None:
    doors, operations, codes = 2, 57, 16
    assert lib.KF_TIMER_DOORS + doors * operations <= lib.KF_TIMERS
    assert lib.KF_COUNTER_DOORS + 64 + doors * operations * codes <= lib.KF_COUNTERS


def test_errors_are_counted() -> None:
    error = counters.Error("test", "Encrypt", "SomeException")
    before = counters.errors().get(error, 0)
    counters.failed(*error)
    assert counters.errors()[error] == before + 1


def test_a_timer() -> None:
    number = counters.timer("test", "Encrypt")
    assert counters.timer("test", "Encrypt") == number
    before = counters.read(number)
    lib.kf_metrics_batch(number, lib.kf_metrics_now(), 3, 1, 100)
    counters.begin()
    begun = counters.begun()
    assert 0 < begun <= lib.kf_metrics_now()
    assert counters.begun() == 0
    counters.request(number, begun)
    counters.request(number, 0)
    after = counters.timers()["test", "Encrypt"]
    assert after[:4] == tuple(map(sum, zip(before[:4], (3, 5, 1, 100), strict=True)))
    assert sum(after.times) == sum(before.times) + 2
    assert sum(after.sizes) == sum(before.sizes) + 1
    assert len(after.times) == len(TIME_BOUNDS) + 1
    assert len(after.sizes) == len(SIZE_BOUNDS) + 1


def test_bounds_are_those_of_c() -> None:
    """The last bound is where C says that a call took longer than all."""
    number = counters.timer("test", "bounds")
    for at, seconds in ((0, -1.0), (20, TIME_BOUNDS[20] * 0.75), (24, 20.0)):
        before = counters.read(number).times
        counters.request(number, lib.kf_metrics_now() - int(seconds * 1e9))
        after = counters.read(number).times
        assert [late - early for early, late in zip(before, after, strict=True)] == [
            int(i == at) for i in range(len(after))
        ]


def test_the_clock_is_that_of_python() -> None:
    import time

    low = time.monotonic_ns()
    between = lib.kf_metrics_now()
    assert low <= between <= time.monotonic_ns()
    assert ffi.sizeof("struct kf_timer") == 8 * (5 + lib.KF_TIMES + lib.KF_SIZES)
