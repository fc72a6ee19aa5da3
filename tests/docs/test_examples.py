"""Every YAML block of the documentation is what it looks like: a recipe, or a part of one, that loads.

A block that begins with `schema:` is a whole recipe, a list is one of steps, any other mapping is a part of
a recipe. Another language in YAML says so behind the fence: ```yaml github-workflow. A digest may end
in `...`.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

from builder.load.recipe import load_recipe
from tests.docs.documents import Block, blocks, pages

OTHER_LANGUAGES = {"ansible", "dsc", "github-workflow", "gitlab-ci", "policy", "winget"}
BLOCKS = [block for page in pages() for block in blocks(page)]
RECIPES = [block for block in BLOCKS if block.info == "yaml"]
BASE = {"schema": "1", "name": "example", "version": "1", "source": {"debian": "trixie"}}
BESIDE = {
    "base/recipe.yaml": json.dumps(BASE),
    "rootfs/bin/tool": "#!/bin/sh\n",
    "rootfs/var/state": "",
    "setup.sh": "#!/bin/sh -e\n",
    "tool.conf": "key = value\n",
    "issue.j2": "{{ name }} {{ version }}\n",
    "motd.j2": "{{ name }} {{ version }}\n",
    "keys/company.asc": "",
    "Dockerfile": "FROM debian:trixie\n",
    "app/docker/Dockerfile": "FROM debian:trixie\n",
    "base.tar": "",
    "rootfs.tar.xz": "",
    "build/oci/index.json": "{}",
    "build/rootfs/etc/passwd": "",
    "company-ca.crt": "",
    "icon.png": "",
    "terminal-profile.json": "{}\n",
    "policy.yaml": "{}\n",
    ".config/tool/token": "secret\n",
}
"""The files that examples name, relative to the recipe and to the home folder."""

_SHORT_DIGEST = re.compile(r"(sha256: ?)[0-9a-f]*\.\.\.")


@pytest.fixture
def beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with every file that the examples name."""
    for name, text in BESIDE.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def complete(text: str) -> str:
    """The recipe that `text` is, or is a part of."""
    text = _SHORT_DIGEST.sub(lambda found: found[1] + "0" * 64, text)
    part = yaml.load(text, Loader=yaml.BaseLoader)
    if isinstance(part, list):
        part = {"steps": part}
    if "schema" in part:
        return text
    # The part as it is written, line by line, so that what YAML makes of its scalars is tested too.
    base = "\n".join(f"{key}: {json.dumps(value)}" for key, value in BASE.items() if key not in part)
    return f"{base}\nsteps:\n{text}" if text.startswith("-") else f"{base}\n{text}"


@pytest.mark.parametrize("block", RECIPES, ids=str)
def test_a_recipe_of_the_documentation_loads(block: Block, beside: Path):
    recipe = beside / "example.yaml"
    recipe.write_text(complete(block.text), encoding="utf-8")
    load_recipe(recipe)


def test_yaml_that_is_no_recipe_names_its_language():
    infos = {block.info for block in BLOCKS if block.info.startswith(("yaml", "yml"))}
    assert infos <= {"yaml", *(f"yaml {language}" for language in OTHER_LANGUAGES)}


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.info == "yaml policy"], ids=str)
def test_a_policy_of_the_documentation_loads(block: Block, tmp_path: Path):
    from builder.pipeline.verify import load_policy

    policy = tmp_path / "policy.yaml"
    policy.write_text(block.text, encoding="utf-8")
    load_policy(policy)


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.info == "json"], ids=str)
def test_json_of_the_documentation_is_json(block: Block):
    json.loads(block.text)


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.info == "xml"], ids=str)
def test_xml_of_the_documentation_is_xml(block: Block):
    ElementTree.fromstring(block.text.encode())


def test_there_are_examples_to_load():
    assert len(RECIPES) > 10
