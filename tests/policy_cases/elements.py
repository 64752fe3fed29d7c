"""Action, Resource, their Not forms, and policy variables."""

from __future__ import annotations

from typing import Any

from policy_cases import (
    ABAC_ALIASES,
    ACCOUNT,
    ACTION,
    ALIASES,
    ALICE,
    ALLOWED,
    DENIED,
    IAM_POLICIES,
    KEY,
    KEY_POLICIES,
    NOT_ACTION,
    NOT_ALLOWED,
    NOT_RESOURCE,
    PERMISSIONS,
    RESOURCE,
    ROOT,
    SESSION,
    VARIABLES,
    VERSION,
    Case,
    Row,
    of_identity,
    statement,
    values,
)

DELEGATING = [statement(Principal={"AWS": ROOT})]


def _action(wanted: object, action: str, want: str, rule: str, page: str = ACTION) -> Case:
    return Case(rule, page, want, [statement(Action=wanted)], request={"action": action})


ACTIONS = [
    _action("kms:Decrypt", "Decrypt", ALLOWED, "an action by its name"),
    _action("kms:Decrypt", "Encrypt", NOT_ALLOWED, "another action"),
    _action("KMS:decrypt", "Decrypt", ALLOWED, "actions have no case"),
    _action(["kms:Encrypt", "kms:Decrypt"], "Decrypt", ALLOWED, "any of several actions"),
    _action("kms:*", "ScheduleKeyDeletion", ALLOWED, "all actions of the service"),
    _action("*", "Decrypt", ALLOWED, "all actions"),
    _action("kms:GenerateDataKey*", "GenerateDataKeyPair", ALLOWED, "* at the end"),
    _action("kms:GenerateDataKey*", "GenerateMac", NOT_ALLOWED, "* at the end: no match"),
    _action("kms:*DataKey*", "GenerateDataKeyWithoutPlaintext", ALLOWED, "* at both ends"),
    _action("kms:ReEncrypt*", "ReEncryptFrom", ALLOWED, "ReEncrypt* covers the source"),
    _action("kms:ReEncrypt*", "ReEncryptTo", ALLOWED, "ReEncrypt* covers the destination"),
    _action("kms:ReEncryptTo", "ReEncryptFrom", NOT_ALLOWED, "source and destination are apart"),
    _action("kms:ReEncrypt", "ReEncryptFrom", NOT_ALLOWED, "ReEncrypt alone is no permission",
            PERMISSIONS),
    _action("kms:?ncrypt", "Encrypt", ALLOWED, "? is one character"),
    _action("kms:?ncrypt", "Decrypt", NOT_ALLOWED, "? is one character: no match"),
    _action("s3:*", "Decrypt", NOT_ALLOWED, "actions of another service"),
    _action("kms:Create*", "CreateGrant", ALLOWED, "Create* covers CreateGrant", KEY_POLICIES),
    _action("kms:Delete*", "ScheduleKeyDeletion", NOT_ALLOWED,
            "Delete* does not cover ScheduleKeyDeletion", KEY_POLICIES),
    Case("NotAction: every action but those", NOT_ACTION, ALLOWED,
         [statement(Action=None, NotAction="kms:Encrypt")]),
    Case("NotAction: not those", NOT_ACTION, NOT_ALLOWED,
         [statement(Action=None, NotAction="kms:Decrypt")]),
    Case("NotAction: several, with wildcards", NOT_ACTION, NOT_ALLOWED,
         [statement(Action=None, NotAction=["kms:Encrypt", "kms:De*"])]),
    Case("NotAction with Deny: everything but", NOT_ACTION, DENIED,
         [statement(), statement("Deny", Action=None, NotAction="kms:Encrypt")]),
    Case("NotAction with Deny: does not allow by itself", NOT_ACTION, NOT_ALLOWED,
         [statement("Deny", Action=None, NotAction="kms:Decrypt")]),
    Case("a key policy statement without Action never applies", KEY_POLICIES, NOT_ALLOWED,
         [statement(Action=None)]),
    Case("a Deny without Action never applies", KEY_POLICIES, ALLOWED,
         [statement(), statement("Deny", Action=None)]),
]  # fmt: skip

