"""``kmsfast`` for the shells of the pages: a process that has imported all forks for each command.

A command is a child of that process with the caller's arguments, folder, environment, and standard
input, output and error: what it does is what it would do, but for the time that imports take.
Servers are no such children; they are processes of their own.

    prompt.py serve PATH            until it is ended
    prompt.py run PATH ARGUMENTS    the command; ends with its exit code
"""

from __future__ import annotations

import json
import os
import socket
import sys
from pathlib import Path

_LIMIT = 1 << 20


def serve(path: str) -> None:
    """Answers one command after the other; pages run nothing side by side but servers."""
    import pyarrow.parquet  # noqa: F401

    import kmsfast.local  # noqa: F401
    from kmsfast.cli import main

    assert main.main
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen()
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while True:
            client, _ = listening.accept()
            if os.fork() == 0:
                listening.close()
                _child(client)
            client.close()
            _reap()


def _reap() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return


def _child(client: socket.socket) -> None:
    """Runs the command in a child of its own, and tells its exit code."""
    message, files, _, _ = socket.recv_fds(client, _LIMIT, 3)
    said = json.loads(message)
    command = os.fork()
    if command == 0:
        client.close()
        for number, file in enumerate(files):
            os.dup2(file, number)
            os.close(file)
        os.chdir(said["folder"])
        os.environ.clear()
        os.environ.update(said["environment"])
        sys.argv = ["kmsfast", *said["arguments"]]
        from kmsfast.cli.main import main

        main()
        sys.exit()
    code = os.waitstatus_to_exitcode(os.waitpid(command, 0)[1])
    client.sendall(bytes([code if code >= 0 else 128 - code]))
    os._exit(0)


def run(path: str, arguments: list[str]) -> int:
    """Asks for a command, and waits for its exit code."""
    said = {"folder": str(Path.cwd()), "environment": dict(os.environ), "arguments": arguments}
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(path)
        socket.send_fds(client, [json.dumps(said).encode()], [0, 1, 2])
        return client.recv(1)[0]


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(sys.argv[2])
    sys.exit(run(sys.argv[2], sys.argv[3:]))
