"""Condition operators, set operators, and several keys and values."""

from __future__ import annotations

from policy_cases import LOGIC, OPERATORS, SETS, Row, values

VIA = "kms:ViaService"
EC2 = "ec2.us-west-2.amazonaws.com"


def _via(operator: str, wanted: object, found: str | None, match: bool, rule: str) -> Row:
    request = {} if found is None else values(kms_ViaService=found)
    return Row(rule, OPERATORS, {operator: {VIA: wanted}}, request, match)


STRINGS = [
    _via("StringEquals", EC2, EC2, True, "StringEquals: the same text"),
    _via("StringEquals", EC2, "rds.us-west-2.amazonaws.com", False, "StringEquals: another text"),
    _via("StringEquals", EC2, EC2.upper(), False, "StringEquals: case matters"),
    _via("StringEquals", "ec2.*", EC2, False, "StringEquals: * is a character"),
    _via("StringEquals", "ec2.*", "ec2.*", True, "StringEquals: * equals itself"),
    _via("StringEquals", EC2, EC2 + " ", False, "StringEquals: spaces count"),
    _via("StringEquals", EC2, None, False, "StringEquals: a key that is not there"),
    _via("StringEquals", ["a", EC2], EC2, True, "StringEquals: any of several values"),
    _via("StringEquals", ["a", "b"], EC2, False, "StringEquals: none of several values"),
    _via("StringNotEquals", EC2, EC2, False, "StringNotEquals: the same text"),
    _via("StringNotEquals", EC2, "x", True, "StringNotEquals: another text"),
    _via("StringNotEquals", EC2, EC2.upper(), True, "StringNotEquals: case matters"),
    _via("StringNotEquals", EC2, None, True, "StringNotEquals: a key that is not there"),
    _via("StringNotEquals", ["a", EC2], EC2, False, "StringNotEquals: one of several is equal"),
    _via("StringNotEquals", ["a", "b"], EC2, True, "StringNotEquals: none of several is equal"),
    _via("StringEqualsIgnoreCase", EC2, EC2.upper(), True, "IgnoreCase: another case"),
    _via("StringEqualsIgnoreCase", EC2.upper(), EC2, True, "IgnoreCase: of the policy as well"),
    _via("StringEqualsIgnoreCase", "ec2.*", EC2, False, "IgnoreCase: * is a character"),
    _via("StringEqualsIgnoreCase", "EC2.*", "ec2.*", True, "IgnoreCase: * equals itself"),
    _via("StringEqualsIgnoreCase", EC2, "x", False, "IgnoreCase: another text"),
    _via("StringEqualsIgnoreCase", EC2, None, False, "IgnoreCase: a key that is not there"),
    _via("StringNotEqualsIgnoreCase", EC2, EC2.upper(), False, "NotIgnoreCase: another case"),
    _via("StringNotEqualsIgnoreCase", EC2, "x", True, "NotIgnoreCase: another text"),
    _via("StringNotEqualsIgnoreCase", EC2, None, True, "NotIgnoreCase: a key that is not there"),
    _via("StringLike", "ec2.*.amazonaws.com", EC2, True, "StringLike: * in the middle"),
    _via("StringLike", "*", EC2, True, "StringLike: * alone"),
    _via("StringLike", "*", "", True, "StringLike: * matches no characters too"),
    _via("StringLike", "*ec2*", EC2, True, "StringLike: * at both ends may be nothing"),
    _via("StringLike", "*a?a*", EC2, True, "StringLike: ? within a piece"),
    _via("StringLike", "*a?z*", EC2, False, "StringLike: ? within a piece that is not there"),
    _via("StringLike", "ec2*", EC2, True, "StringLike: * at the end"),
    _via("StringLike", "*.com", EC2, True, "StringLike: * at the start"),
    _via("StringLike", "e?2.*", EC2, True, "StringLike: ? is one character"),
    _via("StringLike", "e??2.*", EC2, False, "StringLike: ?? is not one character"),
    _via("StringLike", "ec2", EC2, False, "StringLike: no partial match without wildcards"),
    _via("StringLike", "EC2*", EC2, False, "StringLike: case matters"),
    _via("StringLike", "*west*west*", EC2, False, "StringLike: pieces do not overlap"),
    _via("StringLike", "*-*-*", EC2, True, "StringLike: several wildcards"),
    _via("StringLike", "e.2*", EC2, False, "StringLike: a dot is a dot"),
    _via("StringLike", "[e]c2*", EC2, False, "StringLike: brackets are characters"),
    _via("StringLike", "a*b", "a\nb", True, "StringLike: * crosses lines"),
    _via("StringLike", "ec2*", None, False, "StringLike: a key that is not there"),
    _via("StringLike", ["a*", "e*"], EC2, True, "StringLike: any of several patterns"),
    _via("StringNotLike", "ec2*", EC2, False, "StringNotLike: a match"),
    _via("StringNotLike", "rds*", EC2, True, "StringNotLike: no match"),
    _via("StringNotLike", "rds*", None, True, "StringNotLike: a key that is not there"),
    _via("StringNotLike", ["rds*", "ec2*"], EC2, False, "StringNotLike: one of several matches"),
]


