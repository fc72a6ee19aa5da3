from __future__ import annotations

import hashlib

import pytest

from builder.extraction.nature import Look
from builder.extraction.tree import Nature
from builder.inspect.files import File, Seen, read_files
from builder.inspect.inventory import decode_inventory, encode_inventory, take_inventory
from builder.model.entry import Entry, Identity, Kind
from builder.model.manifest import Inventory, InventoryEntry
from builder.pack.memory import with_content

STATUS = b"Package: bash\nStatus: install ok installed\nVersion: 5.2\nArchitecture: amd64\n\n"
CAPABILITY = bytes.fromhex("0100000200200000000000000000000000000000")


def file(path: bytes, data: bytes, **fields: object) -> Entry:
    return with_content(Entry(path=path, kind=Kind.FILE, mode=0o644), data)._replace(**fields)


TREE = (
    Entry(path=b"bin", kind=Kind.SYMLINK, mode=0o777, target=b"usr/\xc3\xa4\xff\"\n"),
    Entry(path=b"dev/sda", kind=Kind.BLOCK, mode=0o660, gid=6, device=(8, 0)),
    Entry(path=b"dev/tty", kind=Kind.CHAR, mode=0o620, device=(5, 0)),
    file(b"sbin/ping", b"ping", mode=0o4755, xattrs=((b"security.capability", CAPABILITY),), mtime=2**40),
    Entry(path=b"sbin/ping6", kind=Kind.HARDLINK, mode=0o4755, target=b"sbin/ping"),
    Entry(path=b"tmp", kind=Kind.DIRECTORY, mode=0o1777, uid=2**31, mtime=-7),
    Entry(path=b"run/queue", kind=Kind.FIFO, mode=0),
    file(b"var/lib/dpkg/status", STATUS),
    file(b"var/\xf0\x9f\x90\xa7 \xff", b"", uid=1000),
)  # fmt: skip


def taken(tmp_path):
    files = read_files(TREE, tmp_path)
    return take_inventory(TREE, files, image_sha256="0" * 64, time=10**9)


def test_the_file_is_what_the_model_writes(tmp_path):
    data = taken(tmp_path).data
    inventory = decode_inventory(data)
    assert encode_inventory(inventory) == data
    assert len(inventory.entries) == len(TREE)
    assert inventory.image_sha256 == "0" * 64


def test_each_entry_is_described(tmp_path):
    entries = {entry.path: entry for entry in decode_inventory(taken(tmp_path).data).entries}
    assert entries["sbin/ping"] == InventoryEntry(
        path="sbin/ping",
        kind="file",
        mode="4755",
        uid=0,
        gid=0,
        size=4,
        mtime=10**9,
        sha256=hashlib.sha256(b"ping").hexdigest(),
        capabilities=CAPABILITY.hex(),
    )
    assert entries["bin"].target == 'usr/ä\\xff"\n'
    assert (entries["tmp"].uid, entries["tmp"].mtime) == (2**31, -7)
    assert entries["var/\N{PENGUIN} \\xff"].uid == 1000
    assert [entry.kind for entry in decode_inventory(taken(tmp_path).data).entries] == [
        "symlink", "block", "char", "file", "hardlink", "directory", "fifo", "file", "file",
    ]  # fmt: skip


def test_packages_are_those_of_the_image(tmp_path):
    inventory = taken(tmp_path)
    assert [package.name for package in inventory.packages] == ["bash"]
    assert decode_inventory(inventory.data).packages == inventory.packages


def test_an_inventory_without_packages_has_an_empty_list():
    inventory = take_inventory((), {}, image_sha256="1" * 64, time=0)
    assert decode_inventory(inventory.data) == Inventory(image_sha256="1" * 64, packages=(), entries=())


def test_what_a_layer_holds_is_read_once(tmp_path):
    def refuse() -> int:
        raise PermissionError

    entry = file(b"a", b"content")._replace(identity=Identity("layer", b"a"))
    first = read_files((entry,), tmp_path)
    assert first == {b"a": File(hashlib.sha256(b"content").hexdigest(), Look())}
    assert read_files((entry._replace(path=b"renamed", open=refuse),), tmp_path) == {b"renamed": first[b"a"]}


@pytest.mark.parametrize(
    ("content", "look"),
    [
        (b"\x7fELF\x02\x01" + bytes(12) + b"\x3e\0", Look(Nature.ELF, (2, 62))),
        (b"#!/bin/sh\n", Look(Nature.SCRIPT)),
        (b"#!/bin/sh\r\n" + bytes(2 << 20), Look(Nature.CRLF_SCRIPT)),
        (b"-----BEGIN RSA PRIVATE KEY-----\n", Look(Nature.PRIVATE_KEY)),
        (b"text", Look()),
    ],
)
def test_what_a_file_is_is_remembered(tmp_path, content, look):
    entry = file(b"a b\n\xff", content)._replace(identity=Identity("layer", b"a b\n\xff"))
    first = read_files((entry,), tmp_path)
    assert first[entry.path].look == look
    assert read_files((entry._replace(open=None),), tmp_path) == first


def test_what_was_seen_is_not_read_but_remembered(tmp_path):
    def refuse() -> int:
        raise PermissionError

    content = b"#!/bin/sh\n" * 1000
    entry = file(b"a", content)._replace(identity=Identity("layer", b"a"), open=refuse)
    seen = Seen()
    seen.see(entry, memoryview(content))
    first = read_files((entry,), tmp_path, seen)
    assert first == {b"a": File(hashlib.sha256(content).hexdigest(), Look(Nature.SCRIPT))}
    assert read_files((entry,), tmp_path) == first
