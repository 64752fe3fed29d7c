"""What the blocks of a page find when they are run; and who reads what is no program."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blocks import Block, blocks
from serving import served_at_socket

from kmsfast.external.configuration import load as load_key_stores
from kmsfast.store.quotas import load_quotas


@dataclass(frozen=True)
class World:
    """What is there before a page begins.

    Attributes:
        before: shell commands. Three dots in ``swaps`` are the page's folder.
        python, after: what names stand for in its Python, and what must hold when it is done.
        files: by name; what stands for the data of whoever reads the page.
        swaps: texts of the page, and what stands there when it is run.
        needs, programs: modules and programs without which the page is skipped.
    """

    before: str = ""
    python: str = ""
    after: str = ""
    files: Mapping[str, str] | None = None
    swaps: tuple[tuple[str, str], ...] = ()
    needs: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()

    def prepare(self, folder: Path) -> None:
        for name, text in (self.files or {}).items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)


NOTHING = World()
ADA = "arn:aws:iam::000000000000:user/ada"


def policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


USE = {"Sid": "use", "Effect": "Allow", "Action": "kms:*", "Resource": "*"}
NET = {
    "Sid": "net", "Effect": "Deny", "Action": "*", "Resource": "*",
    "Condition": {"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}},
}  # fmt: skip
PEOPLE = "id,email,ssn\n1,ada@example.com,1\n2,grace@example.com,2\n"
TO_PARQUET = """python -c "
import pyarrow.csv, pyarrow.parquet
pyarrow.parquet.write_table(pyarrow.csv.read_csv('people.csv'), 'people.parquet')"
"""
OPEN = "import kmsfast\nkms = kmsfast.open('own', create=True)\n"


def block_of(page: str, language: str, number: int = 0) -> str:
    found: list[Block] = [block for block in blocks(page) if block.language == language]
    return found[number].text


WORLDS: dict[str, World] = {
    "README.md": World(
        files={"people.csv": PEOPLE, "backup.tar": "x" * 100_000},
        before=TO_PARQUET,
        swaps=(("1_000_000", "10_000"), ('"store"', '"python-store"')),
        needs=("pyarrow", "awscli"),
    ),
    "docs/audit.md": World(
        before="kmsfast init >/dev/null\nkmsfast key create --alias alias/orders >/dev/null\n"
        "kmsfast serve --http 127.0.0.1:4599 --insecure-no-auth\n"
        'eval "$(kmsfast env)"\n',
    ),
    "docs/cli.md": World(
        files={
            "people.csv": PEOPLE, "backup.tar": "x" * 100_000, "release.tar": "x" * 1000,
            "dist/a.whl": "a", "dist/b.whl": "b", "digests.txt": f"{'ab' * 32}\n{'cd' * 32}\n",
            "token.txt": "token", "emails.txt": "a@example.com\nb@example.com\n",
            "ada.json": policy(USE),
            "key.json": policy(USE | {"Principal": {"AWS": "nobody"}}).replace(
                '"AWS"', '\n\n                "AWS"'
            ),
        },
        before=TO_PARQUET + "mkdir -p stick signatures .config/fish/completions\n" + """
make_keys() {
  kmsfast key create --spec ECC_NIST_P256 --usage SIGN_VERIFY --alias alias/release
  kmsfast key create --spec HMAC_256 --alias alias/tokens
  kmsfast key create --spec HMAC_256 --alias alias/index
  kmsfast key create --spec ECC_NIST_P256 --usage KEY_AGREEMENT --alias alias/alice
  kmsfast key create --spec ML_KEM_768 --alias alias/kem
  openssl ecparam -name prime256v1 -genkey -noout | openssl ec -pubout -out bob.pem
  kmsfast mac token.txt -k alias/tokens -o token.mac
} >/dev/null 2>&1
""",
        swaps=(("--rotation-days 365", "--rotation-days 365; make_keys"),
               ("/media/stick", "FOLDER/stick"), ("/home/ada", "FOLDER"),
               ("/run/user/1000", "FOLDER/run")),
        needs=("pyarrow",),
    ),
    "docs/custom-key-stores.md": World(
        files={"key-stores.toml": block_of("docs/custom-key-stores.md", "toml")},
        before="""
