"""What a build consists of, as a bill of materials: CycloneDX 1.5 in JSON. Usage: sbom.py FILE PATCHES < facts

Facts are lines NAME=VALUE of upstream's release, our version, backend, flags and compiler. Components: upstream's source
distribution with its SHA-256 (llama.cpp lies in it), below it every patch with its own, and the packages of the
environment. It names no download location. Source: cyclonedx.org, specification 1.5.
"""

import hashlib
import importlib.metadata
import json
import platform
import sys
from pathlib import Path
from typing import Any


def bill(facts: dict[str, str], patches: Path) -> dict[str, Any]:
    """The document."""
    version = facts["version"]
    library = {
        "type": "library", "bom-ref": f"llama-cpp-python@{version}", "name": "llama-cpp-python", "version": version,
        "purl": f"pkg:pypi/llama-cpp-python@{version.partition('+')[0]}",
        "pedigree": {"ancestors": [upstream(facts)], "patches": list(map(patch, sorted(patches.rglob("*.patch"))))},
    }  # fmt: skip
    properties = [{"name": f"negtemp:{name}", "value": facts[name]} for name in ("backend", "flags", "compiler")]
    properties.append({"name": "negtemp:python", "value": platform.python_version()})
    return {
        "bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1,
        "metadata": {"component": library, "properties": properties},
        "components": packages(),
    }  # fmt: skip


def upstream(facts: dict[str, str]) -> dict[str, Any]:
    """The release that is patched, as its archive was verified."""
    return {
        "type": "library", "bom-ref": f"upstream@{facts['upstream']}", "name": "llama-cpp-python",
        "version": facts["upstream"], "purl": f"pkg:pypi/llama-cpp-python@{facts['upstream']}",
        "hashes": [{"alg": "SHA-256", "content": facts["sha256"]}],
        "description": "source distribution, with llama.cpp in vendor/llama.cpp",
    }  # fmt: skip


def patch(path: Path) -> dict[str, Any]:
    """One patch: its name and its hash as the text of its difference."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return {"type": "unofficial", "diff": {"text": {"contentType": "text/plain", "content": f"{path.name} {digest}"}}}


def packages() -> list[dict[str, Any]]:
    """What is installed beside it, by name."""
    found = {
        found.metadata["Name"].lower().replace("_", "-"): found.version
        for found in importlib.metadata.distributions()
        if found.metadata["Name"]
    }
    return [
        {"type": "library", "bom-ref": f"{name}@{version}", "name": name, "version": version,
         "purl": f"pkg:pypi/{name}@{version}"}
        for name, version in sorted(found.items()) if name != "llama-cpp-python"
    ]  # fmt: skip


def main() -> None:
    """Write the file."""
    facts = dict(line.rstrip("\n").split("=", 1) for line in sys.stdin if "=" in line)
    Path(sys.argv[1]).write_text(json.dumps(bill(facts, Path(sys.argv[2])), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
