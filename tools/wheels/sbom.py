"""The software bill of materials of a wheel: CycloneDX 1.7, kept in .dist-info/sboms (PEP 770).

Rules:
- what is in the wheel is a component with its hash or its licence; what is installed beside it is
  external, with the range of versions that the wheel asks for, and only as a dependency;
- nothing in it depends on when or where it was made: the time is that of the commit, the serial
  number follows from the contents.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
import uuid
from email.message import Message
from email.parser import Parser
from typing import Any

from archive import Members, dist_info, epoch

NAME = "kmsfast.cdx.json"
NATIVE = (".so", ".dylib", ".pyd")
# cffi writes the glue between C and Python into the extension: a copy of its templates.
GLUE = "cffi"
GLUE_LICENSE = "MIT-0"
_REQUIREMENT = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)\s*(?P<versions>[^;\[]*)")


def metadata(members: Members) -> Message:
    """METADATA of a wheel."""
    return Parser().parsestr(members[f"{dist_info(members)}/METADATA"].data.decode())


def purl(name: str, version: str = "") -> str:
    """The package URL of a project on PyPI."""
    plain = re.sub(r"[-_.]+", "-", name).lower()
    return f"pkg:pypi/{plain}" + (f"@{version}" if version else "")


def _native(members: Members) -> list[dict[str, Any]]:
    return [
        {
            "type": "file",
            "bom-ref": path,
            "name": path,
            "hashes": [
                {"alg": "SHA-256", "content": hashlib.sha256(members[path].data).hexdigest()}
            ],
        }
        for path in sorted(members)
        if path.endswith(NATIVE)
    ]


def _external(requirements: list[str]) -> list[dict[str, Any]]:
    found = []
    for requirement in requirements:
        match = _REQUIREMENT.match(requirement)
        if match is None:
            raise SystemExit(f"METADATA has a requirement that cannot be read: {requirement!r}")
        if "extra ==" in requirement:
            continue
        versions = match["versions"].strip().replace(" ", "")
        entry = {
            "type": "library",
            "bom-ref": purl(match["name"]),
            "name": match["name"],
            "purl": purl(match["name"]),
            "isExternal": True,
        }
        found.append(
            entry
            | ({"versionRange": f"vers:pypi/{versions.replace(',', '|')}"} if versions else {})
        )
    return sorted(found, key=lambda entry: str(entry["name"]))


def inventory(members: Members) -> dict[str, Any]:
    """What is in the wheel and beside it, and what needs what: nothing of it tells a time."""
    about = metadata(members)
    itself = purl(about["Name"], about["Version"])
    native = _native(members)
    glue = {
        "type": "library",
        "bom-ref": f"{GLUE}-glue",
        "name": GLUE,
        "description": "the generated glue between C and Python, compiled into the extension",
        "licenses": [{"license": {"id": GLUE_LICENSE}}],
    }
    external = _external(about.get_all("Requires-Dist", []))
    return {
        "components": [*native, glue, *external],
        "dependencies": [
            {"ref": itself, "dependsOn": [c["bom-ref"] for c in [*native, *external]]},
            *({"ref": c["bom-ref"], "dependsOn": [glue["bom-ref"]]} for c in native),
        ],
    }


def document(members: Members) -> dict[str, Any]:
    """The document for the files of a wheel that has none yet."""
    about = metadata(members)
    name, version = about["Name"], about["Version"]
    itself = purl(name, version)
    described = {
        "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(epoch())),
        "component": {
            "type": "library",
            "bom-ref": itself,
            "name": name,
            "version": version,
            "purl": itself,
            "licenses": [{"expression": about["License-Expression"]}],
        },
    }
    body: dict[str, Any] = {"metadata": described, **inventory(members)}
    serial = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(body, sort_keys=True))
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.7.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.7",
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
        **body,
    }


def encoded(members: Members) -> bytes:
    """The document as the file has it."""
    return (json.dumps(document(members), indent=2) + "\n").encode()


def path(members: Members) -> str:
    """Where the file is in the wheel."""
    return f"{dist_info(members)}/sboms/{NAME}"