mkdir tokens
echo "directories.tokendir = $PWD/tokens" >softhsm2.conf
export SOFTHSM2_CONF=$PWD/softhsm2.conf KMSFAST_KEY_STORE_SECRET=kmsuser-pin
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=ca \\
  -keyout /dev/null -out customerCA.crt 2>/dev/null
kmsfast init >/dev/null
cp key-stores.toml customerCA.crt store/
""",
        needs=("pkcs11",), programs=("softhsm2-util",),
    ),
    "docs/columns.md": World(needs=("pyarrow",)),
    "docs/http.md": World(
        files={"plaintext": "a secret"}, python="import boto3", needs=("boto3", "awscli"),
        swaps=(("export AWS_SHARED", "unset ${!AWS_*}\nexport AWS_SHARED"),),
    ),
    "docs/import.md": World(
        before="kmsfast init >/dev/null",
        python=OPEN + """
import os
from wrapping import wrap as wrapped_by
material = os.urandom(32)
def wrap(public_key, material):
    return wrapped_by(public_key, "RSA_AES_KEY_WRAP_SHA_256", material)
""",
    ),
    "docs/key-types.md": World(
        files={"release.tar": "x" * 100_000},
        python=OPEN + """
import hashlib
import numpy as np
digests = np.frombuffer(hashlib.shake_128(b"").digest(320), np.uint8).reshape(10, 32)
made = [kms.create_key(spec="ECC_NIST_P256", usage="SIGN_VERIFY") for _ in range(10)]
public_keys = [each.public_key_der() for each in made]
emails = [b"a@example.com", b"b@example.com"]
""",
        after="assert valid.all()\nassert key.verify_mac_batch(emails, index).all()\n",
    ),
    "docs/policies.md": World(
        files={"ada.json": policy(USE, NET)},
        before="kmsfast init >/dev/null\nkmsfast key create --alias alias/orders >/dev/null",
    ),
    "docs/principals.md": World(
        files={"use-orders.json": policy(USE), "policies/use-orders.json": policy(USE)},
        python="import kmsfast\npath = 'store'\n",
        needs=("awscli",),
    ),
    "docs/regions.md": World(python=OPEN),
    "docs/usage.md": World(
        python=OPEN + "kms.create_key(alias='alias/orders').encrypt(b'x')\n",
        after="assert found.use is not None and found.use.operation == 'Encrypt'\n",
    ),
    "docs/quotas.md": World(
        before="kmsfast init >/dev/null",
        python="import boto3\nfrom botocore.config import Config\n"
        "import os\nos.environ['AWS_DEFAULT_REGION'] = 'us-east-1'\n",
        needs=("boto3",),
    ),
    "docs/store.md": World(
        before="kmsfast --store store init >/dev/null", programs=("sqlite3",),
    ),
    "docs/migration.md": World(
        before="""
command kmsfast serve --http 127.0.0.1:0 --store aws --regions eu-central-1 \\
  --insecure-no-auth >.aws-address & true
until [ -s .aws-address ]; do sleep 0.02; done
""",
        python="""
import os, pathlib, re
said = re.search(r"http://[\\d.:]+", pathlib.Path(".aws-address").read_text())
os.environ |= {"AWS_ENDPOINT_URL_KMS": said[0], "AWS_ACCESS_KEY_ID": "111122223333",
               "AWS_SECRET_ACCESS_KEY": "unused"}