def _days(operator: str, wanted: object, found: str | None, match: bool, rule: str) -> Row:
    request = {} if found is None else values(kms_ValidTo=found)
    return Row(rule, OPERATORS, {operator: {"kms:ValidTo": wanted}}, request, match)


NUMBERS = [
    _days("NumericEquals", "10", "10", True, "NumericEquals: equal"),
    _days("NumericEquals", 10, "10", True, "NumericEquals: a number without quotes"),
    _days("NumericEquals", "10", "10.0", True, "NumericEquals: as numbers, not as text"),
    _days("NumericEquals", "010", "10", True, "NumericEquals: leading zeros"),
    _days("NumericEquals", "10", "11", False, "NumericEquals: another number"),
    _days("NumericEquals", "1546257599.0", "1546257599", True, "NumericEquals: decimal"),
    _days("NumericEquals", "0.1", "0.10000000000000001", False, "NumericEquals: exact"),
    _days("NumericEquals", "10", "ten", False, "NumericEquals: a value that is no number"),
    _days("NumericEquals", "10", None, False, "NumericEquals: a key that is not there"),
    _days("NumericEquals", ["9", "10"], "10", True, "NumericEquals: any of several"),
    _days("NumericNotEquals", "10", "10.00", False, "NumericNotEquals: equal"),
    _days("NumericNotEquals", "10", "11", True, "NumericNotEquals: another number"),
    _days("NumericNotEquals", "10", None, True, "NumericNotEquals: a key that is not there"),
    _days("NumericNotEquals", ["9", "10"], "10", False, "NumericNotEquals: one of several"),
    _days("NumericLessThan", "10", "9", True, "NumericLessThan: less"),
    _days("NumericLessThan", "10", "10", False, "NumericLessThan: equal"),
    _days("NumericLessThan", "10", "9.99", True, "NumericLessThan: decimal"),
    _days("NumericLessThan", "10", "100", False, "NumericLessThan: not as text"),
    _days("NumericLessThan", "10", "-5", True, "NumericLessThan: negative"),
    _days("NumericLessThanEquals", "10", "10", True, "NumericLessThanEquals: equal"),
    _days("NumericLessThanEquals", "10", "11", False, "NumericLessThanEquals: greater"),
    _days("NumericGreaterThan", "10", "11", True, "NumericGreaterThan: greater"),
    _days("NumericGreaterThan", "10", "10", False, "NumericGreaterThan: equal"),
    _days("NumericGreaterThan", "10", None, False, "NumericGreaterThan: a key not there"),
    _days("NumericGreaterThanEquals", "10", "10", True, "NumericGreaterThanEquals: equal"),
    _days("NumericGreaterThanEquals", "10", "9", False, "NumericGreaterThanEquals: less"),
    _days("NumericLessThan", ["5", "10"], "7", True, "NumericLessThan: any of several"),
]


