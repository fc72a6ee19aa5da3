"""`wslimg publish`: from images and what is known about them to a catalog, if they deserve it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import zstandard
from pydantic import ValidationError

from builder.check.options import CheckOptions
from builder.check.run import check_image
from builder.core.digests import sha256_file
from builder.core.errors import CheckError, PublishError, UsageError
from builder.core.events import Sink
from builder.inspect.inventory import decode_inventory
from builder.model.catalog import Publication, Settings, Sidecar, StoredFile
from builder.model.finding import Severity
from builder.model.manifest import Manifest
from builder.pipeline.stages import Timing, stage
from builder.pipeline.titles import Titles, describe_titles
from builder.pipeline.verify import load_policy
from builder.publish.layout import image_path, sidecar_path
from builder.publish.places import place_lists
from builder.publish.publish import Job, accept, publish, set_up, stamp
from builder.publish.sign import Signer
from builder.publish.split import SplitTarget
from builder.publish.target import Target
from builder.publish.upload import LocalFile

MANIFEST, INVENTORY = ".manifest.json", ".inventory.json.zst"
_OTHER_SIDECARS = ("spdx.json", "cdx.json", "intoto.jsonl")
_SHOWN = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class PublishOptions:
    """`base_url` is needed once for each catalog, `images_url` where that does not lead to the images; `now`
    in seconds since the epoch, for what expires."""

    channel: str
    titles: Titles
    now: int
    base_url: str = ""
    images_url: str = ""
    policy: Path | None = None
    signer: Signer | None = None


def publish_images(
    images: Sequence[Path], target: Target, options: PublishOptions, sink: Sink
) -> tuple[Publication, ...]:
    """Publish the files `images`, and return their entries. The manifest, inventory and SBOMs beside an image
    come along.

    Raises CheckError for an image that WSL or the policy refuses, UsageError for names that cannot be,
    PublishError; the catalog is then as it was.
    """
    timing = Timing()
    with stage("check", sink, timing):
        jobs = [_prepare(image, options) for image in images]
    with stage("publish", sink, timing) as running:
        set_up(target, lambda before: settle(before, options, target))
        accept(target, [job.publication for job in jobs], options.channel, options.signer)
        if options.signer:
            set_up(target, demand_signatures)
        new = publish(target, jobs, options.channel, options.signer, sink)
        running.detail = f"{len(new)} of {len(jobs)} were not there yet"
    return tuple(job.publication for job in jobs)


def demand_signatures(before: Settings | None) -> Settings:
    """The settings of a catalog that was signed once: it has to be from then on."""
    assert before is not None
    return before.model_copy(update={"signed": True})


def settle(before: Settings | None, options: PublishOptions, target: Target) -> Settings:
    """The settings of a catalog that is published to."""
    if before is None:
        if not options.base_url:
            raise PublishError(
                "there is no catalog, and no address to make one for",
                where=target.place,
                fix="give --base-url with the address under which Windows sees it",
            )
        return place_lists(Settings(base_url=options.base_url), target, options.images_url)
    if isinstance(target, SplitTarget) and not before.lists_at:
        raise PublishError(
            "the catalog has its lists beside the images",
            where=target.place,
            fix="leave --index-to out, or move them: wslimg catalog init TARGET --index-to LISTS",
        )
    _refuse_change(before.base_url, options.base_url, "--base-url", target.place)
    _refuse_change(before.images_url, options.images_url, "--images-url", target.place)
    return before


def _refuse_change(before: str, wanted: str, option: str, place: str) -> None:
    """Publishing changes no addresses."""
    if wanted and wanted.rstrip("/") != before.rstrip("/"):
        raise PublishError(
            f"the catalog is for {before or 'images beside its lists'}, not for {wanted}",
            where=place,
            fix=f"leave {option} out, or change the catalog: wslimg catalog init TARGET {option} URL",
        )


def _prepare(image: Path, options: PublishOptions) -> Job:
    """The job for one image that deserves it."""
    manifest = read_manifest(image)
    sha256 = _compare(image, manifest)
    bare = describe_titles(image, manifest, options.titles)
    _refuse_findings(image, bare.architecture, options)
    names = (bare.flavor, bare.version, bare.architecture)
    stored = StoredFile(path=image_path(*names, sha256), size=image.stat().st_size, sha256=sha256)
    sidecars = tuple(_sidecars(image, sha256, names))
    publication = bare.model_copy(update={"image": stored, "sidecars": tuple(side for _, side in sidecars)})
    files = [LocalFile(source=path, stored=side) for path, side in sidecars]
    return Job(publication=stamp(publication), files=(LocalFile(source=image, stored=stored), *files))


def read_manifest(image: Path) -> Manifest | None:
    """The manifest beside `image`, None if there is none. Raises UsageError for one that is damaged."""
    path = _beside(image, MANIFEST)
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as error:
        raise UsageError(
            f"is no manifest: {error.errors()[0]['msg']}", where=str(path), fix="build the image again"
        ) from None


def _compare(image: Path, manifest: Manifest | None) -> str:
    """The digest of `image`. Raises UsageError if it cannot be read, PublishError unless it is the image that
    the manifest describes."""
    try:
        sha256 = sha256_file(image)
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror}", where=str(image)) from None
    if manifest and manifest.image.sha256 != sha256:
        raise PublishError(
            f"has sha256 {sha256}, its manifest says {manifest.image.sha256}",
            where=str(image),
            fix=f"build it again, or remove {_beside(image, MANIFEST)} and give --flavor and --version",
        )
    return sha256


def _refuse_findings(image: Path, architecture: str, options: PublishOptions) -> None:
    """Raise CheckError, with the first few findings, if WSL or the policy refuses the image."""
    policy = load_policy(options.policy) if options.policy else None
    report = check_image(image, CheckOptions(architecture=architecture, policy=policy, now=options.now))
    errors = [one for one in report.findings if one.severity is Severity.ERROR]
    if errors:
        lines = [f"\n  {one.rule} {one.path}: {one.message}" for one in errors[:_SHOWN]]
        raise CheckError(
            f"has {len(errors)} error{'s' if len(errors) > 1 else ''} and is not published{''.join(lines)}",
            where=str(image),
            fix=f"see `wslimg check {image}`",
        )


def _sidecars(image: Path, sha256: str, names: tuple[str, str, str]) -> Iterator[tuple[Path, Sidecar]]:
    """The files beside `image` that tell about it. Raises PublishError for the inventory of another image."""
    kinds = {"manifest": MANIFEST, "inventory": INVENTORY} | {kind: f".{kind}" for kind in _OTHER_SIDECARS}
    for kind, suffix in kinds.items():
        path = _beside(image, suffix)
        if path.is_file():
            if kind == "inventory":
                _compare_inventory(path, sha256)
            digest = sha256_file(path)
            yield (
                path,
                Sidecar(
                    kind=kind,
                    path=sidecar_path(*names, kind, digest),
                    size=path.stat().st_size,
                    sha256=digest,
                ),
            )


def _compare_inventory(path: Path, sha256: str) -> None:
    try:
        found = decode_inventory(path.read_bytes()).image_sha256
    except (ValidationError, zstandard.ZstdError):
        found = "nothing"
    if found != sha256:
        raise PublishError(
            f"describes {found}, the image beside it has sha256 {sha256}",
            where=str(path),
            fix="build the image again, or remove the file",
        )


def _beside(image: Path, suffix: str) -> Path:
    return image.with_name(image.name.removesuffix(".wsl") + suffix)
