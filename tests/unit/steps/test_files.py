from __future__ import annotations

from pathlib import Path

from builder.model.entry import Kind
from builder.model.operation import PutEntry
from builder.steps.files import Files

from .context import context


def plan(folder: Path, entries: dict[str, object]) -> dict[str, PutEntry]:
    step = Files.model_validate(entries)
    (put,) = step.operations(context(), step.read_inputs(folder))
    return {entry.path: entry for entry in put.entries}


def test_content_links_and_folders_come_in_the_order_of_their_paths(tmp_path):
    entries = plan(
        tmp_path,
        {
            "/srv/data": {"directory": "true", "mode": "2775", "owner": "0:50"},
            "/etc/motd": {"content": "hi\n"},
            "/bin/vi": {"link": "/usr/bin/vim"},
        },
    )
    assert list(entries) == ["/bin/vi", "/etc/motd", "/srv/data"]
    assert (entries["/bin/vi"].kind, entries["/bin/vi"].target) == (Kind.SYMLINK, "/usr/bin/vim")
    assert (entries["/etc/motd"].mode, entries["/etc/motd"].content.data) == (0o644, b"hi\n")
    assert (entries["/srv/data"].mode, entries["/srv/data"].gid) == (0o2775, 50)


def test_a_template_knows_the_image_and_its_distribution(tmp_path):
    (tmp_path / "issue.j2").write_text("{{ name }} {{ version }} on {{ codename }} {{ architecture }}\n")
    entries = plan(tmp_path, {"/etc/issue": {"template": "issue.j2", "mode": "0600"}})
    assert entries["/etc/issue"].content.data == b"bare 1 on trixie amd64\n"
    assert entries["/etc/issue"].mode == 0o600


def test_a_file_is_shipped_as_it_is_without_its_mode(tmp_path):
    (tmp_path / "raw").write_bytes(b"{{ not a template }}\r\n")
    (tmp_path / "raw").chmod(0o777)
    entries = plan(tmp_path, {"/etc/raw": {"file": "raw"}})
    content = entries["/etc/raw"].content
    assert (entries["/etc/raw"].mode, content.size, content.path) == (0o644, 22, tmp_path / "raw")


def test_an_empty_content_is_an_empty_file(tmp_path):
    assert plan(tmp_path, {"/etc/empty": {"content": ""}})["/etc/empty"].content.size == 0
