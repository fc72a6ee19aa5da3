"""Images in files, what their containers would get, and the recipe's words for them."""

from __future__ import annotations

import gzip
import json
import subprocess
import tarfile
from pathlib import Path

import pytest
from pydantic import ValidationError

from builder.core.blobs import Blobs
from builder.core.errors import ResolveError
from builder.model.entry import Entry, Kind
from builder.model.lock import ArchitectureLock, ImageConfig, ImageSource
from builder.model.operation import Put
from builder.pack.memory import with_content
from builder.sources.image import (
    Image,
    fetch_image,
    image_entries,
    image_inputs,
    image_remarks,
    resolve_image,
)
from builder.sources.oci.flatten import Tree
from builder.sources.oci.settings import describe_left_behind, find_user, image_operations
from builder.sources.source import Supply

from .oci.layers import file, folder, make_tar
from .oci.registries import MANIFEST, Content, sha256

LOWER = make_tar([folder("etc"), file("etc/os-release", b"ID=debian\n"), file("x", b"1")])
UPPER = make_tar([file(".wh.x"), file("y", b"2")])


def write_layout(path: Path, content: Content, *names: str) -> Path:
    (path / "blobs/sha256").mkdir(parents=True)
    for digest, data in content.files.items():
        (path / "blobs/sha256" / digest).write_bytes(data)
    (path / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    items = [
        content.describe(
            content.tags[name], MANIFEST, annotations={"org.opencontainers.image.ref.name": name}
        )
        for name in names
    ]
    (path / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": items}))
    return path


def pack_folder(folder: Path, target: Path) -> Path:
    with tarfile.open(target, "w") as archive:
        archive.add(folder, ".")
    return target


def write_saved(
    path: Path, *, names: tuple[str, ...] = ("team/base:v1",), layers: tuple[bytes, ...] = (LOWER, UPPER)
) -> Path:
    """What `docker save` of old engines writes: an equal layer is a link, and the manifest comes last."""
    path.mkdir()
    diff_ids = [f"sha256:{sha256(layer)}" for layer in layers]
    config = json.dumps({"os": "linux", "architecture": "amd64", "rootfs": {"diff_ids": diff_ids}}).encode()
    (path / f"{sha256(config)}.json").write_bytes(config)
    for number, layer in enumerate(layers):
        (path / str(number)).mkdir()
        (path / f"{sha256(layer)}.tar").write_bytes(layer)
        (path / str(number) / "layer.tar").symlink_to(f"../{sha256(layer)}.tar")
    files = [f"{number}/layer.tar" for number in range(len(layers))]
    item = {"Config": f"{sha256(config)}.json", "Layers": files}
    (path / "manifest.json").write_text(json.dumps([{**item, "RepoTags": [name]} for name in names]))
    return pack_folder(path, path.with_suffix(".tar"))


def supply(tmp_path: Path) -> Supply:
    return Supply(blobs=Blobs(tmp_path / "blobs"), folder=tmp_path)


def names(source: object, tmp_path: Path) -> list[bytes]:
    assert isinstance(source, ImageSource)
    return [entry.path for entry in image_entries(source, "amd64", Blobs(tmp_path / "blobs"))]


@pytest.fixture
def content() -> Content:
    made = Content()
    made.image(LOWER, UPPER, tag="v1")
    return made


def test_a_layout_and_its_archive_are_the_same_image(content: Content, tmp_path: Path) -> None:
    write_layout(tmp_path / "oci", content, "v1")
    pack_folder(tmp_path / "oci", tmp_path / "oci.tar")
    (tmp_path / "oci.tar.gz").write_bytes(gzip.compress((tmp_path / "oci.tar").read_bytes()))
    locks = [
        resolve_image(Image.model_validate(source), "amd64", (), supply(tmp_path))
        for source in ({"layout": "oci"}, {"archive": "oci.tar"}, {"archive": "oci.tar.gz"})
    ]
    assert {lock.source.manifest for lock in locks} == {content.tags["v1"]}  # type: ignore[union-attr]
    assert len({image_inputs(lock.source, "amd64") for lock in locks}) == 1  # type: ignore[arg-type]
    assert names(locks[0].source, tmp_path) == [b"etc", b"etc/os-release", b"y"]


def test_what_docker_save_writes_is_an_image(tmp_path: Path) -> None:
    write_saved(tmp_path / "saved")
    lock = resolve_image(Image(archive=Path("saved.tar")), "amd64", (), supply(tmp_path))
    assert names(lock.source, tmp_path) == [b"etc", b"etc/os-release", b"y"]
    assert lock.time == 1_700_000_000
    other = Supply(blobs=Blobs(tmp_path / "elsewhere"), folder=tmp_path)
    fetch_image(Image(archive=Path("saved.tar")), lock, other)
    assert all(other.blobs.has(layer.sha256, layer.size) for layer in lock.source.layers)  # type: ignore[union-attr]


def test_an_image_that_was_replaced_does_not_fit_its_lock(tmp_path: Path) -> None:
    write_saved(tmp_path / "saved")
    image = Image(archive=Path("saved.tar"))
    lock = resolve_image(image, "amd64", (), supply(tmp_path))
    write_saved(tmp_path / "new", layers=(LOWER,)).replace(tmp_path / "saved.tar")
    with pytest.raises(ResolveError, match="which the lock names, is not in it any more"):
        fetch_image(image, lock, Supply(blobs=Blobs(tmp_path / "elsewhere"), folder=tmp_path))


def test_one_of_several_images_is_chosen_by_name(content: Content, tmp_path: Path) -> None:
    content.image(LOWER, tag="v2")
    write_layout(tmp_path / "oci", content, "v1", "v2")
    chosen = resolve_image(Image(layout=Path("oci"), name="v2"), "amd64", (), supply(tmp_path))
    assert names(chosen.source, tmp_path) == [b"etc", b"etc/os-release", b"x"]
    with pytest.raises(ResolveError, match="holds 2 images, expected one; it has v1, v2") as caught:
        resolve_image(Image(layout=Path("oci")), "amd64", (), supply(tmp_path))
    assert "choose one with `name`" in str(caught.value)
    write_saved(tmp_path / "saved", names=("team/base:v1", "team/other:v1"))
    saved = Image(archive=Path("saved.tar"), name="base:v1")
    assert resolve_image(saved, "amd64", (), supply(tmp_path)).facts.family == "debian"
    with pytest.raises(ResolveError, match="holds 0 images called v3"):
        resolve_image(Image(archive=Path("saved.tar"), name="v3"), "amd64", (), supply(tmp_path))


def test_a_damaged_layout_is_refused(content: Content, tmp_path: Path) -> None:
    layout = write_layout(tmp_path / "oci", content, "v1")
    manifest = layout / "blobs/sha256" / content.tags["v1"]
    layer = json.loads(manifest.read_bytes())["layers"][0]["digest"].removeprefix("sha256:")
    blob = layout / "blobs/sha256" / layer
    blob.write_bytes(blob.read_bytes()[:-8] + bytes(8))
    with pytest.raises(ResolveError, match=layer):
        resolve_image(Image(layout=Path("oci")), "amd64", (), supply(tmp_path))
    blob.unlink()
    with pytest.raises(ResolveError, match=f"oci: lacks blobs/sha256/{layer}"):
        resolve_image(Image(layout=Path("oci")), "amd64", (), supply(tmp_path))
    manifest.write_bytes(b"{}")
    with pytest.raises(ResolveError, match="has another content in it"):
        resolve_image(Image(layout=Path("oci")), "amd64", (), supply(tmp_path))


def test_a_folder_that_is_no_image_says_what_to_write(tmp_path: Path) -> None:
    with pytest.raises(ResolveError) as caught:
        resolve_image(Image(layout=Path()), "amd64", (), supply(tmp_path))
    assert "holds no image: it has neither index.json nor manifest.json" in str(caught.value)
    assert "write `archive: FILE`" in str(caught.value)


CONFIG = {
    "User": "app",
    "Cmd": ["serve", "it all"],
    "ExposedPorts": {"80/tcp": {}},
    "Env": ["LANG=C", "A=1"],
}


def test_what_is_not_carried_over_is_told_of_every_lock(tmp_path: Path) -> None:
    content = Content()
    content.image(LOWER, config=CONFIG, tag="v1")
    write_layout(tmp_path / "oci", content, "v1")
    lock = resolve_image(Image(layout=Path("oci")), "amd64", (), supply(tmp_path))
    assert image_remarks(ArchitectureLock.model_validate_json(lock.model_dump_json())) == (
        "ENV LANG is not kept: the recipe decides it: wsl.locale",
        "USER app has no effect: there is no such account; add one with `users` and name it in "
        "wsl.default_user",
        "CMD serve 'it all' has no effect: start it with wsl.boot_command or a systemd unit",
        "EXPOSE 80/tcp has no effect: WSL forwards ports by itself",
    )


@pytest.mark.parametrize(
    ("user", "found"),
    [
        ("app", "app"),
        ("app:staff", "app"),
        ("1000", "app"),
        ("1000:50", "app"),
        ("", ""),
        ("0:0", ""),
        ("root", ""),
        ("admin", ""),
        ("77", ""),
        ("Odd", ""),
    ],
)
def test_user_is_looked_up_in_the_image(user: str, found: str) -> None:
    tree = Tree()
    data = b"root:x:0:0::/root:\nadmin:x:0:0::/:\napp:x:1000:50::/:/bin/sh\nOdd:x:5:5::/:\nbad\n"
    tree.apply([with_content(Entry(b"etc/passwd", Kind.FILE, 0o644), data)], "here")
    assert find_user(ImageConfig(user=user), tree) == found


def profile(*env: str) -> str:
    [put] = image_operations(ImageConfig(env=env))
    assert isinstance(put, Put)
    [entry] = put.entries
    assert entry.content is not None
    assert entry.content.data is not None
    assert (entry.path, entry.mode) == ("/etc/profile.d/00-image-env.sh", 0o644)
    return entry.content.data.decode()


def source(script: str, path: str, show: str) -> str:
    done = subprocess.run(
        ["/bin/sh", "-euc", f"{script}\n{show}"], env={"PATH": path}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_variables_reach_the_shell_as_they_are() -> None:
    value = 'it\'s $HOME `id` "x" \\ \n*'
    assert (
        source(profile(f"A={value}", "B=", "C=x=y"), "/bin", 'printf "%s|%s|%s" "$A" "$B" "$C"')
        == f"{value}||x=y"
    )


def test_folders_of_the_image_come_before_the_path_that_is_there() -> None:
    script = profile("PATH=/opt/it's:/go/bin:/usr/local/bin:/usr/bin:/bin::relative")
    once = source(script, "/usr/bin:/mnt/c/Windows", 'printf %s "$PATH"')
    assert once == "/opt/it's:/go/bin:/usr/bin:/mnt/c/Windows"
    assert source(script + script, "/usr/bin", 'printf %s "$PATH"') == "/opt/it's:/go/bin:/usr/bin"


def test_an_image_without_variables_of_its_own_gets_no_file() -> None:
    assert image_operations(ImageConfig(env=("PATH=/usr/bin:/bin", "HOME=/root", "container=oci"))) == ()


def test_variables_that_sessions_or_the_recipe_decide_are_told() -> None:
    env = ("HOME=/x", "LC_ALL=C", "container=podman", "a.b=1")
    told = describe_left_behind(ImageConfig(env=env, healthcheck=("NONE",), user="root", working_dir="/"))
    assert told == (
        "ENV HOME is not kept: sessions have their own",
        "ENV LC_ALL is not kept: the recipe decides it: wsl.locale",
        "ENV container is not kept: it would make programs believe they run in a container",
        "ENV a.b is not kept: no shell can hold it",
    )


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("Debian", "Debian is no name of an image"),
        (
            {"layout": "a", "archive": "b"},
            "has layout and archive of reference, layout and archive, expected one",
        ),
        ({}, "has none of reference, layout and archive, expected one"),
        ({"layout": "a", "mirror": "b"}, "mirror has no meaning with layout"),
        ({"reference": "a", "name": "b"}, "name has no meaning with reference"),
        ({"reference": "a", "platform": "windows/amd64"}, "a platform such as linux/arm64/v8"),
    ],
)
def test_a_recipe_that_makes_no_sense_is_refused(value: object, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Image.model_validate(value)


def test_a_platform_of_another_architecture_is_refused(tmp_path: Path, content: Content) -> None:
    write_layout(tmp_path / "oci", content, "v1")
    image = Image(layout=Path("oci"), platform="linux/arm64/v8")
    with pytest.raises(ResolveError, match="the source is for linux/arm64/v8, the image is to be for amd64"):
        resolve_image(image, "amd64", (), supply(tmp_path))
