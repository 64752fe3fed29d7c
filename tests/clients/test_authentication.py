"""A server that asks who makes requests: boto3 with access keys, and what a socket can try."""

from __future__ import annotations

import http.client
import json
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aws_clients import client_of
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from serving import Served, command, served
from signing import signed as signed_request

import kmsfast

ACCOUNT = "000000000000"
USE = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": ["kms:Encrypt", "kms:Decrypt", "kms:DescribeKey"],
            "Resource": "*",
            "Condition": {"IpAddress": {"aws:SourceIp": "127.0.0.1"}},
        },
        {"Effect": "Deny", "Action": "kms:Decrypt", "Resource": "*",
         "Condition": {"StringEquals": {"kms:EncryptionContext:secret": "yes"}}},
    ],
}  # fmt: skip


def client_as(server: Served, key: Any) -> Any:
    """boto3's client with an access key."""
    return client_of(server.url, account=key.id, secret=key.secret)


class World:
    """A server on a store with an administrator and a user."""

    def __init__(self, store: Path, server: Served, kms: kmsfast.Kms, keys: Any) -> None:
        self.store, self.server, self.kms = store, server, kms
        (self.admin_key, self.ada_key) = keys
        self.admin = client_as(server, self.admin_key)
        self.ada = client_as(server, self.ada_key)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    store = tmp_path_factory.mktemp("signed") / "store"
    with kmsfast.open(store, create=True) as kms:
        admin = kms.principals.create_administrator()
        kms.principals.create_user("ada")
        kms.principals.attach_policy("ada", "use", json.dumps(USE))
        ada = kms.principals.create_access_key("ada")
        with served(store, signed=True) as server:
            made = World(store, server, kms, (admin, ada))
            yield made
            made.admin.close()
            made.ada.close()


def refused(code: str, call: Any, **members: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**members)
    error = caught.value.response
    assert error["Error"]["Code"] == code
    assert error["ResponseMetadata"]["HTTPStatusCode"] == 400
    return str(error["Error"].get("Message", ""))


def test_an_administrator_may_do_everything(world: World) -> None:
    key = world.admin.create_key()["KeyMetadata"]["KeyId"]
    world.admin.create_alias(AliasName="alias/all", TargetKeyId=key)
    blob = world.admin.encrypt(KeyId="alias/all", Plaintext=b"x")["CiphertextBlob"]
    assert world.admin.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
    world.admin.put_key_policy(KeyId=key, Policy=world.admin.get_key_policy(KeyId=key)["Policy"])
    assert world.admin.list_keys()["Keys"]


def test_a_user_may_what_its_policies_say(world: World) -> None:
    key = world.admin.create_key()["KeyMetadata"]
    blob = world.ada.encrypt(
        KeyId=key["KeyId"], Plaintext=b"x", EncryptionContext={"secret": "yes"}
    )["CiphertextBlob"]
    assert refused(
        "AccessDeniedException", world.ada.decrypt, CiphertextBlob=blob,
        EncryptionContext={"secret": "yes"},
    ).startswith("The ciphertext refers to a customer master key that does not exist")  # fmt: skip
    assert refused(
        "AccessDeniedException", world.ada.decrypt, CiphertextBlob=blob, KeyId=key["KeyId"],
        EncryptionContext={"secret": "yes"},
    ) == (
        f"User: arn:aws:iam::{ACCOUNT}:user/ada is not authorized to perform: kms:Decrypt on "
        f"resource: {key['Arn']} with an explicit deny in an identity-based policy"
    )  # fmt: skip
    said = refused("AccessDeniedException", world.ada.disable_key, KeyId=key["KeyId"])
    assert said.endswith("because no identity-based policy allows the kms:DisableKey action")
    refused("AccessDeniedException", world.ada.create_key)
    refused("AccessDeniedException", world.ada.list_keys)


