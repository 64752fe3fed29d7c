"""Documents that are policies, and documents that are none."""

from __future__ import annotations

import json
from typing import Any

from policy_cases import (
    ACCOUNT,
    ALICE,
    GRAMMAR,
    KEY_POLICIES,
    KMS_KEYS,
    OPERATORS,
    PRINCIPAL,
    RESOURCE,
    ROLE,
    ROOT,
    SESSION,
    SETS,
    SID,
    VARIABLES,
    VERSION,
    Document,
    of_identity,
    statement,
)

SYNTAX = "Syntax errors in policy."
PRINCIPALS = "Policy contains a statement with one or more invalid principals."


def _doc(statements: Any, **more: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements, **more})


def _key(rule: str, page: str, says: str | None, **elements: Any) -> Document:
    return Document(rule, page, _doc([statement(**elements)]), says)


def _identity(rule: str, page: str, says: str | None, **elements: Any) -> Document:
    return Document(rule, page, _doc([of_identity(**elements)]), says, identity=True)


GOOD = _doc([statement()])
WHOLE = [
    Document("the smallest document", GRAMMAR, _doc([statement()]), None),
    Document("one statement without a list", GRAMMAR, _doc(statement()), None),
    Document("an Id", GRAMMAR, _doc([statement()], Id="key-consolepolicy-2"), None),
    Document("an Id that is no string", GRAMMAR, _doc([statement()], Id=7), SYNTAX),
    Document("space around everything", GRAMMAR, f"\n\t {GOOD} \r\n", None),
    Document("no JSON", GRAMMAR, "Allow everything", SYNTAX),
    Document("nothing", GRAMMAR, "", SYNTAX),
    Document("a list", GRAMMAR, "[]", SYNTAX),
    Document("a string", GRAMMAR, '"policy"', SYNTAX),
    Document("no end", GRAMMAR, GOOD[:-1], SYNTAX),
    Document("something after the end", GRAMMAR, GOOD + "{}", SYNTAX),
    Document("a trailing comma", GRAMMAR, GOOD[:-1] + ",}", SYNTAX),
    Document("no colon", GRAMMAR, GOOD.replace('"Version":', '"Version"'), SYNTAX),
    Document("a name without quotes", GRAMMAR, GOOD.replace('"Version"', "Version"), SYNTAX),
    Document("no comma", GRAMMAR, GOOD.replace(",", " ", 1), SYNTAX),
    Document("a comment", GRAMMAR, "/* */" + GOOD, SYNTAX),
    Document("single quotes", GRAMMAR, GOOD.replace('"', "'"), SYNTAX),
    Document("NaN", GRAMMAR, GOOD.replace('"*"', "NaN"), "NaN is no value of JSON"),
    Document("Infinity", GRAMMAR, GOOD.replace('"*"', "-Infinity"), "-Infinity is no value"),
    Document("a number with a leading zero", GRAMMAR, GOOD.replace('"*"', "01"), SYNTAX),
    Document("a line break in a string", GRAMMAR, GOOD.replace("kms", "k\nms"), SYNTAX),
    Document("half a surrogate pair", GRAMMAR, GOOD.replace("kms", "\\ud800"), SYNTAX),
    Document("nesting without end", GRAMMAR, "[" * 20_000, "nested more than"),
    Document("an element that occurs twice", GRAMMAR,
             GOOD[:-1] + ', "Version": "2012-10-17"}', "Version occurs twice"),
    Document("an element of a statement that occurs twice", GRAMMAR,
             GOOD.replace('"Effect": "Allow"', '"Effect": "Deny", "Effect": "Allow"'),
             "Effect occurs twice"),
    Document("a condition key that occurs twice", GRAMMAR,
             GOOD.replace('"Resource"', '"Condition": {"Bool": {"a:b": true, "a:b": true}}, '
                          '"Resource"'), "a:b occurs twice"),
    Document("an operator that occurs twice", GRAMMAR,
             GOOD.replace('"Resource"', '"Condition": {"Bool": {}, "Bool": {}}, "Resource"'),
             "Bool occurs twice"),
    Document("a kind of principal that occurs twice", GRAMMAR,
             GOOD.replace('"AWS": "*"', '"AWS": "*", "AWS": "*"'), "AWS occurs twice"),
    Document("an unknown element", GRAMMAR, _doc([statement()], Statements=[]), "unknown element"),
    Document("names of elements have case", GRAMMAR, GOOD.replace("Version", "version"),
             "unknown element"),
    Document("no Statement", GRAMMAR, '{"Version": "2012-10-17"}', "a policy has a Statement"),
    Document("no statements", KEY_POLICIES, _doc([]), "at least one statement"),
    Document("a statement that is no object", GRAMMAR, _doc(["Allow"]), "a statement is an object"),
    Document("version 2008-10-17", VERSION, GOOD.replace("2012", "2008"), None),
    Document("another version", VERSION, GOOD.replace("2012-10-17", "2012-10-18"),
             "Policy document must be version 2012-10-17 or greater."),
    Document("a version that is no string", VERSION, GOOD.replace('"2012-10-17"', "2012"),
             "Policy document must be version"),
    Document("a document without version", VERSION, json.dumps({"Statement": [statement()]}), None),
]  # fmt: skip