OTHER_KEY = KEY.replace("1234abcd", "0987dcba")


def _resource(wanted: object, want: str, rule: str, page: str = IAM_POLICIES) -> Case:
    return Case(rule, page, want, DELEGATING, [[of_identity(Resource=wanted)]])


ALIAS = f"arn:aws:kms:us-west-2:{ACCOUNT}:alias/finance"
LISTING = {"action": "ListKeys", "key": None}
RESOURCES = [
    _resource(KEY, ALLOWED, "a key by its ARN"),
    _resource(OTHER_KEY, NOT_ALLOWED, "another key's ARN"),
    _resource([OTHER_KEY, KEY], ALLOWED, "any of several keys"),
    _resource("*", ALLOWED, "every key"),
    _resource(f"arn:aws:kms:us-west-2:{ACCOUNT}:key/*", ALLOWED, "every key of a Region"),
    _resource(f"arn:aws:kms:*:{ACCOUNT}:key/*", ALLOWED, "every key of an account"),
    _resource("arn:aws:kms:*:444455556666:key/*", NOT_ALLOWED, "every key of another account"),
    _resource("arn:aws:kms:us-*:*:key/1234*", ALLOWED, "wildcards within fields", RESOURCE),
    _resource(KEY.replace("4", "?"), ALLOWED, "? is one character", RESOURCE),
    _resource("arn:aws:kms:*", ALLOWED, "* at the end of a field reaches further", RESOURCE),
    _resource(KEY.upper().replace("ARN:AWS:KMS", "arn:aws:kms"), NOT_ALLOWED,
              "ARNs have case", RESOURCE),
    _resource(f"arn:aws:kms:us-west-2:{ACCOUNT}:alias/*", NOT_ALLOWED,
              "an alias never stands for its key"),
    Case("an alias that the request named never stands for its key", ABAC_ALIASES, NOT_ALLOWED,
         DELEGATING, [[of_identity(Resource=ALIAS)]],
         request={"alias": "alias/finance", "key": {"arn": KEY, "aliases": ("alias/finance",)}}),
    Case("an alias ARN is for operations on the alias", ALIASES, ALLOWED, None,
         [[of_identity(Action="kms:CreateAlias", Resource=ALIAS)]],
         request={"action": "CreateAlias", "alias_arn": ALIAS, "key": None}),
    Case("operations on an alias need permission on the key as well", ALIASES, NOT_ALLOWED,
         DELEGATING, [[of_identity(Action="kms:CreateAlias", Resource=ALIAS)]],
         request={"action": "CreateAlias"}),
    Case("the key's side of an alias operation can be the key policy's", ALIASES, ALLOWED,
         [statement(Principal={"AWS": ALICE}, Action="kms:UpdateAlias")],
         request={"action": "UpdateAlias"}),
    Case("operations on no key need the resource *", IAM_POLICIES, ALLOWED, None,
         [[of_identity(Action="kms:ListKeys")]], request=LISTING),
    Case("operations on no key: an ARN does not do", IAM_POLICIES, NOT_ALLOWED, None,
         [[of_identity(Action="kms:ListKeys", Resource="arn:aws:kms:*:*:key/*")]],
         request=LISTING),
    Case("CreateKey is allowed by identity policies", IAM_POLICIES, ALLOWED, None,
         [[of_identity(Action="kms:CreateKey")]], request={"action": "CreateKey", "key": None}),
    Case("GenerateRandom without a policy", IAM_POLICIES, NOT_ALLOWED, None,
         request={"action": "GenerateRandom", "key": None}),
    Case("custom key stores follow identity policies", PERMISSIONS, ALLOWED, None,
         [[of_identity(Action="kms:*CustomKeyStore*")]],
         request={"action": "DescribeCustomKeyStores", "key": None}),
    Case("Resource * of a key policy is its key", KEY_POLICIES, ALLOWED, [statement()]),
    Case("a key policy that names its own key", KEY_POLICIES, ALLOWED, [statement(Resource=KEY)]),
    Case("a key policy that names another key", KEY_POLICIES, NOT_ALLOWED,
         [statement(Resource=OTHER_KEY)]),
    Case("a key policy statement without Resource never applies", KEY_POLICIES, NOT_ALLOWED,
         [statement(Resource=None)]),
    Case("NotResource: every key but that", NOT_RESOURCE, ALLOWED, DELEGATING,
         [[of_identity(Resource=None, NotResource=OTHER_KEY)]]),
    Case("NotResource: not that key", NOT_RESOURCE, NOT_ALLOWED, DELEGATING,
         [[of_identity(Resource=None, NotResource=KEY)]]),
    Case("NotResource: patterns", NOT_RESOURCE, NOT_ALLOWED, DELEGATING,
         [[of_identity(Resource=None, NotResource=["arn:aws:kms:*:*:key/*"])]]),
    Case("NotResource with Deny", NOT_RESOURCE, DENIED, DELEGATING,
         [[of_identity(), of_identity("Deny", Resource=None, NotResource=OTHER_KEY)]]),
    Case("NotResource * is nothing", NOT_RESOURCE, NOT_ALLOWED, DELEGATING,
         [[of_identity(Resource=None, NotResource="*")]]),
]  # fmt: skip

