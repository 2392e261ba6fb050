"""What negtemp is made of, and that it asks nobody for anything: hashes, a lock, a bill of materials, no network."""

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import tomllib
from pathlib import Path

import pytest
import sbom
from build_parts import ROOT
from packaging.requirements import Requirement
from serving import require_server
from test_cli import NEGTEMP

LOCK = ROOT / "scripts" / "dev.lock"
FACTS = {
    "version": "1+negtemp.0",
    "upstream": "1",
    "sha256": "0" * 64,
    "backend": "cpu",
    "flags": "-D",
    "compiler": "c++",
}


def locked() -> dict[str, list[tuple[str, list[str]]]]:
    """Versions and hashes by name; a package may stand there for several Pythons."""
    found: dict[str, list[tuple[str, list[str]]]] = {}
    for entry in re.split(r"\n(?=[a-z0-9])", LOCK.read_text(encoding="utf-8")):
        name, _, version = entry.partition("==")
        found.setdefault(name, []).append((version.split()[0], re.findall(r"--hash=(\S+)", entry)))
    return found


def normal(name: str) -> str:
    """A package's name as indexes write it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def test_every_package_that_ci_installs_is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    packages = locked()
    for text in (*project["dependencies"], *project["optional-dependencies"]["dev"]):
        requirement = Requirement(text)
        assert any(requirement.specifier.contains(version) for version, _ in packages[normal(requirement.name)]), text


def test_every_locked_package_has_hashes_and_no_index() -> None:
    text = LOCK.read_text(encoding="utf-8")
    assert "://" not in text and "index" not in text
    for name, entries in locked().items():
        for version, hashes in entries:
            assert hashes and all(re.fullmatch(r"sha256:[0-9a-f]{64}", one) for one in hashes), (name, version)


def test_the_bill_names_every_patch_with_its_hash() -> None:
    written = sbom.bill(FACTS, ROOT / "patches")["metadata"]["component"]["pedigree"]
    shown = {tuple(one["diff"]["text"]["content"].split()) for one in written["patches"]}
    patches = (ROOT / "patches").rglob("*.patch")
    assert shown == {(path.name, hashlib.sha256(path.read_bytes()).hexdigest()) for path in patches}
    assert written["ancestors"][0]["hashes"] == [{"alg": "SHA-256", "content": FACTS["sha256"]}]


def test_a_build_leaves_its_bill() -> None:
    """Each component once, as CycloneDX asks, and upstream's hash the pinned one."""
    path = ROOT / "build" / "sbom.cdx.json"
    if not path.exists():
        pytest.skip("not built here")
    document = json.loads(path.read_text(encoding="utf-8"))
    assert (document["bomFormat"], document["specVersion"]) == ("CycloneDX", "1.5")
    references = [component["bom-ref"] for component in document["components"]]
    assert len(references) == len(set(references)) and any(one.startswith("numpy@") for one in references)
    pinned = re.search(r"UPSTREAM_SHA256=(\w+)", (ROOT / "scripts" / "upstream.env").read_text(encoding="utf-8"))
    ancestor = document["metadata"]["component"]["pedigree"]["ancestors"][0]
    assert pinned and ancestor["hashes"][0]["content"] == pinned[1]


# what `unshare -rn` starts has a loopback that is down, and nothing else
NAMESPACE = ["unshare", "--map-root-user", "--net"]
COMMANDS = (
    ["run", "-n", "3"], ["compare", "-n", "3"], ["spectrum"], ["census"], ["centroid"], ["audit", "--no-verify"],
    ["repeat", "--ids", "300", "--samples", "1", "--controls", "1"], ["models"], ["doctor"],
    ["sweep", "--betas=-1,1", "-n", "2", "-o", "run"],
)  # fmt: skip


def require_namespace() -> None:
    """Skip where none can be made."""
    if shutil.which("unshare") is None or subprocess.run([*NAMESPACE, "true"], capture_output=True).returncode:
        pytest.skip("no network namespace can be made here")


def isolated(command: list[str], folder: Path) -> "subprocess.CompletedProcess[str]":
    """A command where there is no network at all."""
    require_namespace()
    environment = os.environ | {"XDG_CACHE_HOME": str(folder / "cache")}
    return subprocess.run([*NAMESPACE, *command], cwd=folder, env=environment, capture_output=True, text=True)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_no_command_needs_a_network(tmp_path: Path, command: list[str]) -> None:
    done = isolated([NEGTEMP, *command], tmp_path)
    assert done.returncode == 0, done.stderr
    # the namespace was one: its only interface is a loopback
    assert isolated(["cat", "/proc/net/dev"], tmp_path).stdout.count(":") == 1


def test_a_server_needs_the_loopback_alone(tmp_path: Path) -> None:
    require_server()
    if shutil.which("ip") is None:
        pytest.skip("nothing here can raise the loopback of a namespace")
    require_namespace()
    command = [*NAMESPACE, "sh", "-c", f"ip link set lo up && exec {NEGTEMP} serve --port 0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        ready = any("base_url" in line for line in process.stdout)
        process.send_signal(signal.SIGINT)
        said = process.communicate()[1]
    assert ready, said
