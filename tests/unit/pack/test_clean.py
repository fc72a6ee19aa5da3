from __future__ import annotations

import os

import pytest

from builder.core.errors import PackError
from builder.model.entry import Entry, Kind
from builder.pack.clean import CleanSettings, Removed, clean_tree
from builder.pack.clean_rules import RULES
from builder.pack.content import read_entry
from builder.pack.memory import with_content


def file(path: str, data: bytes = b"x", **more) -> Entry:
    return with_content(Entry(path=path.encode(), kind=Kind.FILE, mode=0o644, **more), data)


def folder(path: str) -> Entry:
    return Entry(path=path.encode(), kind=Kind.DIRECTORY, mode=0o755)


def link(path: str, target: str) -> Entry:
    return Entry(path=path.encode(), kind=Kind.HARDLINK, mode=0o644, target=target.encode())


def clean(*entries: Entry, **settings) -> tuple[dict[str, Entry], list[Removed]]:
    removed: list[Removed] = []
    kept = clean_tree(entries, CleanSettings(**settings), removed.append)
    return {os.fsdecode(entry.path): entry for entry in kept}, removed


@pytest.mark.parametrize(
    "path",
    [
        ".dockerenv", "init", "vmlinuz", "initrd.img.old", "boot/vmlinuz-6.1.0-1", "boot/initrd.img-6.1",
        "dev/console", "proc/version", "sys/kernel", "run/lock/x", "tmp/.hidden", "var/tmp/a",
        "etc/resolv.conf", "etc/passwd-", "etc/shadow-", "etc/ssh/ssh_host_rsa_key",
        "etc/ssh/ssh_host_rsa_key.pub",
        "var/cache/apt/pkgcache.bin", "var/cache/apt/archives/a.deb", "var/lib/apt/lists/deb_InRelease",
        "var/cache/ldconfig/aux-cache", "var/cache/man/index.db", "var/cache/debconf/config.dat-old",
        "var/lib/dpkg/status-old", "var/lib/dbus/machine-id", "var/lib/systemd/random-seed",
        "var/log/journal/0123/system.journal", "usr/lib/wsl/lib/libcuda.so", "usr/lib/wsl/drivers/x/y",
        "usr/share/.wh.gone", ".wh.gone",
    ],
)  # fmt: skip
def test_what_must_not_ship_is_dropped_and_reported(path):
    kept, removed = clean(file(path, b"four"))
    assert kept == {}
    assert [(item.path, item.size) for item in removed] == [("/" + path, 4)]
    assert removed[0].why


@pytest.mark.parametrize(
    "path",
    [
        "usr/bin/init", "boot/grub/grub.cfg", "etc/ssh/sshd_config", "etc/passwd", "usr/lib/wsl/icon.ico",
        "var/cache/other/x", "var/lib/dpkg/status", "srv/dev/console", "home/a/.dockerenv",
        "usr/share/x.wh.y",
    ],
)  # fmt: skip
def test_what_looks_alike_stays(path):
    kept, removed = clean(file(path))
    assert list(kept) == [path]
    assert removed == []


@pytest.mark.parametrize("path", ["etc/machine-id", "var/log/dpkg.log", "etc/security/opasswd"])
def test_files_that_programs_expect_stay_but_are_emptied(path):
    kept, removed = clean(file(path, b"0123\n", uid=7))
    assert (kept[path].size, kept[path].open, kept[path].uid) == (0, None, 7)
    assert removed[0].size == 5


def test_folders_of_caches_and_logs_stay():
    paths = (
        "dev",
        "run",
        "tmp",
        "var/cache/apt/archives/partial",
        "var/lib/apt/lists/partial",
        "var/log/apt",
    )
    kept, removed = clean(*map(folder, sorted(paths)))
    assert list(kept) == sorted(paths)
    assert removed == []


def test_what_lies_below_a_dropped_folder_is_dropped_with_it():
    kept, removed = clean(folder("init"), file("init/a"), file("init2"))
    assert list(kept) == ["init2"]
    assert [item.path for item in removed] == ["/init", "/init/a"]


def test_the_next_name_of_a_dropped_file_carries_its_content():
    tree = (
        file("tmp/a", b"data"),
        link("usr/b", "tmp/a"),
        link("usr/c", "tmp/a"),
        link("var/tmp/d", "tmp/a"),
    )
    kept, removed = clean(*tree)
    assert list(kept) == ["usr/b", "usr/c"]
    assert kept["usr/b"].kind is Kind.FILE
    assert read_entry(kept["usr/b"]) == b"data"
    assert (kept["usr/c"].kind, kept["usr/c"].target) == (Kind.HARDLINK, b"usr/b")
    assert [item.path for item in removed] == ["/tmp/a", "/var/tmp/d"]


def test_symlinks_and_fifos_with_several_names_are_carried_on_as_well():
    fifo = Entry(path=b"run/a", kind=Kind.FIFO, mode=0o600)
    kept, _ = clean(fifo, link("srv/b", "run/a"))
    assert kept["srv/b"] == fifo._replace(path=b"srv/b")


def test_emptying_one_name_does_not_empty_the_others():
    kept, _ = clean(
        file("var/log/a", b"data"), link("var/log/b", "var/log/a"), link("var/www/c", "var/log/a")
    )
    assert (kept["var/log/a"].size, kept["var/log/b"].size) == (0, 0)
    assert read_entry(kept["var/www/c"]) == b"data"


SHADOW = (
    b"root:$y$j9T$abc$def:19000:0:99999:7:::\nbin:*:1::::::\nann:!$6$x$y:1::::::\n"
    b"svc:!!:1::::::\nopen::1::::::\n"
)


def test_password_hashes_are_replaced():
    kept, removed = clean(file("etc/shadow", SHADOW))
    text = read_entry(kept["etc/shadow"])
    assert text == b"root:*:19000:0:99999:7:::\nbin:*:1::::::\nann:!:1::::::\nsvc:!!:1::::::\nopen::1::::::\n"
    assert removed[0].path == "/etc/shadow"


def test_password_hashes_can_be_kept():
    kept, removed = clean(file("etc/shadow", SHADOW), keep_password_hashes=True)
    assert read_entry(kept["etc/shadow"]) == SHADOW
    assert removed == []


def test_a_shadow_that_is_a_hard_link_is_refused():
    with pytest.raises(PackError, match=r"^/etc/shadow: may hold password hashes and is a second name"):
        clean(file("etc/other"), link("etc/shadow", "etc/other"))


def test_attributes_of_another_machine_are_dropped_with_their_reason():
    pairs = (
        (b"security.capability", b"c"), (b"security.ima", b"i"), (b"security.selinux", b"s"),
        (b"system.posix_acl_access", b"a"), (b"trusted.overlay.opaque", b"y"), (b"user.mine", b"m"),
    )  # fmt: skip
    kept, removed = clean(file("bin/ping", xattrs=pairs))
    assert [name for name, _ in kept["bin/ping"].xattrs] == [b"security.capability", b"user.mine"]
    assert [item.why.split(":")[0] for item in removed] == [
        "security.ima",
        "security.selinux",
        "system.posix_acl_access",
        "trusted.overlay.opaque",
    ]


def test_the_first_part_of_a_pattern_says_which_paths_it_can_match():
    patterns = [
        pattern for rule in RULES for pattern in rule.patterns if set(pattern.split("/")[1]) & set("*?[")
    ]
    assert patterns == ["/**/.wh.*"], "RuleFinder looks patterns up by their first part"
