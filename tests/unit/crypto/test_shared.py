"""Memory that C and Python have in common, as the collector of cycles finds it."""

from __future__ import annotations

import subprocess
import sys

COLLECTED = """
import gc, mmap
from kmsfast.crypto.log import END_LEN, End
from kmsfast.crypto.native import shared

class Owner: pass

def leave():
    for _ in range(200):
        view = memoryview(mmap.mmap(-1, 4096))
        owner = Owner()
        owner.end = End(view[8 : 8 + END_LEN], 0)
        owner.word = shared("uint64_t *", view.cast("Q"))
        owner.all = owner, view, view[8 : 8 + END_LEN]

leave()
gc.collect()

view = memoryview(bytearray(256))
end = End(view[8 : 8 + END_LEN], 0)
end.move(3, 5, 7, bytes(range(32)))
assert (end.segment, end.offset, end.num, end.chain) == (3, 5, 7, bytes(range(32)))
assert bytes(range(32)) in bytes(view) and not any(view[:8])
print("alive")
"""


def test_views_and_what_is_made_of_them_are_collected_together() -> None:
    done = subprocess.run(
        [sys.executable, "-c", COLLECTED], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "alive\n", "")
