"""ARNs, key ids, aliases and tags, by the rules of AWS KMS."""

from __future__ import annotations

import pytest

from kmsfast.errors import InvalidAliasName, InvalidArn, NotAuthorized, TagError, ValidationError
from kmsfast.model.alias import checked_alias, checked_own_alias
from kmsfast.model.arn import Home
from kmsfast.model.key import format_key_id, parse_key_id
from kmsfast.model.tags import checked_tags, merged

HOME = Home("eu-central-1", "123456789012")
ID = "d40a839e-4116-44be-8e10-f9512aa0b299"


def test_arns_go_there_and_back() -> None:
    arn = HOME.arn(f"key/{ID}")
    assert arn == f"arn:aws:kms:eu-central-1:123456789012:key/{ID}"
    assert HOME.resource(arn) == f"key/{ID}"


@pytest.mark.parametrize(
    ("region", "partition"),
    [("us-east-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")],
)
def test_the_partition_follows_the_region(region: str, partition: str) -> None:
    assert Home(region).arn("alias/a").startswith(f"arn:{partition}:kms:{region}:000000000000:")


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:kms",
        f"arn:aws:kms:eu-west-1:123456789012:key/{ID}",
        f"arn:aws:kms:eu-central-1:123456789013:key/{ID}",
        f"arn:aws-cn:kms:eu-central-1:123456789012:key/{ID}",
        f"arn:aws:s3:eu-central-1:123456789012:key/{ID}",
        f"arn:aws:kms:eu-central-1:123456789012:grant/{ID}",
        f"x:aws:kms:eu-central-1:123456789012:key/{ID}",
    ],
)
def test_arns_of_elsewhere_are_refused(arn: str) -> None:
    with pytest.raises(InvalidArn, match=r"Invalid arn|does not exist"):
        HOME.resource(arn)


@pytest.mark.parametrize("home", [("", "0" * 12), ("US-EAST-1", "0" * 12), ("us-east-1", "12")])
def test_a_home_is_checked(home: tuple[str, str]) -> None:
    with pytest.raises(ValidationError):
        Home(*home)


@pytest.mark.parametrize("text", [ID, "mrk-d40a839e411644be8e10f9512aa0b299"])
def test_key_ids_go_there_and_back(text: str) -> None:
    parsed = parse_key_id(text)
    assert parsed is not None
    assert format_key_id(*parsed) == text


@pytest.mark.parametrize(
    "text", ["", ID.upper(), ID[:-1], ID + "0", "mrk-", "mrk-" + ID, ID + "\n"]
)
def test_other_texts_are_no_key_ids(text: str) -> None:
    assert parse_key_id(text) is None


@pytest.mark.parametrize("name", ["alias/a", "alias/A-b_c/9", "alias/" + "x" * 250])
def test_good_aliases(name: str) -> None:
    assert checked_alias(name) == name


@pytest.mark.parametrize(
    "name",
    ["", "a", "alias/", "Alias/a", "alias/a b", "alias/ä", "alias/a:b", "alias/" + "x" * 251,
     "alias/a\n", None, b"alias/a"],
)  # fmt: skip
def test_bad_aliases(name: str) -> None:
    with pytest.raises(InvalidAliasName):
        checked_alias(name)


def test_aliases_of_aws_are_read_and_not_written() -> None:
    assert checked_alias("alias/aws/s3") == "alias/aws/s3"
    assert checked_own_alias("alias/awsome") == "alias/awsome"
    for name in ("alias/aws/s3", "alias/aws/"):
        with pytest.raises(NotAuthorized, match="reserved"):
            checked_own_alias(name)
    with pytest.raises(InvalidAliasName):
        checked_own_alias("aws/s3")


def test_good_tags() -> None:
    tags = {"Team": "a b", "k" * 128: "v" * 256, "+-=._:/@": "", "größe": "1"}
    assert checked_tags(tags) == checked_tags(list(tags.items())) == tags
    assert checked_tags(None) == {}


@pytest.mark.parametrize(
    ("tags", "says"),
    [
        ({"": "a"}, "1 to 128"),
        ({"k" * 129: "a"}, "1 to 128"),
        ({"k": "v" * 257}, "0 to 256"),
        ({"aws:x": "a"}, "reserved"),
        ({"AWS:x": "a"}, "reserved"),
        ({"k": "a;b"}, "characters"),
        ({"k": 1}, "str"),
        ([("a", "1"), ("a", "2")], "Duplicate"),
        ({f"k{i}": "" for i in range(51)}, "Too many tags"),
    ],
)
def test_bad_tags(tags: dict[str, str], says: str) -> None:
    with pytest.raises(TagError, match=says):
        checked_tags(tags)


def test_tags_together_are_at_most_50() -> None:
    old = {f"k{i}": "" for i in range(50)}
    assert merged(old, {"k1": "new"})["k1"] == "new"
    with pytest.raises(TagError, match="Too many"):
        merged(old, {"k50": ""})