def test_who_is_not_known_gets_nowhere(world: World) -> None:
    for credentials, code, message in (
        (("AKIAIOSFODNN7EXAMPLE", "x" * 40), "UnrecognizedClientException", "security token"),
        ((world.ada_key.id, "x" * 40), "InvalidSignatureException", "does not match"),
        ((ACCOUNT, "unused"), "UnrecognizedClientException", "security token"),
    ):
        client = client_of(world.server.url, account=credentials[0], secret=credentials[1])
        assert message in refused(code, client.list_keys)
        client.close()


def test_a_change_holds_for_the_next_request(world: World) -> None:
    known = world.kms.principals
    made = known.create_user("bob").arn
    key = known.create_access_key("bob")
    bob = client_as(world.server, key)
    refused("AccessDeniedException", bob.list_keys)
    known.attach_policy("bob", "list", json.dumps(
        {"Statement": {"Effect": "Allow", "Action": "kms:ListKeys", "Resource": "*"}}
    ))  # fmt: skip
    bob.list_keys()
    known.detach_policy("bob", "list")
    refused("AccessDeniedException", bob.list_keys)
    known.set_access_key(key.id, active=False)
    refused("UnrecognizedClientException", bob.list_keys)
    known.delete(made)
    refused("UnrecognizedClientException", bob.list_keys)
    bob.close()


def test_a_grant_allows_until_it_is_revoked(world: World) -> None:
    """Its token allows nothing then, and never was a secret that lets others in."""
    known = world.kms.principals
    grantee = known.create_user("grantee").arn
    access, other = known.create_access_key("grantee"), known.create_user("other").arn
    client = client_as(world.server, access)
    key = world.admin.create_key()["KeyMetadata"]["KeyId"]
    context = {"table": "orders"}
    blob = world.admin.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext=context)
    members = {"CiphertextBlob": blob["CiphertextBlob"], "EncryptionContext": context}
    refused("AccessDeniedException", client.decrypt, **members)
    made = world.admin.create_grant(
        KeyId=key, GranteePrincipal=grantee, Operations=["Decrypt", "CreateGrant"],
        Constraints={"EncryptionContextSubset": context},
    )  # fmt: skip
    assert client.decrypt(**members)["Plaintext"] == b"x"
    token = [made["GrantToken"]]
    refused("AccessDeniedException", world.ada.create_grant, KeyId=key, GrantTokens=token,
            GranteePrincipal=other, Operations=["Decrypt"])  # fmt: skip
    # A child allows no more than its parent, under constraints no weaker.
    more = [
        {"Operations": ["Encrypt"], "Constraints": {"EncryptionContextSubset": context}},
        {"Operations": ["Decrypt"]},
        {"Operations": ["Decrypt"], "Constraints": {"EncryptionContextSubset": {"a": "b"}}},
    ]
    for asked in more:
        refused("AccessDeniedException", client.create_grant, KeyId=key, GranteePrincipal=other,
                **asked)  # fmt: skip
    client.create_grant(KeyId=key, GranteePrincipal=other, Operations=["Decrypt"],
                        Constraints={"EncryptionContextEquals": context})  # fmt: skip
    refused("AccessDeniedException", client.revoke_grant, KeyId=key, GrantId=made["GrantId"])
    refused("AccessDeniedException", client.retire_grant, GrantToken=made["GrantToken"])
    world.admin.revoke_grant(KeyId=key, GrantId=made["GrantId"])
    refused("AccessDeniedException", client.decrypt, **members, GrantTokens=token)
    client.close()