_FOR_ALICE = f"arn:aws:kms:us-west-2:{ACCOUNT}:key/${{aws:username}}"
VARIABLE_CASES = [
    Case("a variable in a resource", VARIABLES, ALLOWED, DELEGATING,
         [[of_identity(Resource=_FOR_ALICE)]],
         request={"key": {"arn": f"arn:aws:kms:us-west-2:{ACCOUNT}:key/alice"}}),
    Case("a variable in a resource: another value", VARIABLES, NOT_ALLOWED, DELEGATING,
         [[of_identity(Resource=_FOR_ALICE)]],
         request={"key": {"arn": f"arn:aws:kms:us-west-2:{ACCOUNT}:key/bob"}}),
    Case("a variable beside a wildcard in a resource", VARIABLES, ALLOWED, DELEGATING,
         [[of_identity(Resource=f"{_FOR_ALICE}-*")]],
         request={"key": {"arn": f"arn:aws:kms:us-west-2:{ACCOUNT}:key/alice-1"}}),
    Case("a variable without value: the statement does not allow", VARIABLES, NOT_ALLOWED,
         DELEGATING, [[of_identity(Resource=[_FOR_ALICE, "arn:aws:kms:*:*:key/*"])]],
         request={"principal": {"arn": SESSION}}),
    Case("a variable without value in NotResource: the statement does not allow", VARIABLES,
         NOT_ALLOWED, DELEGATING, [[of_identity(Resource=None, NotResource=_FOR_ALICE)]],
         request={"principal": {"arn": SESSION}}),
    Case("a variable without value in NotResource: the statement denies", VARIABLES,
         DENIED, DELEGATING,
         [[of_identity(), of_identity("Deny", Resource=None, NotResource=_FOR_ALICE)]],
         request={"principal": {"arn": SESSION}}),
]  # fmt: skip

TAG = {"principal": {"arn": ALICE, "tags": {"team": "blue"}}}


def _context(operator: str, wanted: str, found: str, match: bool, rule: str, **more: Any) -> Row:
    effects = more.pop("effects", ("Allow", "Deny"))
    version = more.pop("version", "2012-10-17")
    request = {"context": {"x": found}, **TAG, **more}
    condition = {operator: {"kms:EncryptionContext:x": wanted}}
    return Row(rule, VARIABLES, condition, request, match, effects, version=version)