def _issued(operator: str, wanted: object, found: str | None, match: bool, rule: str) -> Row:
    request = {} if found is None else values(aws_TokenIssueTime=found)
    return Row(rule, OPERATORS, {operator: {"aws:TokenIssueTime": wanted}}, request, match)


NOON = "2026-01-31T12:00:00Z"
DATES = [
    _issued("DateEquals", NOON, NOON, True, "DateEquals: equal"),
    _issued("DateEquals", NOON, "2026-01-31T13:00:00+01:00", True, "DateEquals: other zone"),
    _issued("DateEquals", NOON, "1769860800", True, "DateEquals: seconds since 1970"),
    _issued("DateEquals", "1769860800", NOON, True, "DateEquals: seconds in the policy"),
    _issued("DateEquals", 1769860800, NOON, True, "DateEquals: a number without quotes"),
    _issued("DateEquals", "2026-01-31T12:00Z", NOON, True, "DateEquals: without seconds"),
    _issued("DateEquals", NOON, "2026-01-31T12:00:00.5Z", False, "DateEquals: fractions count"),
    _issued("DateEquals", NOON, "2026-01-31T00:01:00-11:59", True, "DateEquals: zones west"),
    _issued("DateEquals", "2026-01-31", "2026-01-31T00:00:00Z", True, "DateEquals: a day"),
    _issued("DateEquals", "2026-01", "2026-01-01T00:00:00Z", True, "DateEquals: a month"),
    _issued("DateEquals", "2026", "2026-01-01T00:00:00Z", True, "DateEquals: a year"),
    _issued("DateEquals", NOON, None, False, "DateEquals: a key that is not there"),
    _issued("DateEquals", NOON, "noon", False, "DateEquals: a value that is no date"),
    _issued("DateEquals", NOON, "0001-01-01T00:00:00+23:00", False, "DateEquals: long ago"),
    _issued("DateNotEquals", NOON, NOON, False, "DateNotEquals: equal"),
    _issued("DateNotEquals", NOON, "2026-01-31T12:00:01Z", True, "DateNotEquals: another"),
    _issued("DateNotEquals", NOON, None, True, "DateNotEquals: a key that is not there"),
    _issued("DateLessThan", NOON, "2026-01-31T11:59:59Z", True, "DateLessThan: before"),
    _issued("DateLessThan", NOON, NOON, False, "DateLessThan: equal"),
    _issued("DateLessThan", NOON, None, False, "DateLessThan: a key that is not there"),
    _issued("DateLessThanEquals", NOON, NOON, True, "DateLessThanEquals: equal"),
    _issued("DateLessThanEquals", NOON, "2026-02-01", False, "DateLessThanEquals: after"),
    _issued("DateGreaterThan", "2020-01-01T00:00:01Z", NOON, True, "DateGreaterThan: after"),
    _issued("DateGreaterThan", NOON, NOON, False, "DateGreaterThan: equal"),
    _issued("DateGreaterThanEquals", NOON, NOON, True, "DateGreaterThanEquals: equal"),
    _issued("DateGreaterThanEquals", NOON, "2025", False, "DateGreaterThanEquals: before"),
]


def _secure(operator: str, wanted: object, found: str | None, match: bool, rule: str) -> Row:
    request = {} if found is None else values(aws_SecureTransport=found)
    return Row(rule, OPERATORS, {operator: {"aws:SecureTransport": wanted}}, request, match)