def test_another_account_needs_both_sides(world: World) -> None:
    known = world.kms.principals
    known.create_user("arn:aws:iam::999999999999:user/eve")
    known.attach_policy("arn:aws:iam::999999999999:user/eve", "all", json.dumps(
        {"Statement": {"Effect": "Allow", "Action": "kms:*", "Resource": "*"}}
    ))  # fmt: skip
    access = known.create_access_key("arn:aws:iam::999999999999:user/eve")
    eve = client_as(world.server, access)
    key = world.admin.create_key()["KeyMetadata"]
    missing = key["Arn"][:-1] + ("0" if key["Arn"][-1] != "0" else "1")
    said = {
        refused("AccessDeniedException", eve.encrypt, KeyId=arn, Plaintext=b"x").replace(arn, "")
        for arn in (key["Arn"], missing)
    }
    assert len(said) == 1
    policy = json.loads(world.admin.get_key_policy(KeyId=key["KeyId"])["Policy"])
    policy["Statement"].append({
        "Effect": "Allow", "Principal": {"AWS": "999999999999"}, "Action": "kms:*", "Resource": "*"
    })  # fmt: skip
    world.admin.put_key_policy(KeyId=key["KeyId"], Policy=json.dumps(policy))
    blob = eve.encrypt(KeyId=key["Arn"], Plaintext=b"x")["CiphertextBlob"]
    assert eve.decrypt(KeyId=key["Arn"], CiphertextBlob=blob)["Plaintext"] == b"x"
    refused("AccessDeniedException", eve.disable_key, KeyId=key["Arn"])
    eve.close()


def sent(world: World, headers: list[tuple[str, str]], body: bytes, path: str = "/") -> Any:
    line = http.client.HTTPConnection("127.0.0.1", world.server.port)
    line.putrequest("POST", path, skip_host=True, skip_accept_encoding=True)
    for name, value in headers:
        line.putheader(name, value)
    line.endheaders(body)
    response = line.getresponse()
    answer = response.status, json.loads(response.read() or b"{}")
    line.close()
    return answer


def headers_of(world: World, body: bytes, target: str = "ListKeys") -> list[tuple[str, str]]:
    made = AWSRequest(
        "POST", world.server.url + "/", {"X-Amz-Target": f"TrentService.{target}"}, body
    )
    SigV4Auth(Credentials(world.admin_key.id, world.admin_key.secret), "kms", "us-east-1").add_auth(
        made
    )
    host = f"127.0.0.1:{world.server.port}"
    return [("Host", host), ("Content-Length", str(len(body))), *made.headers.items()]


def test_what_is_changed_on_the_way_is_refused(world: World) -> None:
    good = headers_of(world, b"{}")
    assert sent(world, good, b"{}")[0] == 200
    other = [(n, v.replace("ListKeys", "CreateKey") if n == "X-Amz-Target" else v)
             for n, v in good]  # fmt: skip
    without = [(n, v) for n, v in good if n != "Authorization"]
    for headers, body, code in (
        (other, b"{}", "InvalidSignatureException"),
        (good, b"[]", "InvalidSignatureException"),
        ([*good, ("x-amz-security-token", "x")], b"{}", "InvalidSignatureException"),
        (without, b"{}", "MissingAuthenticationTokenException"),
    ):
        status, answer = sent(world, headers, body)
        assert (status, answer["__type"]) == (400, code)
    assert sent(world, [*good, ("x-amz-target", "TrentService.CreateKey")], b"{}")[0] == 400
    assert sent(world, good, b"{}", "//")[0] == 404


def test_an_old_signature_is_refused(world: World) -> None:
    old = datetime.now(UTC) - timedelta(minutes=6)
    request = signed_request(
        b"{}", stamp=f"{old:%Y%m%dT%H%M%SZ}", access_key=world.admin_key.id,
        secret=world.admin_key.secret, headers={"x-amz-target": "TrentService.ListKeys"},
    )  # fmt: skip
    headers = [(name.decode(), value.decode()) for name, value in request.headers]
    status, answer = sent(world, [*headers, ("content-length", "2")], b"{}")
    assert (status, answer["__type"]) == (400, "InvalidSignatureException")
    assert answer["message"].startswith("Signature expired: ")


def test_health_is_everybodys(world: World) -> None:
    line = http.client.HTTPConnection("127.0.0.1", world.server.port)
    line.request("GET", "/healthz")
    assert line.getresponse().status == 200
    line.close()


def test_a_store_without_access_keys_is_not_served(tmp_path: Path) -> None:
    kmsfast.open(tmp_path / "store", create=True).close()
    done = subprocess.run(
        command(tmp_path / "store", "--http", "127.0.0.1:0", signed=True), capture_output=True,
        text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "the store has no access keys" in done.stderr
