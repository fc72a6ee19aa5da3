"""Writes down what an image is and where it came from."""

from __future__ import annotations

import json

from builder import __version__
from builder.core.digests import sha256_json
from builder.inspect.inventory import Taken
from builder.model.manifest import (
    CatalogEntry,
    Cleaned,
    ImageFile,
    Manifest,
    Origin,
    TestCase,
)
from builder.pack.settings import PackResult
from builder.pipeline.prepare import Prepared
from builder.plan import digest_recipe
from builder.recipe import Catalog, Recipe


def describe_image(
    prepared: Prepared, result: PackResult, inventory: Taken, cleaned: tuple[Cleaned, ...]
) -> Manifest:
    """The manifest of the image that `result` wrote."""
    recipe = prepared.recipe
    return Manifest(
        name=recipe.name,
        version=recipe.version,
        architecture=prepared.architecture,
        description=recipe.description or "",
        time=prepared.plan.time,
        image=_describe_file(prepared, result),
        origin=_describe_origin(prepared),
        entries=result.entries,
        packages=len(inventory.packages),
        systemd=recipe.wsl.systemd,
        default_user_id=None if recipe.first_run.mode == "none" else recipe.first_run.uid,
        catalog=None if recipe.catalog is None else _describe_catalog(recipe, recipe.catalog),
        tests=tuple(TestCase(user=test.user, run=test.run, network=test.network) for test in recipe.tests),
        cleaned=cleaned,
    )


def encode_manifest(manifest: Manifest) -> bytes:
    """The bytes of the manifest file: sorted keys, indented, ASCII."""
    data = manifest.model_dump(mode="json", by_alias=True, exclude_none=True)
    return json.dumps(data, indent=2, sort_keys=True).encode("ascii") + b"\n"


def _describe_file(prepared: Prepared, result: PackResult) -> ImageFile:
    return ImageFile(
        file=f"{prepared.stem}.wsl",
        size=result.size,
        sha256=result.sha256,
        tar_size=result.tar_size,
        tar_sha256=result.tar_sha256,
        compression=result.compressor,
    )


def _describe_origin(prepared: Prepared) -> Origin:
    return Origin(
        recipe=digest_recipe(prepared.recipe),
        lock=sha256_json(prepared.lock.model_dump(mode="json")),
        tree=prepared.plan.key,
        base=prepared.lock.facts.os_release.get("PRETTY_NAME", ""),
        tool=f"wslimg {__version__}",
    )


def _describe_catalog(recipe: Recipe, catalog: Catalog) -> CatalogEntry:
    details = catalog.model_dump(
        mode="json", include={"owner", "support", "end_of_life", "replaces", "changelog"}, exclude_none=True
    )
    return CatalogEntry(
        flavor=catalog.flavor,
        name=catalog.name or f"{catalog.flavor}-{recipe.version}",
        friendly_name=catalog.friendly_name,
        default=catalog.default,
        details=details,
    )