""",
        needs=("boto3", "awscli"),
    ),
    "docs/metrics.md": World(
        before="kmsfast --store keys init >/dev/null\nkmsfast init >/dev/null",
        swaps=(("127.0.0.1:9464", "127.0.0.1:0"), ("9464", "0")),
    ),
    "docs/seed.md": World(
        files={"seed.yaml": block_of("docs/seed.md", "yaml")},
        swaps=(("--seed seed.yaml", "--seed seed.yaml --allow-reset"),),
        needs=("yaml",),
    ),
    "docs/socket-client.md": World(
        before="kmsfast init >/dev/null\nkmsfast key create --alias alias/orders >/dev/null\n"
        "kmsfast serve --socket /run/user/1000/kmsfast.sock\n",
        python="values = [b'a', None, b'c']\n",
        swaps=(("/run/user/1000", "FOLDER/run"),),
    ),
    "docs/socket-server.md": World(
        files={"use-orders.json": policy(USE)},
        swaps=(("/run/user/1000", "FOLDER/user"), ("/run/kmsfast", "FOLDER/run"),
               ("--socket-group kmsfast", "--socket-group $(id -gn)")),
    ),
}  # fmt: skip

#: Pages whose blocks run in a test of their own.
ELSEWHERE = {
    "docs/aws-cli.md": "tests/clients/test_aws_session.py::"
    "test_what_was_recorded_is_what_is_printed",
}


def _key_stores(text: str, folder: Path) -> None:
    (folder / "customerCA.crt").write_text("-----BEGIN CERTIFICATE-----\n")
    (folder / "key-stores.toml").write_text(text)
    assert load_key_stores(folder / "key-stores.toml").clusters


def _quotas(text: str, folder: Path) -> None:
    (folder / "quotas.toml").write_text(text)
    assert load_quotas(folder / "quotas.toml") != load_quotas(folder / "none", missing_ok=True)


def _principals(text: str, folder: Path) -> None:
    import kmsfast

    (folder / "principals.toml").write_text(text)
    with kmsfast.open(folder / "store") as kms:
        assert kms.principals.apply(folder / "principals.toml")
        assert not kms.principals.apply(folder / "principals.toml")


def _seaweed(text: str, _folder: Path) -> None:
    assert json.loads(text)["kms"]["default_provider"] == "kmsfast"


def _prometheus(text: str, _folder: Path) -> None:
    import yaml

    (job,) = yaml.safe_load(text)["scrape_configs"]
    assert set(job) == {"job_name", "static_configs"}


def _frames(text: str, folder: Path) -> None:
    """The example's frames are sent to a server; what it answers begins as the page says."""
    import re
    import socket

    import kmsfast

    with kmsfast.open(folder / "example", create=True) as kms:
        kms.create_key(alias="alias/orders")
    lines = [re.match(r"(?:[0-9a-f]{2} *)*", line.strip())[0] for line in text.splitlines()]
    said = bytes.fromhex("".join(lines))
    hello, request, answer = said[:16], said[16:-9], said[-9:]
    assert (hello[3], request[3], len(hello + request)) == (12, 37, 16 + 41)
    with served_at_socket(folder / "example") as path, socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        client.sendall(hello)
        assert client.recv(4096)[5:].startswith(b"\xa7kmsfast")
        client.sendall(request)
        assert client.recv(4096).startswith(answer)


def _seed(text: str, folder: Path) -> None:
    assert (folder / "seed.yaml").read_text() == text  # the server has started with it by now


def _in_a_process(text: str, folder: Path) -> None:
    """What it registers is registered for a process."""
    subprocess.run([sys.executable, "-c", text], cwd=folder, check=True)


READERS: dict[tuple[str, str], Callable[[str, Path], None]] = {
    ("docs/custom-key-stores.md", "toml"): _key_stores,
    ("docs/quotas.md", "toml"): _quotas,
    ("docs/principals.md", "toml"): _principals,
    ("docs/s3.md", "json"): _seaweed,
    ("docs/metrics.md", "python"): _in_a_process,
    ("docs/metrics.md", "yaml"): _prometheus,
    ("docs/configuration.md", "toml"): _key_stores,
    ("docs/seed.md", "yaml"): _seed,
    ("docs/socket.md", "text"): _frames,
}