NOBODY = {"principal": {"arn": SESSION}}
ROWS = [
    _context("StringEquals", "${aws:username}", "alice", True, "a variable in a condition"),
    _context("StringEquals", "${AWS:UserName}", "alice", True, "names of variables have no case"),
    _context("StringEquals", "u-${aws:username}!", "u-alice!", True, "text around a variable"),
    _context("StringEquals", "${aws:username}${aws:PrincipalTag/team}", "aliceblue", True,
             "two variables"),
    _context("StringLike", "${aws:PrincipalTag/team}/*", "blue/1", True,
             "a variable beside a wildcard"),
    _context("StringLike", "${aws:PrincipalTag/team}", "blue-1", False,
             "what replaces a variable has no wildcards",
             principal={"arn": ALICE, "tags": {"team": "blue*"}}),
    _context("StringLike", "${aws:PrincipalTag/team}", "blue*", True,
             "what replaces a variable is literal",
             principal={"arn": ALICE, "tags": {"team": "blue*"}}),
    _context("StringEqualsIgnoreCase", "${aws:username}", "ALICE", True,
             "variables with IgnoreCase"),
    _context("StringNotEquals", "${aws:username}", "alice", False, "variables with negation"),
    _context("ArnLike", "arn:aws:iam::*:user/${aws:username}", ALICE, True,
             "variables in Arn operators"),
    _context("StringEquals", "${aws:PrincipalTag/none, 'red'}", "red", True,
             "a default value for a variable"),
    _context("StringEquals", "${aws:PrincipalTag/team, 'red'}", "red", False,
             "a default value that is not needed"),
    _context("StringEquals", "${aws:PrincipalTag/none, ''}", "", True, "an empty default value",
             effects=("Allow",)),
    _context("StringLike", "a${*}b", "a*b", True, "${*} is an asterisk"),
    _context("StringLike", "a${*}b", "axb", False, "${*} is no wildcard"),
    _context("StringLike", "a${?}b", "a?b", True, "${?} is a question mark"),
    _context("StringLike", "a${?}b", "axb", False, "${?} is no wildcard"),
    _context("StringEquals", "${$}{aws:username}", "${aws:username}", True, "${$} is a dollar"),
    _context("StringEquals", "${aws:username}", "${aws:username}", True,
             "version 2008-10-17 has no variables", version="2008-10-17"),
    _context("StringEquals", "${aws:username}", "alice", False,
             "version 2008-10-17: they are text", version="2008-10-17"),
    _context("StringEquals", "${aws:username}", "alice", False,
             "without a version they are text", version=None),
    _context("StringLike", "${aws:username}*", "${aws:username}1", True,
             "without a version wildcards are still wildcards", version=None),
    _context("StringEquals", "${aws:username}", "alice", False,
             "a variable without value equals nothing", **NOBODY),
    _context("StringNotEquals", "${aws:username}", "alice", False,
             "a variable without value: a negated Allow does not apply", effects=("Allow",),
             **NOBODY),
    _context("StringNotEquals", "${aws:username}", "alice", True,
             "a variable without value: a negated Deny applies", effects=("Deny",), **NOBODY),
    _context("StringEquals", "${aws:TagKeys}", "a", False,
             "keys of several values are no variables", values={"aws:TagKeys": ["a", "b"]}),
    Row("IfExists with a variable: the key is not there", VARIABLES,
        {"StringEqualsIfExists": {"kms:EncryptionContext:x": "${aws:username}"}}, NOBODY, True),
    Row("a time as a variable", VARIABLES,
        {"StringLike": {"kms:EncryptionContext:day": "${aws:CurrentTime}"}},
        {"context": {"day": "2026-01-31T12:00:00Z"}}, True),
    Row("a variable of what the door knows", VARIABLES,
        {"StringEquals": {"kms:EncryptionContext:ip": "${aws:SourceIp}"}},
        {"context": {"ip": "10.0.0.1"}, **values(aws_SourceIp="10.0.0.1")}, True),
]  # fmt: skip

OLD = [
    Case("a document without version is read", VERSION, ALLOWED, [statement()], version=None),
    Case("a document of 2008-10-17 is read", VERSION, ALLOWED, [statement()],
         version="2008-10-17"),
]  # fmt: skip

CASES = [*ACTIONS, *RESOURCES, *VARIABLE_CASES, *OLD]