BOOLEANS = [
    _secure("Bool", "true", "true", True, "Bool: true"),
    _secure("Bool", True, "true", True, "Bool: without quotes"),
    _secure("Bool", "false", "false", True, "Bool: false"),
    _secure("Bool", "true", "false", False, "Bool: another value"),
    _secure("Bool", "TRUE", "true", True, "Bool: in any case"),
    _secure("Bool", "true", None, False, "Bool: a key that is not there"),
    _secure("Bool", "false", None, False, "Bool false is not absence"),
    _secure("Bool", ["true", "false"], "false", True, "Bool: any of several"),
    _secure("BoolIfExists", "true", None, True, "BoolIfExists: a key that is not there"),
    _secure("BoolIfExists", "true", "false", False, "BoolIfExists: there, and another value"),
]

BINARY = [
    _via("BinaryEquals", "QmluYXJ5VmFsdWVJbkJhc2U2NA==", "QmluYXJ5VmFsdWVJbkJhc2U2NA==", True,
         "BinaryEquals: the same bytes"),
    _via("BinaryEquals", "QUJD", "QUJE", False, "BinaryEquals: other bytes"),
    _via("BinaryEquals", "QUJD", "ABC", False, "BinaryEquals: a value that is no base64"),
    _via("BinaryEquals", "QUJD", None, False, "BinaryEquals: a key that is not there"),
]  # fmt: skip


def _from(operator: str, wanted: object, found: str | None, match: bool, rule: str) -> Row:
    request = {} if found is None else values(aws_SourceIp=found)
    return Row(rule, OPERATORS, {operator: {"aws:SourceIp": wanted}}, request, match)


NET, V6 = "203.0.113.0/24", "2001:DB8:1234:5678::/64"
ADDRESSES = [
    _from("IpAddress", NET, "203.0.113.7", True, "IpAddress: within the range"),
    _from("IpAddress", NET, "203.0.113.0", True, "IpAddress: its first address"),
    _from("IpAddress", NET, "203.0.113.255", True, "IpAddress: its last address"),
    _from("IpAddress", NET, "203.0.114.0", False, "IpAddress: just outside"),
    _from("IpAddress", "203.0.113.7", "203.0.113.7", True, "IpAddress: no prefix is /32"),
    _from("IpAddress", "203.0.113.7", "203.0.113.8", False, "IpAddress: no prefix, another"),
    _from("IpAddress", V6, "2001:db8:1234:5678::1", True, "IpAddress: IPv6"),
    _from("IpAddress", V6, "2001:db8:1234:5679::1", False, "IpAddress: IPv6 outside"),
    _from("IpAddress", "2001:db8::1", "2001:db8::1", True, "IpAddress: IPv6 without prefix"),
    _from("IpAddress", [NET, V6], "2001:db8:1234:5678::1", True, "IpAddress: both families"),
    _from("IpAddress", NET, "2001:db8::1", False, "IpAddress: of the other family"),
    _from("IpAddress", "0.0.0.0/0", "198.51.100.1", True, "IpAddress: every IPv4 address"),
    _from("IpAddress", "0.0.0.0/0", "2001:db8::1", False, "IpAddress: 0.0.0.0/0 is IPv4 only"),
    _from("IpAddress", NET, "::ffff:203.0.113.7", True, "IpAddress: IPv4 as IPv6 shows it"),
    _from("IpAddress", NET, None, False, "IpAddress: a key that is not there"),
    _from("IpAddress", NET, "nowhere", False, "IpAddress: a value that is no address"),
    _from("NotIpAddress", NET, "203.0.113.7", False, "NotIpAddress: within the range"),
    _from("NotIpAddress", NET, "198.51.100.1", True, "NotIpAddress: outside"),
    _from("NotIpAddress", NET, None, True, "NotIpAddress: a key that is not there"),
    _from("NotIpAddress", [NET, "198.51.100.0/24"], "198.51.100.1", False,
          "NotIpAddress: in one of several"),
]  # fmt: skip


