"""Signatures, made and judged by ssh-keygen."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from builder.core.errors import PublishError, UsageError
from builder.core.events import discard
from builder.publish.directory import DirectoryTarget
from builder.publish.index import rebuild_channel
from builder.publish.move import deprecate, roll_back
from builder.publish.publish import set_up
from builder.publish.retain import Rules, prune
from builder.publish.sign import Signer, read_allowed
from builder.publish.verify import verify_catalog
from tests.unit.publish.catalogs import add, catalog


@pytest.fixture(autouse=True)
def _ssh(tool) -> None:
    tool("ssh-keygen")


def make_key(path: Path, kind: str = "ed25519") -> Signer:
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", "ci", "-f", str(path)], check=True)
    return Signer(key=path)


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    return make_key(tmp_path / "key")


@pytest.fixture
def target(tmp_path: Path, signer: Signer) -> DirectoryTarget:
    """A signed catalog with one version."""
    made = catalog(tmp_path / "catalog")
    set_up(made, lambda before: before.model_copy(update={"signed": True}) if before else pytest.fail())
    add(made, "1", folder=tmp_path, signer=signer)
    return made


def problems(target: DirectoryTarget, key: Path) -> list[str]:
    found = verify_catalog(target, (), read_allowed(key), discard, content=True)
    return [f"{problem.path}: {problem.message}" for problem in found]


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_a_stock_openssh_accepts_the_signatures(tmp_path: Path, kind: str):
    signer = make_key(tmp_path / kind, kind)
    add(catalog(tmp_path / "catalog"), "1", folder=tmp_path, signer=signer)
    allowed = tmp_path / "allowed"
    allowed.write_text(f"ci@example.com {signer.public_key()}\n")
    for name in ("SHA256SUMS", "catalog.json"):
        file = tmp_path / "catalog/stable" / name
        command = [
            "ssh-keygen",
            "-Y",
            "verify",
            "-f",
            str(allowed),
            "-I",
            "ci@example.com",
            "-n",
            "wsl-catalog",
        ]
        subprocess.run(
            [*command, "-s", f"{file}.sig"], input=file.read_bytes(), check=True, capture_output=True
        )
    assert problems(DirectoryTarget(tmp_path / "catalog"), allowed) == []


def test_another_rebuild_signs_nothing_anew(target: DirectoryTarget, signer: Signer, tmp_path: Path):
    assert problems(target, tmp_path / "key.pub") == []
    assert not rebuild_channel(target, "stable", signer)


def test_without_the_key_nothing_is_changed(target: DirectoryTarget, tmp_path: Path):
    before = {path: target.get(path) for path in target.list("")}
    for act in (
        lambda: add(target, "2", folder=tmp_path),
        lambda: roll_back(target, "dev", "stable", "", None),
        lambda: deprecate(target, "dev", "1", "stable", "", None, undo=False),
        lambda: prune(target, Rules(keep=1, grace=0), None),
        lambda: rebuild_channel(target, "stable", None),
    ):
        with pytest.raises(PublishError, match="the catalog is signed") as caught:
            act()
        assert "--sign KEY" in caught.value.fix
    assert {path: target.get(path) for path in target.list("")} == before


def test_changed_lists_and_foreign_keys_are_found(target: DirectoryTarget, signer: Signer, tmp_path: Path):
    other = make_key(tmp_path / "other")
    assert len(problems(target, tmp_path / "other.pub")) == 2
    data = target.get("stable/SHA256SUMS").replace(b"a", b"b")
    target.put_bytes("stable/SHA256SUMS", data)
    assert "stable/SHA256SUMS.sig: is no signature of that file by an allowed signer" in problems(
        target, tmp_path / "key.pub"
    )
    rebuild_channel(target, "stable", signer)
    assert problems(target, tmp_path / "key.pub") == []
    target.put_bytes("stable/catalog.json.sig", other.sign(target.get("stable/catalog.json")))
    rebuild_channel(target, "stable", signer)
    assert problems(target, tmp_path / "key.pub") == []


def test_who_gives_signatures_up_has_none_left(target: DirectoryTarget, tmp_path: Path):
    set_up(target, lambda before: before.model_copy(update={"signed": False}) if before else pytest.fail())
    rebuild_channel(target, "stable", None)
    assert not [path for path in target.list("stable/") if path.endswith(".sig")]
    assert "stable/SHA256SUMS: is not signed" in problems(target, tmp_path / "key.pub")


def test_a_key_that_cannot_sign_changes_no_list(target: DirectoryTarget, tmp_path: Path):
    lists = {path: target.get(path) for path in target.list("stable/")}
    (tmp_path / "broken").write_text("nothing\n")
    (tmp_path / "broken.pub").write_text((tmp_path / "key.pub").read_text())
    with pytest.raises(PublishError, match="cannot sign"):
        add(target, "2", folder=tmp_path, signer=Signer(key=tmp_path / "broken"))
    assert {path: target.get(path) for path in target.list("stable/")} == lists


def test_a_file_that_is_no_key_says_so(tmp_path: Path):
    (tmp_path / "key").write_text("nothing\n")
    with pytest.raises(PublishError, match="cannot sign"):
        Signer(key=tmp_path / "key").sign(b"")
    with pytest.raises(UsageError, match="holds no key"):
        Signer(key=tmp_path / "key").public_key()
    with pytest.raises(UsageError, match="neither a public key nor allowed signers"):
        read_allowed(tmp_path / "missing")
