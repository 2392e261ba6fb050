"""Fetching the pinned source distribution: by pip as the user has set it up, verified, and running nothing of it."""

import hashlib
import io
import ssl
import subprocess
import tarfile
import threading
from collections.abc import Iterator, Mapping
from http.server import HTTPServer, SimpleHTTPRequestHandler
from pathlib import Path

import pytest
from build_parts import run_parts

# self-signed, for 127.0.0.1, made by `openssl req -x509 -newkey ec -days 36500` for this test alone
CERTIFICATE = Path(__file__).with_name("self_signed.pem")
RAN = "import pathlib\npathlib.Path({!r}).write_text('ran')\n"


def distribution(folder: Path) -> dict[str, str]:
    """A source distribution of llama-cpp-python's form whose every file leaves a mark when it runs, and its pin."""
    mark = RAN.format(str(folder / "ran"))
    files = {
        "PKG-INFO": "Metadata-Version: 2.1\nName: toy-model\nVersion: 1.0\n",
        "setup.py": mark,
        "scikit_build_core/__init__.py": mark,
        "scikit_build_core/build.py": mark,
        "pyproject.toml": '[build-system]\nrequires = ["scikit-build-core[pyproject]>=0.9.2", "no-such-package"]\n'
        'build-backend = "scikit_build_core.build"\n[project]\nname = "toy_model"\ndynamic = ["version"]\n',
    }
    (folder / "index").mkdir()
    archive = folder / "index" / "toy_model-1.0.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        for name, text in files.items():
            entry = tarfile.TarInfo(f"toy_model-1.0/{name}")
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text.encode()))
    pin = hashlib.sha256(archive.read_bytes()).hexdigest()
    size = str(archive.stat().st_size)
    return {"UPSTREAM_NAME": "toy-model", "UPSTREAM_VERSION": "1.0", "UPSTREAM_SHA256": pin, "UPSTREAM_SIZE": size}


def fetch(
    folder: Path, pip: Mapping[str, str], pin: Mapping[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    """One fetch into folder/build by a pip that is told nothing else."""
    return run_parts(folder, "fetch_archive", {"PIP_CONFIG_FILE": "/dev/null", **pip}, pin or distribution(folder))


def fetched(folder: Path) -> Path:
    """Where the archive lies in the end."""
    return folder / "build" / "downloads" / "toy_model-1.0.tar.gz"


def test_nothing_of_the_package_is_run_to_fetch_it(tmp_path: Path) -> None:
    done = fetch(tmp_path, {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path / "index")})
    assert done.returncode == 0, done.stderr
    assert fetched(tmp_path).read_bytes() == (tmp_path / "index" / "toy_model-1.0.tar.gz").read_bytes()
    assert not (tmp_path / "ran").exists()


def test_what_pip_is_told_for_other_work_changes_nothing(tmp_path: Path) -> None:
    config = tmp_path / "pip.conf"
    config.write_text(f"[global]\nquiet = 2\nno-index = true\nfind-links = {tmp_path}/index\n[install]\nuser = true\n")
    other = {"PIP_TARGET": str(tmp_path / "t"), "PIP_USER": "1", "PIP_REQUIRE_HASHES": "1", "PIP_LOG": "/nowhere/log"}
    formats = {"PIP_NO_BINARY": ":all:", "PIP_ONLY_BINARY": ":all:"}
    done = fetch(tmp_path, {"PIP_CONFIG_FILE": str(config), **other, **formats})
    assert done.returncode == 0, done.stderr
    assert fetched(tmp_path).exists()


def test_another_archive_of_that_name_is_refused(tmp_path: Path) -> None:
    pin = distribution(tmp_path) | {"UPSTREAM_SHA256": "0" * 64}
    done = fetch(tmp_path, {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path / "index")}, pin)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 2
    assert "is not the pinned release, and is refused" in done.stderr
    assert not fetched(tmp_path).exists()
    assert not (tmp_path / "ran").exists()


def test_no_network_is_told_in_one_line_with_the_log(tmp_path: Path) -> None:
    done = fetch(tmp_path, {"PIP_INDEX_URL": "http://127.0.0.1:9/simple"})
    assert done.returncode == 1
    message = done.stderr.splitlines()[-1]
    assert "Connection refused" in message
    assert "check the network" in message
    assert str(tmp_path / "build" / "fetch.log") in message


@pytest.fixture
def https_index(tmp_path: Path) -> Iterator[str]:
    """An index whose certificate nobody has signed, on loopback."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    # a refused handshake closes the connection, of which the server need not speak
    server = HTTPServer(("127.0.0.1", 0), SimpleHTTPRequestHandler)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    # by name: pip 24.2 to 25.1 cannot speak TLS to an address, whoever signed it
    yield f"https://localhost:{server.server_port}/simple"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_certificate_that_is_not_trusted_is_told_as_one(tmp_path: Path, https_index: str) -> None:
    done = fetch(tmp_path, {"PIP_INDEX_URL": https_index})
    assert done.returncode == 1
    message = done.stderr.splitlines()[-1]
    assert "certificate verify failed: self" in message
    assert "PIP_CERT" in message
    assert "check the network" not in message
