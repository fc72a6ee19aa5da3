from __future__ import annotations

from pathlib import Path

import jsonschema
import pytest
import yaml

from builder.load.schema import recipe_schema

ROOT = Path(__file__).parents[3]
SCHEMA = recipe_schema()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
HEAD = {"schema": 1, "name": "bare", "version": 24.10, "source": {"debian": "trixie"}}


def test_the_schema_is_a_schema():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("path", sorted((ROOT / "recipes").glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_recipes_are_valid_as_editors_see_them(path):
    VALIDATOR.validate(yaml.safe_load(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    "part",
    [
        {"steps": [{"packages": ["git"]}, {"packages": {"install": ["git"], "recommends": True}}]},
        {"steps": [{"run": "id"}, {"run": {"script": "a.sh", "env": {"N": 1}}}, {"overlay": "rootfs/"}]},
        {"steps": [{"files": {"/etc/motd": {"content": "x", "mode": "0644"}}}, {"remove": ["/a"]}]},
        {"steps": [{"users": {"accounts": {"dev": {"uid": 1000}}}}], "first_run": "none"},
        {"wsl": {"conf": {"interop": {"enabled": False}, "gpu.enabled": True}}},
    ],
)
def test_every_form_of_a_recipe_is_valid(part):
    VALIDATOR.validate({**HEAD, **part})


@pytest.mark.parametrize(
    "part",
    [
        {"nmae": "x"},
        {"name": "Bare"},
        {"architectures": ["amd46"]},
        {"steps": [{"pacakges": ["git"]}]},
        {"steps": [{"run": "id", "remove": ["/a"]}]},
        {"steps": [{"users": {"accounts": {"Dev": {"uid": 1}}}}]},
        {"wsl": {"systemd": "yes"}},
    ],
)
def test_what_loading_refuses_the_editor_underlines(part):
    assert not VALIDATOR.is_valid({**HEAD, **part})