def _source(operator: str, wanted: object, found: str | None, match: bool, rule: str) -> Row:
    request = {} if found is None else values(aws_SourceArn=found)
    return Row(rule, OPERATORS, {operator: {"aws:SourceArn": wanted}}, request, match)


TOPIC = "arn:aws:sns:us-east-2:123456789012:topic"
FINANCE = "arn:aws:someservice:*:111122223333:finance/*"
STORE = "arn:aws:someservice:us-east-2:999999999999:store/abc:111122223333:finance/document.txt"
ARNS = [
    _source("ArnEquals", TOPIC, TOPIC, True, "ArnEquals: the same ARN"),
    _source("ArnEquals", TOPIC, TOPIC + "2", False, "ArnEquals: another ARN"),
    _source("ArnEquals", "arn:aws:sns:*:123456789012:*", TOPIC, True, "ArnEquals has wildcards"),
    _source("ArnEquals", TOPIC.upper(), TOPIC, False, "ArnEquals: case matters"),
    _source("ArnLike", "arn:aws:sns:us-east-?:*:topic", TOPIC, True, "ArnLike: ? and *"),
    _source("ArnLike", FINANCE, STORE, False, "ArnLike: no wildcard crosses a colon"),
    Row("StringLike: a wildcard crosses colons", OPERATORS,
        {"StringLike": {"aws:SourceArn": FINANCE}}, values(aws_SourceArn=STORE), True),
    _source("ArnLike", "arn:aws:sns:*:*:a:*", "arn:aws:sns:r:1:a:b", True,
            "ArnLike: the sixth field may have colons"),
    _source("ArnLike", "arn:aws:sns:*", TOPIC, False, "ArnLike: all six fields are compared"),
    _source("ArnLike", "*", TOPIC, True, "ArnLike: * alone is any ARN"),
    _source("ArnLike", "arn", TOPIC, False, "ArnLike: a word is no ARN"),
    _source("ArnLike", "arn:*:*:*:*", TOPIC, False, "ArnLike: five fields are not six"),
    _source("ArnLike", TOPIC, "topic", False, "ArnLike: a value that is no ARN"),
    _source("ArnLike", TOPIC, None, False, "ArnLike: a key that is not there"),
    _source("ArnLike", [FINANCE, TOPIC], TOPIC, True, "ArnLike: any of several"),
    _source("ArnNotEquals", TOPIC, TOPIC, False, "ArnNotEquals: the same ARN"),
    _source("ArnNotEquals", "arn:aws:sns:*:*:*", TOPIC, False, "ArnNotEquals has wildcards"),
    _source("ArnNotLike", "arn:aws:sqs:*:*:*", TOPIC, True, "ArnNotLike: no match"),
    _source("ArnNotLike", TOPIC, None, True, "ArnNotLike: a key that is not there"),
    _source("ArnNotLike", [FINANCE, TOPIC], TOPIC, False, "ArnNotLike: one of several matches"),
]  # fmt: skip

EXISTENCE = [
    _via("StringEqualsIfExists", EC2, None, True, "IfExists: a key that is not there"),
    _via("StringEqualsIfExists", EC2, EC2, True, "IfExists: there, and equal"),
    _via("StringEqualsIfExists", EC2, "x", False, "IfExists: there, and not equal"),
    _via("StringNotEqualsIfExists", EC2, None, True, "NotIfExists: a key that is not there"),
    _via("StringNotEqualsIfExists", EC2, EC2, False, "NotIfExists: there, and equal"),
    _via("StringLikeIfExists", "ec2*", "rds", False, "LikeIfExists: there, and no match"),
    _days("NumericLessThanIfExists", "10", None, True, "NumericIfExists: not there"),
    _issued("DateLessThanIfExists", NOON, None, True, "DateIfExists: not there"),
    _from("IpAddressIfExists", NET, None, True, "IpAddressIfExists: not there"),
    _from("IpAddressIfExists", NET, "198.51.100.1", False, "IpAddressIfExists: outside"),
    _source("ArnLikeIfExists", TOPIC, None, True, "ArnLikeIfExists: not there"),
    _via("Null", "true", None, True, "Null true: the key is not there"),
    _via("Null", "true", EC2, False, "Null true: the key is there"),
    _via("Null", "false", EC2, True, "Null false: the key is there"),
    _via("Null", "false", None, False, "Null false: the key is not there"),
    _via("Null", True, None, True, "Null: without quotes"),
    _via("Null", "false", "", False, "Null false: there, but its value is null"),
]

