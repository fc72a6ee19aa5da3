"""A real registry on loopback that dies with the test, and images pushed to it as they are."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

_CONFIG = """\
version: 0.1
log: {level: error}
storage:
  filesystem: {rootdirectory: ROOT}
  delete: {enabled: true}
http:
  addr: ADDRESS
"""


@contextmanager
def running_registry(folder: Path) -> Iterator[str]:
    """docker-registry with its data in `folder`; yields HOST:PORT."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    config = folder / "config.yml"
    config.write_text(_CONFIG.replace("ROOT", str(folder / "data")).replace("ADDRESS", address))
    # The kernel ends it even if this process is killed (prctl(2), PR_SET_PDEATHSIG).
    command = ["setpriv", "--pdeathsig", "KILL", "docker-registry", "serve", str(config)]
    with (folder / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            _wait(address, process)
            yield address
        finally:
            process.kill()


def _wait(address: str, process: subprocess.Popen[bytes]) -> None:
    for _ in range(200):
        assert process.poll() is None, "the registry ended"
        try:
            if _session().get(f"http://{address}/v2/", timeout=5).ok:
                return
        except requests.ConnectionError:
            time.sleep(0.02)
    raise AssertionError("the registry does not answer")


def push(address: str, repository: str, files: dict[str, bytes], tag: str, digest: str) -> None:
    """Push the image or index `digest`, with all that `files` (by digest) has of it, under `tag`."""
    base = f"http://{address}/v2/{repository}"
    data = files[digest]
    document = json.loads(data)
    for item in document.get("manifests", ()):
        inner = item["digest"].removeprefix("sha256:")
        push(address, repository, files, item["digest"], inner)
    for item in (*document.get("layers", ()), *([document["config"]] if "config" in document else ())):
        _push_blob(base, files[item["digest"].removeprefix("sha256:")], item["digest"])
    headers = {"Content-Type": document["mediaType"]}
    answer = _session().put(f"{base}/manifests/{tag}", data=data, headers=headers, timeout=30)
    assert answer.status_code == 201, answer.text


def _push_blob(base: str, data: bytes, digest: str) -> None:
    with _session() as session:
        place = session.post(f"{base}/blobs/uploads/", timeout=30).headers["Location"]
        mark = "&" if "?" in place else "?"
        headers = {"Content-Type": "application/octet-stream"}
        answer = session.put(f"{place}{mark}digest={digest}", data=data, headers=headers, timeout=60)
    assert answer.status_code == 201, answer.text


def _session() -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    return session
