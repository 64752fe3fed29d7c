"""The client in JavaScript of examples/socket, which was written from docs/socket.md alone."""

from __future__ import annotations

from pathlib import Path

from foreign import environment, installed, run, system
from serving import served_at_socket

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "socket"
TOUR = """\
one record: hello
many: [ 'a', 'InvalidCiphertextException', 'ccc', null ]
data key: true
in chunks: true
disabled: DisabledException
"""


def test_the_tour(tmp_path: Path) -> None:
    installed("js/node_modules/@msgpack/msgpack")
    env = environment("", tmp_path, NODE_PATH=str(installed("js/node_modules")))
    with served_at_socket(tmp_path / "store") as path:
        assert run([system("node"), EXAMPLES / "tour.cjs", path], env, tmp_path) == TOUR


def test_it_is_short() -> None:
    assert len((EXAMPLES / "client.cjs").read_text().splitlines()) < 150