TAGS = "aws:TagKeys"


def _tagged(
    operator: str, wanted: object, found: list[str], match: bool, rule: str, page: str = SETS
) -> Row:
    request = {"values": {TAGS: found}} if found else {}
    return Row(rule, page, {operator: {TAGS: wanted}}, request, match)


ALL, ANY = "ForAllValues:StringEquals", "ForAnyValue:StringEquals"
SET_OPERATORS = [
    _tagged(ALL, ["a", "b"], ["a", "b"], True, "ForAllValues: every value is listed"),
    _tagged(ALL, ["a", "b"], ["a"], True, "ForAllValues: not every listed value is needed"),
    _tagged(ALL, ["a", "b"], ["a", "c"], False, "ForAllValues: one value is not listed"),
    _tagged(ALL, ["a"], [], True, "ForAllValues: no values at all"),
    _tagged(ALL, ["a"], [""], True, "ForAllValues: an empty value is an empty set"),
    _tagged(ANY, ["a", "b"], ["c", "a"], True, "ForAnyValue: one value is listed"),
    _tagged(ANY, ["a", "b"], ["c", "d"], False, "ForAnyValue: no value is listed"),
    _tagged(ANY, ["a"], [], False, "ForAnyValue: no values at all"),
    _tagged(ANY, ["a"], [""], False, "ForAnyValue: an empty value is an empty set"),
    _tagged("ForAllValues:StringLike", "k*", ["k1", "k2"], True, "ForAllValues: patterns"),
    _tagged("ForAllValues:StringLike", "k*", ["k1", "x"], False, "ForAllValues: one does not"),
    _tagged("ForAnyValue:StringLike", "k*", ["x", "k1"], True, "ForAnyValue: patterns"),
    _tagged("ForAllValues:StringNotLike", "key1*", ["key1:legal"], False,
            "ForAllValues negated: the only value matches"),
    _tagged("ForAllValues:StringNotLike", "key1*", ["key1:hr", "key1:personnel"], False,
            "ForAllValues negated: all values match"),
    _tagged("ForAllValues:StringNotLike", "key1*", ["key2:audit"], True,
            "ForAllValues negated: no value matches"),
    _tagged("ForAllValues:StringNotLike", "key1*", ["key1:hr", "key2:audit"], False,
            "ForAllValues negated: some match"),
    _tagged("ForAllValues:StringNotLike", "key1*", [], True,
            "ForAllValues negated: no values at all"),
    _tagged("ForAllValues:StringNotLike", ["key1*", "key2*"], ["key2:audit"], False,
            "ForAllValues negated: must match none of the listed"),
    _tagged("ForAnyValue:StringNotLike", "key1*", ["key1:hr", "key2:audit"], True,
            "ForAnyValue negated: one value does not match"),
    _tagged("ForAnyValue:StringNotLike", "key1*", ["key1:hr"], False,
            "ForAnyValue negated: every value matches"),
    _tagged("ForAnyValue:StringNotEquals", "a", [], False,
            "ForAnyValue negated: no values at all"),
    _tagged("ForAnyValue:StringEqualsIfExists", "a", [], True,
            "ForAnyValue with IfExists: no values at all"),
    _tagged("ForAllValues:StringEqualsIgnoreCase", ["A"], ["a"], True,
            "set operators go with every string operator"),
    Row("set operators go with Arn operators", SETS,
        {"ForAnyValue:ArnLike": {"aws:SourceArn": "arn:aws:sns:*:*:*"}},
        {"values": {"aws:SourceArn": ["x", TOPIC]}}, True),
    Row("set operators go with numeric operators", SETS,
        {"ForAllValues:NumericLessThan": {"kms:ValidTo": "10"}},
        {"values": {"kms:ValidTo": ["1", "11"]}}, False),
    Row("ForAllValues with Null false: no values do not pass", SETS,
        {ALL: {TAGS: ["a"]}, "Null": {TAGS: "false"}}, {}, False),
    Row("ForAllValues with Null false: listed values pass", SETS,
        {ALL: {TAGS: ["a"]}, "Null": {TAGS: "false"}}, {"values": {TAGS: ["a"]}}, True),
    Row("several values without set operator: all are needed to allow", SETS,
        {"StringEquals": {TAGS: "a"}}, {"values": {TAGS: ["a", "b"]}}, False, ("Allow",)),
    Row("several values without set operator: one is enough to deny", SETS,
        {"StringEquals": {TAGS: "a"}}, {"values": {TAGS: ["a", "b"]}}, True, ("Deny",)),
    Row("several values without set operator, negated: one is enough to deny", SETS,
        {"StringNotEquals": {TAGS: "a"}}, {"values": {TAGS: ["a", "b"]}}, True, ("Deny",)),
    Row("several values without set operator, negated: all are needed to allow", SETS,
        {"StringNotEquals": {TAGS: "a"}}, {"values": {TAGS: ["a", "b"]}}, False, ("Allow",)),
]  # fmt: skip