ELEMENTS = [
    _key("a Sid with spaces", KEY_POLICIES, None, Sid="Enable IAM policies"),
    _key("a Sid that is no string", SID, SYNTAX, Sid=1),
    _key("no Effect", GRAMMAR, "a statement has an Effect", Effect=None),
    _key("another Effect", GRAMMAR, "Effect is Allow or Deny", Effect="allow"),
    _key("an unknown element of a statement", GRAMMAR, "unknown element", Principle="*"),
    _key("both Action and NotAction", GRAMMAR, "not both", NotAction="kms:Sign"),
    _key("both Resource and NotResource", GRAMMAR, "not both", NotResource="*"),
    _key("both Principal and NotPrincipal", GRAMMAR, "not both", NotPrincipal={"AWS": ALICE}),
    _key("a statement without Action is kept", KEY_POLICIES, None, Action=None),
    _key("a statement without Resource is kept", KEY_POLICIES, None, Resource=None),
    _key("an empty list of actions", GRAMMAR, "the list is empty", Action=[]),
    _key("an empty list of resources", GRAMMAR, "the list is empty", Resource=[]),
    _key("an action without its service", GRAMMAR, "must be prefaced by a vendor",
         Action="Decrypt"),
    _key("an action with two colons", GRAMMAR, "must be prefaced by a vendor",
         Action="kms:Decrypt:x"),
    _key("an action of another service", GRAMMAR, None, Action="s3:GetObject"),
    _key("an action that is no string", GRAMMAR, "cannot stand here", Action=7),
    _key("a list in a list of actions", GRAMMAR, "cannot stand here", Action=[["kms:*"]]),
    _key("a resource that is no ARN", RESOURCE, 'must be in ARN format or "*"', Resource="key/1"),
    _key("a variable in the account of a resource", VARIABLES, "after the fifth colon",
         Resource="arn:aws:kms:us-west-2:${aws:PrincipalAccount}:key/1"),
    _key("a variable in the account of a resource, after a wildcard", VARIABLES,
         "after the fifth colon", Resource="arn:aws:kms:*:${aws:PrincipalAccount}:key/1"),
    _key("a variable in the last field of a resource", VARIABLES, None,
         Resource="arn:aws:kms:us-west-2:111122223333:key/${aws:username}"),
    _key("a variable without a name", VARIABLES, "names no condition key",
         Resource="arn:aws:kms:us-west-2:111122223333:key/${}"),
]  # fmt: skip

