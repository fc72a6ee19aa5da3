"""Builds of a recipe that goes on from another one."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import require
from tests.e2e.conftest import ROOT, Wslimg
from tests.e2e.debian_archive import DATE, DAY, FakePackage
from tests.e2e.tiny import BUSYBOX, Place, open_place, tiny_packages

pytestmark = [pytest.mark.system, pytest.mark.usefixtures("root")]

CHILD = """\
schema: 1
name: child
version: "1"
source: {recipe: lower/base.yaml}
steps: [run: echo child >> /opt/order]
first_run: {mode: none}
wsl: {systemd: false}
"""
BASE_STEPS = "  - overlay: files\n  - run: echo base > /opt/order\n"


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """`child.yaml` on `lower/base.yaml`, which has an overlay and a run, on the tiny distribution."""
    require(BUSYBOX.exists(), "not installed: busybox-static (tests/install-tools installs it)")
    with open_place(tmp_path) as place:
        lower = tmp_path / "lower"
        (lower / "files/etc").mkdir(parents=True)
        (lower / "files/etc/motd").write_text("first\n")
        place.write("base", (), BASE_STEPS).rename(lower / "base.yaml")
        shutil.copy(tmp_path / "key.asc", lower)
        (tmp_path / "child.yaml").write_text(CHILD)
        yield place


def child(place: Place) -> Path:
    return Path("child.yaml")


def run(place: Place, *words: str | Path, status: int = 0) -> tuple[str, str]:
    """Standard output and error of a command in the folder of `place`."""
    with place.start(*words) as process:
        output, messages = process.communicate()
    assert process.returncode == status, messages
    return output, messages


def cached(place: Place, recipe: Path) -> list[tuple[str, bool]]:
    """Title of each operation, and whether its layer is there."""
    output, _ = run(place, "plan", recipe, "--format", "json", "--locked")
    return [(each["title"], each["cached"]) for each in json.loads(output)["operations"]]


def digest(folder: Path, name: str) -> str:
    (image,) = folder.glob(f"{name}_*.wsl")
    return hashlib.sha256(image.read_bytes()).hexdigest()


def test_the_image_is_that_of_one_recipe_with_all_the_steps(place: Place) -> None:
    place.build(child(place))
    text = (place.folder / "lower/base.yaml").read_text().replace("name: base", "name: child")
    flat = place.folder / "lower/flat.yaml"
    flat.write_text(text.replace(BASE_STEPS, f"{BASE_STEPS}  - run: echo child >> /opt/order\n"))
    run(place, "build", flat, "--out", "flat", "--no-cache")
    assert digest(place.folder / "flat", "child") == digest(place.dist, "child")


def test_what_was_built_of_the_base_is_not_built_again(place: Place) -> None:
    run(place, "build", "lower/base.yaml", "child.yaml", "--progress", "plain")
    layers = list((place.cache / "uid-0/layers").iterdir())
    # base, configured, overlay, run; of the base its settings; of the child its run and its settings
    assert len(layers) == 4 + 1 + 2


def test_a_changed_file_of_the_base_makes_everything_from_there_on_anew(place: Place) -> None:
    place.build(child(place))
    assert all(known for _, known in cached(place, child(place)))
    (place.folder / "lower/files/etc/motd").write_text("second\n")
    assert [known for _, known in cached(place, child(place))] == [True, True, False, False, False, False]
    before = digest(place.dist, "child")
    place.build(child(place), "--locked")
    assert digest(place.dist, "child") != before


def test_a_step_of_the_base_that_fails_is_named_where_the_base_has_it(place: Place) -> None:
    lower = place.folder / "lower/base.yaml"
    lower.write_text(lower.read_text().replace("echo base", "exit 3; echo base"))
    messages = place.build(child(place), status=4)
    assert "lower/base.yaml:7:5: run: exit 3" in messages, messages


def test_the_lock_holds_the_base_and_says_what_of_it_changed(place: Place) -> None:
    place.archive.publish_all([*tiny_packages(), FakePackage(name="greeting")])
    lower = place.folder / "lower/base.yaml"
    lower.write_text(lower.read_text().replace("steps:\n", "steps:\n  - packages: [greeting]\n"))
    run(place, "lock", "child.yaml")
    assert run(place, "lock", "child.yaml", "--check")[0] == "child.lock fits the recipe\n"
    assert not lower.with_suffix(".lock").exists()
    lower.write_text(lower.read_text().replace("[greeting]", "[greeting, busybox]"))
    _, messages = run(place, "build", "child.yaml", "--locked", status=3)
    assert "lower/base.yaml:6:5: steps[0].packages changed since the lock was made" in messages, messages


def test_a_base_that_is_locked_to_something_else_is_reported(place: Place) -> None:
    run(place, "lock", "lower/base.yaml")
    place.archive.publish_all(tiny_packages(), date=DATE + DAY)
    _, messages = run(place, "lock", "child.yaml")
    assert "child.yaml is locked to something else than lower/base.lock" in messages, messages
    _, messages = run(place, "lock", "lower/base.yaml")
    _, messages = run(place, "lock", "child.yaml", "--check")
    assert "locked to something else" not in messages, messages


def test_a_bundle_holds_the_base_and_builds_the_same_image(place: Place) -> None:
    place.build(child(place))
    run(place, "fetch", "child.yaml", "-o", "child.bundle")
    place.archive.files.clear()
    run(place, "build", "child.yaml", "--offline", "child.bundle", "--no-cache", "--out", "again")
    assert digest(place.folder / "again", "child") == digest(place.dist, "child")


def test_the_shipped_minimal_debian_is_a_base(wslimg: Wslimg, tmp_path: Path) -> None:
    shutil.copy(ROOT / "recipes/debian-minimal.yaml", tmp_path)
    base = (tmp_path / "debian-minimal.yaml").read_text()
    own = "  - run: install -d -m 2775 /srv/team\nfirst_run: none\nwsl: {systemd: false}\n"
    head = 'schema: 1\nname: team\nversion: "1"\n'
    (tmp_path / "child.yaml").write_text(f"{head}source: {{recipe: debian-minimal.yaml}}\nsteps:\n{own}")
    source = base[base.index("source:") : base.index("first_run:")].rstrip()
    (tmp_path / "flat.yaml").write_text(f"{head}{source}\n{own}")
    for name in ("child", "flat"):
        wslimg("build", f"{name}.yaml", "--out", name, "--arch", "amd64", cwd=tmp_path)
    assert digest(tmp_path / "child", "team") == digest(tmp_path / "flat", "team")