_BOTH = {"aws:SourceIp": "203.0.113.7", "kms:ViaService": EC2}
COMBINED = [
    Row("operators of a block are joined by AND: both hold", LOGIC,
        {"IpAddress": {"aws:SourceIp": NET}, "StringEquals": {VIA: EC2}}, {"values": _BOTH}, True),
    Row("operators of a block are joined by AND: one fails", LOGIC,
        {"IpAddress": {"aws:SourceIp": NET}, "StringEquals": {VIA: "x"}}, {"values": _BOTH}, False),
    Row("keys of an operator are joined by AND: both hold", LOGIC,
        {"StringEquals": {VIA: EC2, "aws:SourceIp": "203.0.113.7"}}, {"values": _BOTH}, True),
    Row("keys of an operator are joined by AND: one fails", LOGIC,
        {"StringEquals": {VIA: EC2, "aws:SourceIp": "x"}}, {"values": _BOTH}, False),
    Row("keys of a negated operator are joined by AND", LOGIC,
        {"StringNotEquals": {VIA: EC2, "aws:SourceIp": "x"}}, {"values": _BOTH}, False),
    Row("values of a key are joined by OR", LOGIC,
        {"StringEquals": {VIA: ["x", EC2, "y"]}}, {"values": _BOTH}, True),
    Row("values of a negated operator are joined by NOR", LOGIC,
        {"StringNotEquals": {VIA: ["x", "y"]}}, {"values": _BOTH}, True),
    Row("an empty Condition asks for nothing", LOGIC, {}, {}, True),
    Row("an operator without keys asks for nothing", LOGIC, {"StringEquals": {}}, {}, True),
    Row("condition keys have no case", OPERATORS,
        {"StringEquals": {"KMS:viaSERVICE": EC2}}, {"values": _BOTH}, True),
    Row("the same key under two operators", LOGIC,
        {"StringLike": {VIA: "ec2*"}, "StringNotEquals": {VIA: EC2}}, {"values": _BOTH}, False),
]  # fmt: skip

ROWS = [
    *STRINGS, *NUMBERS, *DATES, *BOOLEANS, *BINARY, *ADDRESSES, *ARNS, *EXISTENCE, *SET_OPERATORS,
    *COMBINED,
]  # fmt: skip
