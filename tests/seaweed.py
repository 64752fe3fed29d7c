"""SeaweedFS as an S3 server whose SSE-KMS is a server of ours; ended by its process id."""

from __future__ import annotations

import http.client
import json
import random
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foreign import environment, installed

WAIT = 60
ACCESS_KEY, SECRET_KEY = "seaweed", "seaweed-secret"
PORTS = (
    "master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port",
    "filer.port.grpc", "s3.port", "s3.port.grpc",
)  # fmt: skip


@dataclass
class Seaweed:
    """A running S3 server and the folder of all that it stores."""

    url: str
    data: Path

    def environment(self, kms: str, home: Path) -> dict[str, str]:
        """For a client of both: S3 is SeaweedFS, KMS is ours (which takes any access key id)."""
        return environment(
            kms, home, AWS_ENDPOINT_URL_S3=self.url, AWS_ACCESS_KEY_ID=ACCESS_KEY,
            AWS_SECRET_ACCESS_KEY=SECRET_KEY, AWS_MAX_ATTEMPTS="1",
        )  # fmt: skip


def configuration(kms: str, *, cached: bool) -> dict[str, Any]:
    """What ``-s3.config`` reads (the guide is docs/s3.md)."""
    return {
        "identities": [
            {
                "name": "me",
                "credentials": [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}],
                "actions": ["Admin", "Read", "List", "Tagging", "Write"],
            }
        ],
        "kms": {
            "default_provider": "kmsfast",
            "providers": {
                "kmsfast": {
                    "type": "aws",
                    "endpoint": kms,
                    "region": "us-east-1",
                    "access_key": "000000000000",
                    "secret_key": "unused",
                    "cache_enabled": cached,
                }
            },
        },
    }


@contextmanager
def seaweed(folder: Path, kms: str, *, cached: bool) -> Iterator[Seaweed]:
    """An S3 server on loopback that keeps everything in a folder."""
    data = folder / "data"
    data.mkdir(parents=True)
    config = folder / "s3.json"
    config.write_text(json.dumps(configuration(kms, cached=cached)))
    ports = dict(zip(PORTS, _free_ports(len(PORTS)), strict=True))
    command = [
        installed("bin/weed"), "server", f"-dir={data}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1",
        "-filer", "-s3", f"-s3.config={config}", "-s3.iam=false", "-s3.port.iceberg=0",
        "-s3.port.lance=0", "-master.telemetry=false", "-master.volumeSizeLimitMB=64",
        "-volume.max=100",  # each bucket takes some volumes; none is allocated beforehand
        f"-filer.localSocket={folder / 'filer.sock'}", f"-s3.localSocket={folder / 's3.sock'}",
        *(f"-{name}={port}" for name, port in ports.items()),
    ]  # fmt: skip
    log = folder / "log"
    with log.open("w") as output, subprocess.Popen(
        command, cwd=folder, env=environment(kms, folder), stdout=output, stderr=output
    ) as process:  # fmt: skip
        try:
            _wait_for(ports["s3.port"], process, log)
            yield Seaweed(f"http://127.0.0.1:{ports['s3.port']}", data)
        finally:
            process.kill()  # what it stores goes with the folder


def _free_ports(num: int) -> list[int]:
    """Ports that were free a moment ago, outside of the range that connections are given.

    SeaweedFS takes no port 0.
    """
    found: set[int] = set()
    while len(found) < num:
        port = random.randrange(20_000, 32_000)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            found.add(port)
    return list(found)


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + WAIT
    while time.monotonic() < deadline and process.poll() is None:
        line = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            line.request("GET", "/healthz")
            if line.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.2)
        finally:
            line.close()
    raise AssertionError(f"SeaweedFS did not start: {log.read_text()[-3000:]}")