PRINCIPAL_FORMS = [
    _key("everybody", PRINCIPAL, None, Principal="*"),
    _key("an account's ARN", PRINCIPAL, None, Principal={"AWS": ROOT}),
    _key("an account's digits", PRINCIPAL, None, Principal={"AWS": ACCOUNT}),
    _key("users and roles", PRINCIPAL, None, Principal={"AWS": [ALICE, ROLE]}),
    _key("a session", PRINCIPAL, None, Principal={"AWS": SESSION}),
    _key("a service", PRINCIPAL, None, Principal={"Service": "cloudtrail.amazonaws.com"}),
    _key("a user in a path", PRINCIPAL, None,
         Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:user/a/b/carol"}),
    _key("a user of another partition", PRINCIPAL, None,
         Principal={"AWS": f"arn:aws-cn:iam::{ACCOUNT}:user/carol"}),
    _key("no principal", KEY_POLICIES, "Policy contains a statement with no principal.",
         Principal=None),
    _key("a principal that is a string", PRINCIPAL, PRINCIPALS, Principal=ALICE),
    _key("an empty object of principals", PRINCIPAL, PRINCIPALS, Principal={}),
    _key("an empty list of principals", GRAMMAR, "the list is empty", Principal={"AWS": []}),
    _key("a name that is no ARN", PRINCIPAL, PRINCIPALS, Principal={"AWS": "alice"}),
    _key("eleven digits", PRINCIPAL, PRINCIPALS, Principal={"AWS": "11112222333"}),
    _key("a part of an ARN", PRINCIPAL, PRINCIPALS,
         Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:user/*"}),
    _key("all sessions of a role", PRINCIPAL, PRINCIPALS,
         Principal={"AWS": f"arn:aws:sts::{ACCOUNT}:assumed-role/app/*"}),
    _key("a group", PRINCIPAL, "groups are no principals",
         Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:group/admins"}),
    _key("the id of a principal that was deleted", PRINCIPAL, PRINCIPALS,
         Principal={"AWS": "AIDACKCEVSQ6C2EXAMPLE"}),
    _key("a federated provider", KEY_POLICIES, PRINCIPALS,
         Principal={"Federated": "accounts.google.com"}),
    _key("a federated provider of AWS", KEY_POLICIES, PRINCIPALS,
         Principal={"Federated": "cognito-identity.amazonaws.com"}),
    _key("a canonical user", KEY_POLICIES, PRINCIPALS, Principal={"CanonicalUser": "79a5"}),
    _key("every service", PRINCIPAL, PRINCIPALS, Principal={"Service": "*"}),
    _key("a service that is none", PRINCIPAL, PRINCIPALS, Principal={"Service": "example.com"}),
    _key("an ARN of another service", PRINCIPAL, PRINCIPALS,
         Principal={"AWS": "arn:aws:s3:::bucket"}),
    _key("a number as principal", PRINCIPAL, "cannot stand here",
         Principal={"AWS": 111122223333}),
    _key("a malformed NotPrincipal", PRINCIPAL, PRINCIPALS, Principal=None,
         NotPrincipal={"AWS": "alice"}),
]  # fmt: skip


def _if(rule: str, says: str | None, condition: Any, page: str = OPERATORS) -> Document:
    return _key(rule, page, says, Condition=condition)


CONDITIONS = [
    _if("a condition", None, {"StringEquals": {"kms:CallerAccount": ACCOUNT}}),
    _if("numbers and booleans as values", None,
        {"NumericLessThan": {"kms:ValidTo": 1.5e9}, "Bool": {"aws:SecureTransport": True}}),
    _if("an unknown operator", "Invalid Condition type : StringIs.",
        {"StringIs": {"kms:ViaService": "a"}}),
    _if("operators have case", "Invalid Condition type : stringequals.",
        {"stringequals": {"kms:ViaService": "a"}}),
    _if("an unknown set operator", "Invalid Condition type : ForSome:StringEquals.",
        {"ForSome:StringEquals": {"kms:ViaService": "a"}}),
    _if("Null has no IfExists", "Invalid Condition type : NullIfExists.",
        {"NullIfExists": {"kms:ViaService": "true"}}),
    _if("a condition that is no object", SYNTAX, ["StringEquals"]),
    _if("an operator's keys that are no object", SYNTAX, {"StringEquals": "a"}),
    _if("a key without a service", "is no condition key", {"StringEquals": {"ViaService": "a"}}),
    _if("an empty list of values", "the list is empty", {"StringEquals": {"kms:ViaService": []}}),
    _if("null as a value", "cannot stand here", {"StringEquals": {"kms:ViaService": None}}),
    _if("an object as a value", "cannot stand here", {"StringEquals": {"kms:ViaService": {}}}),
    _if("a number that is none", "'ten' is no number", {"NumericEquals": {"kms:ValidTo": "ten"}}),
    _if("a date that is none", "is no date", {"DateLessThan": {"aws:CurrentTime": "tomorrow"}}),
    _if("a date that no calendar has", SYNTAX, {"DateLessThan": {"aws:CurrentTime": "2026-02-30"}}),
    _if("the last zone there can be", None,
        {"DateLessThan": {"aws:CurrentTime": "2026-01-31T00:00+23:59"}}),
    _if("an hour that no zone has", "is no offset from UTC",
        {"DateLessThan": {"aws:CurrentTime": "2026-01-31T00:00+24:00"}}),
    _if("a minute that no zone has", "is no offset from UTC",
        {"DateLessThan": {"aws:CurrentTime": "2026-01-31T00:00+00:60"}}),
    _if("a wildcard in a date", "is no date", {"DateLessThan": {"aws:CurrentTime": "2026-*"}}),
    _if("a boolean that is none", "neither true nor false",
        {"Bool": {"aws:SecureTransport": "yes"}}),
    _if("a Null that is no boolean", "neither true nor false", {"Null": {"aws:username": "1"}}),
    _if("base64 that is none", "is no base64", {"BinaryEquals": {"aws:referer": "?"}}),
    _if("an address that is none", SYNTAX, {"IpAddress": {"aws:SourceIp": "203.0.113"}}),
    _if("a variable in a number", "is no number", {"NumericEquals": {"kms:ValidTo": "${aws:x}"}},
        VARIABLES),
    _if("a variable in a boolean", "neither true nor false",
        {"Bool": {"aws:SecureTransport": "${aws:x}"}}, VARIABLES),
    _if("ForAllValues with a pair of the context", "OverlyPermissiveCondition",
        {"ForAllValues:StringEquals": {"kms:EncryptionContext:Department": "IT"}}, KMS_KEYS),
    _if("ForAllValues with a tag of the request", "OverlyPermissiveCondition",
        {"ForAllValues:StringLike": {"aws:RequestTag/Dept": "IT"}}, KMS_KEYS),
    _if("ForAllValues with the keys of the context", None,
        {"ForAllValues:StringEquals": {"kms:EncryptionContextKeys": "Department"}}, KMS_KEYS),
    _if("ForAnyValue with a pair of the context", None,
        {"ForAnyValue:StringEquals": {"kms:EncryptionContext:Department": "IT"}}, KMS_KEYS),
    _if("a condition key that nobody knows", None, {"StringEquals": {"kms:Unheard": "a"}}, SETS),
]  # fmt: skip

IDENTITY = [
    _identity("an identity policy", GRAMMAR, None),
    _identity("a Principal in an identity policy", GRAMMAR,
              "Policy document should not specify a principal.", Principal={"AWS": ALICE}),
    _identity("a NotPrincipal in an identity policy", GRAMMAR,
              "Policy document should not specify a principal.", NotPrincipal={"AWS": ALICE}),
    _identity("no Action in an identity policy", GRAMMAR, "Policy statement must contain actions.",
              Action=None),
    _identity("no Resource in an identity policy", GRAMMAR,
              "Policy statement must contain resources.", Resource=None),
    _identity("a Sid of letters and digits", SID, None, Sid="Allow1"),
    _identity("a Sid with spaces in an identity policy", SID,
              "Statement IDs (SID) must be alpha-numeric.", Sid="Allow use"),
    Document("a Sid twice in an identity policy", SID,
             _doc([of_identity(Sid="a"), of_identity(Sid="a")]),
             "Statement IDs (SID) in a single policy must be unique.", identity=True),
    Document("an Id in an identity policy", GRAMMAR, _doc([of_identity()], Id="x"),
             "an identity policy has no Id", identity=True),
    Document("a context value beyond Latin-1 in an identity policy", GRAMMAR,
             _doc([of_identity(Condition={"StringEquals": {"kms:EncryptionContext:c": "town"}})])
             .replace("town", "Łódź"), None, identity=True),
]  # fmt: skip

DOCUMENTS = [*WHOLE, *ELEMENTS, *PRINCIPAL_FORMS, *CONDITIONS, *IDENTITY]
