"""For each rule of images one that breaks it; the good image breaks none."""

from __future__ import annotations

import bz2
from pathlib import Path

import pytest
import zstandard

from builder.check.options import CheckOptions, Profile
from builder.check.policy import Policy
from builder.check.table import IMAGE_RULES, MICROSOFT_RULES
from tests.unit.check.good import CONF, check_bytes, check_items, elf, good, rules_of
from tests.unit.check.images import (
    Item,
    archive,
    directory,
    file,
    hardlink,
    image,
    node,
    pax,
    program,
    record,
    special,
    symlink,
    xattr,
)

ROOT = "root:x:0:0:root:/root:/bin/sh\n"
ACL = {b"SCHILY.acl.access": b"user::rw-,user:7:rw-,group::r--,mask::rw-,other::r--"}
BAD_ACL = {b"SCHILY.acl.access": b"user::rw-,user:7:rw-,group::r--,other::r--"}


def conf(old: str, new: str) -> bytes:
    return image(*good(file("etc/wsl-distribution.conf", CONF.replace(old, new))))


def wsl(text: str) -> bytes:
    return image(*good(file("etc/wsl.conf", text)))


def plus(*items: Item) -> bytes:
    return image(*good(*items))


def minus(*names: str) -> bytes:
    return image(*good(without=names))


def wants(unit: str) -> bytes:
    return plus(
        symlink(f"etc/systemd/system/multi-user.target.wants/{unit}", f"/usr/lib/systemd/system/{unit}")
    )


BROKEN: dict[str, bytes] = {
    "WSL001": image(*good())[:-100],
    "WSL002": image(file("hello", "x")),
    "WSL003": image(file("manifest.json", "[]"), file("abc/layer.tar", "x")),
    "WSL004": image(*[Item(**{**item.__dict__, "name": b"rootfs/" + item.name}) for item in good()]),
    "WSL005": plus(file("a/../b")),
    "WSL006": plus(file("")),
    "WSL007": plus(file("bin/new", "x")),
    "WSL008": plus(file("etc/fstab/x")),
    "WSL009": plus(hardlink("h", "bin/sh")),
    "WSL010": plus(hardlink("h", "missing")),
    "WSL011": plus(hardlink("h", "etc")),
    "WSL012": image(*good(), file("usr/bin", "x")),
    "WSL013": plus(xattr(file("f"), "foo.bar", b"1")),
    "WSL014": plus(pax(file("f"), BAD_ACL)),
    "WSL015": plus(file("n" * 256)),
    "WSL016": plus(pax(file("f"), {b"path": b"\xff"})),
    "WSL017": plus(Item(name=b"f", flag=b"A")),
    "WSL018": plus(pax(file("f"), {b"path": "ö".encode()})),
    "WSL019": image(*good(), directory("bin")),
    "WSL020": image(*good(), file("etc/fstab")),
    "WSL021": plus(file("etc/.wh.gone")),
    "WSL022": plus(file("C:x")),
    "WSL023": plus(Item(name=b"f", flag=b"q")),
    "WSL024": image(symlink("empty", ""), *good()),
    "WSL025": plus(file("f", uname=b"joe", uid=7)),
    "WSL026": plus(pax(file("f"), ACL)),
    "WSL027": plus(directory("./", 0o700)),
    "WSL028": archive(*good()) + archive(*good()),
    "WSL029": archive(*good()) + b"x" * 1000,
    "WSL030": archive(*good(), end=b""),
    "WSL031": bz2.compress(archive(*good())),
    "WSL032": zstandard.ZstdCompressor().compress(archive(*good())),
    "WSL034": plus(xattr(file("f"), "security.selinux", b"x")),
    "WSL035": special(b"g", record(b"path", b"x")) + archive(*good()),
    "WSL036": plus(symlink("f", "")),
    "WSL101": minus("etc/wsl-distribution.conf"),
    "WSL102": conf("[oobe]", "[oobe]\nthis is wrong"),
    "WSL103": wsl("[boot]\nsystemd = true\nnothing = 1\n"),
    "WSL104": plus(file("etc/wsl.conf", "[boot]\nsystemd = true\n", 0o600)),
    "WSL105": wsl("[boot]\nsystemd = true\n# ö\n"),
    "WSL106": wsl("[boot]\nsystemd = true\n[automount]\ncgroups = v2\n"),
    "WSL107": wsl("[boot]\nsystemd = true\ninitTimeout = 5000\n"),
    "WSL111": conf("defaultName = Example-1\n", ""),
    "WSL112": conf("Example-1", "Example 1"),
    "WSL113": conf("Example-1", "nul"),
    "WSL114": conf("command = /usr/libexec/wsl/oobe.sh\n", ""),
    "WSL115": conf("defaultUid = 1000\n", ""),
    "WSL116": conf("= 1000", "= 01000"),
    "WSL117": minus("usr/libexec/wsl/oobe.sh"),
    "WSL118": wsl("[boot]\nsystemd = true\ncommand = /missing\n"),
    "WSL119": wsl("[boot]\nsystemd = true\n[user]\ndefault = joe\n"),
    "WSL120": plus(),
    "WSL121": wsl("[boot]\nsystemd = true\n[network]\nhostname = my_host\n"),
    "WSL201": minus("etc/passwd"),
    "WSL202": plus(file("etc/passwd", "joe:x:1:1::/:/bin/sh\n")),
    "WSL203": plus(file("etc/passwd", ROOT + "joe:x:0:0::/:/bin/sh\n")),
    "WSL204": plus(file("etc/passwd", ROOT + "joe:x:1\n")),
    "WSL205": plus(file("etc/passwd", ROOT + "a:x:5:5::/:/bin/sh\nb:x:5:5::/:/bin/sh\n")),
    "WSL206": plus(file("etc/passwd", ROOT + ROOT)),
    "WSL207": plus(file("etc/shadow", "root:$6$salt$hash:1::::::\n", 0o640)),
    "WSL208": plus(file("etc/shadow", "root::1::::::\n", 0o640)),
    "WSL209": plus(file("etc/shadow", "root:*:1::::::\n", 0o644)),
    "WSL210": plus(file("etc/passwd", ROOT.replace("/bin/sh", "/bin/zsh"))),
    "WSL211": plus(file("etc/passwd", ROOT.replace("/root", "/missing"))),
    "WSL212": plus(directory("root", 0o700, uid=7)),
    "WSL213": plus(file("etc/group", "root:x:0:\ntty:x:4:\n")),
    "WSL214": plus(file("etc/group", "tty:x:5:\n")),
    "WSL215": plus(
        directory("home/joe", uid=1000), file("etc/passwd", ROOT + "joe:x:1000:1::/home/joe:/bin/sh\n")
    ),
    "WSL301": minus("usr/sbin/init"),
    "WSL302": wants("systemd-resolved.service"),
    "WSL303": wants("systemd-timesyncd.service"),
    "WSL304": wants("getty@tty1.service"),
    "WSL305": plus(program("usr/bin/cloud-init", "#!/usr/bin/python3\n")),
    "WSL306": minus("usr/bin/login"),
    "WSL307": plus(file("etc/pam.d/common-session", "session required pam_unix.so\n")),
    "WSL308": minus("usr/bin/dbus-daemon"),
    "WSL309": minus("usr/lib/systemd/user/dbus.socket"),
    "WSL310": minus("usr/bin/systemctl"),
    "WSL311": wsl(""),
    "WSL312": plus(file("etc/binfmt.d/wine.conf", ":DOSWin:M::MZ::/usr/bin/wine:\n")),
    "WSL313": plus(symlink("etc/systemd/system/default.target", "/usr/lib/systemd/system/graphical.target")),
    "WSL401": minus("usr/bin/sh"),
    "WSL402": plus(program("usr/sbin/init", elf(183))),
    "WSL403": plus(program("usr/bin/tool", elf(183))),
    "WSL404": minus("usr/bin/mount"),
    "WSL405": plus(file("etc/fstab", "LABEL=x /boot vfat defaults 0 0\n")),
    "WSL406": minus("etc/fstab"),
    "WSL407": plus(file("etc/resolv.conf")),
    "WSL408": plus(directory("etc/resolv.conf")),
    "WSL409": plus(file("etc/machine-id", "0123456789abcdef0123456789abcdef\n")),
    "WSL410": plus(file("etc/ssh/ssh_host_ed25519_key", "x", 0o600)),
    "WSL411": plus(program("init", elf())),
    "WSL412": plus(file("boot/vmlinuz-6.1", "x")),
    "WSL413": plus(file("usr/lib/wsl/lib/libcuda.so", "x")),
    "WSL414": plus(node("dev/null")),
    "WSL415": plus(file("etc/os-release", "ID='example'\n")),
    "WSL416": plus(file("etc/default/locale", "LANG=de_DE.UTF-8\n")),
    "WSL417": minus("etc/default/locale"),
    "WSL418": plus(file("etc/default/locale", 'LANG="C.UTF-8"\n')),
    "WSL419": minus("usr/share/zoneinfo/UTC"),
    "WSL420": plus(symlink("lib64", "usr/lib64")),
    "WSL421": plus(symlink("a", "b"), symlink("b", "a")),
    "WSL422": plus(program("usr/bin/x", "#!/bin/sh\r\n")),
    "WSL423": plus(file("etc/open", "x", 0o666)),
    "WSL424": plus(program("usr/bin/sudo", elf(), 0o755)),
    "WSL425": plus(file(".dockerenv")),
    "WSL426": plus(file("etc/hosts")),
    "WSL427": plus(directory("tmp", 0o755)),
    "WSL428": minus("etc/ssl/certs/ca-certificates.crt"),
    "WSL501": plus(file("root/.ssh/id_rsa", "-----BEGIN RSA PRIVATE KEY-----\n", 0o600)),
    "WSL502": plus(file("root/.netrc", "machine x password y\n", 0o600)),
    "WSL503": plus(file("root/.bash_history", "ls\n", 0o600)),
    "WSL504": plus(file("etc/apt/apt.conf.d/proxy", 'Acquire::http::Proxy "http://a:b@proxy";\n')),
    "WSL505": plus(file("root/.ssh/authorized_keys", "ssh-ed25519 AAAA\n", 0o600)),
    "WSL601": conf("icon.ico", "missing.ico"),
    "WSL602": plus(file("usr/share/wsl/icon.ico", bytes((1 << 20) + 1))),
    "WSL603": plus(file("usr/share/wsl/icon.ico", b"\x89PNG\r\n\x1a\n")),
    "WSL604": conf("icon = /usr/share/wsl/icon.ico\n", ""),
    "WSL605": plus(file("usr/lib/wsl/terminal.json", '{"profiles": {}}')),
    "WSL606": plus(file("usr/lib/wsl/terminal.json", '{"profiles": [{"name": "x"}]}')),
    "WSL701": plus(file("var/cache/apt/archives/x.deb", bytes(70_000))),
    **dict.fromkeys(
        ("POL901", "POL902", "POL903", "POL904", "POL905", "POL906", "POL907", "POL908", "POL909"), plus()
    ),
}
NEEDED: dict[str, CheckOptions] = {
    "WSL025": CheckOptions(wsl1=True),
    "WSL032": CheckOptions(wsl1=True),
    "WSL120": CheckOptions(wsl1=True),
}
POLICIES = {
    "POL901": {"packages": {"required": ["nano"]}},
    "POL902": {"size": 1},
    "POL903": {"repository_hosts": ["other.example.com"]},
    "POL904": {"certificates": {"required": ["00" * 32]}},
    "POL905": {"sudo": {"groups": []}},
    "POL906": {"users": {"required": ["joe"]}},
    "POL907": {"units": {"required": ["x.service"]}},
    "POL908": {"files": {"forbidden": ["/etc/f*"]}},
    "POL909": {"age": 30},
}
GOOD_POLICY = {
    "packages": {"required": ["curl"], "forbidden": ["telnet"]},
    "size": 1 << 20,
    "repository_hosts": ["mirror.example.com"],
    "sudo": {"passwordless": False, "groups": ["sudo"]},
    "users": {"required": ["root"], "forbidden": ["toor"]},
    "files": {
        "required": [{"path": "/etc/wsl.conf", "mode": "0644", "contains": "systemd"}],
        "forbidden": ["/x"],
    },
    "age": 30,
}
NOW = 1_700_000_000


def options_for(rule: str) -> CheckOptions:
    if rule in POLICIES:
        now = NOW + 86_400 * (40 if rule == "POL909" else 1)
        return CheckOptions(policy=Policy.model_validate(POLICIES[rule]), now=now)
    return NEEDED.get(rule, CheckOptions())


def test_the_good_image_breaks_no_rule(tmp_path: Path) -> None:
    report = check_items(good(), tmp_path, CheckOptions(strict=True, wsl1=False))
    assert report.findings == ()
    assert report.ok


def test_the_good_image_keeps_a_policy_and_satisfies_microsoft(tmp_path: Path) -> None:
    policy = CheckOptions(policy=Policy.model_validate(GOOD_POLICY), now=NOW + 86_400)
    assert check_items(good(), tmp_path, policy).findings == ()
    assert check_items(good(), tmp_path, CheckOptions(profile=Profile.MICROSOFT)).findings == ()


SUDOERS = file("etc/sudoers", "%wheel ALL=(ALL) NOPASSWD: ALL\n", 0o440)


@pytest.mark.parametrize("rule", sorted(set(BROKEN)))
def test_an_image_that_breaks_a_rule_is_told(rule: str, tmp_path: Path) -> None:
    data = plus(SUDOERS) if rule == "POL905" else BROKEN[rule]
    report = check_bytes(data, tmp_path, options_for(rule))
    assert rule in rules_of(report)
    assert all(finding.fix and finding.message for finding in report.findings)


@pytest.mark.parametrize(
    "path",
    [
        ".netrc", "root/_netrc", "_netrc", "home/a/.config/gh/hosts.yml", "root/.azure/accessTokens.json",
        "root/.config/gcloud/legacy/credentials.db", "srv/.aws/credentials", "etc/apt/auth.conf",
        "etc/apt/auth.conf.d/mirror.conf", "run/secrets/token",
    ],
)  # fmt: skip
def test_credentials_are_found_wherever_they_lie(path: str, tmp_path: Path) -> None:
    report = check_bytes(plus(file(path, "secret", 0o600)), tmp_path, CheckOptions())
    found = {finding.path for finding in report.findings if finding.rule == "WSL502"}
    assert found == {f"/{path}"}


def test_a_name_without_the_suffix_is_told(tmp_path: Path) -> None:
    assert rules_of(check_bytes(image(*good()), tmp_path, name="x.tar.gz")) == {"WSL033"}


def test_every_rule_has_its_image() -> None:
    assert {rule.id for rule in IMAGE_RULES} == {*BROKEN, "WSL033"}


MICROSOFT: dict[str, bytes] = {
    "MS13": minus("etc/wsl-distribution.conf"),
    "MS13W": plus(file("etc/wsl-distribution.conf", CONF, 0o600)),
    "MS14": conf("[shortcut]", "[shortcut]\nother = 1"),
    "MS14X": conf("[shortcut]", "[shortcut]\nicon = %x"),
    "MS15": conf("oobe.sh", "oobe.sh --quick"),
    "MS15W": plus(program("usr/libexec/wsl/oobe.sh", "#!/bin/sh\n", 0o700)),
    "MS16W": conf("1000", "1001"),
    "MS16X": conf("1000", "0x3e8"),
    "MS17": conf("icon.ico", "missing.ico"),
    "MS17S": BROKEN["WSL602"],
    "MS17A": BROKEN["WSL604"],
    "MS17W": conf("/usr/share/wsl/icon.ico", "/etc/passwd"),
    "MS18": conf("terminal.json", "missing.json"),
    "MS18S": plus(file("usr/lib/wsl/terminal.json", bytes((1 << 20) + 1), 0o640)),
    "MS18W": plus(file("usr/lib/wsl/terminal.json", '{"profiles": [{}]}', 0o644)),
    "MS19": wsl("[boot]\ninitTimeout = 5\n"),
    "MS19W": plus(file("etc/wsl.conf", "", 0o600)),
    "MS19I": image(*good(file("etc/wsl.conf", "[boot]\nsystemd = false\n"), without=("usr/sbin/init",))),
    "MS19M": plus(program("usr/lib/systemd/systemd", elf(), 0o700)),
    "MS19U": wsl("[user]\ndefault = root\n"),
    "MS20": BROKEN["WSL204"],
    "MS20W": plus(file("etc/passwd", ROOT, 0o600)),
    "MS20U": BROKEN["WSL215"],
    "MS21": minus("etc/shadow"),
    "MS21W": BROKEN["WSL209"],
    "MS22": plus(program("usr/bin/sh", elf(183))),
    "MS22W": plus(program("usr/bin/sh", elf(), 0o700)),
    "MS23W": wants("systemd-tmpfiles-setup.service"),
    "MS24W": BROKEN["WSL034"],
    "WSL001": BROKEN["WSL001"],
}


@pytest.mark.parametrize("rule", sorted(MICROSOFT))
def test_microsofts_verdicts(rule: str, tmp_path: Path) -> None:
    report = check_bytes(MICROSOFT[rule], tmp_path, CheckOptions(profile=Profile.MICROSOFT))
    assert rule in rules_of(report)


QUIRKS: dict[str, tuple[bytes, set[str]]] = {
    "the whole value of oobe.command is a path": (conf("oobe.sh", "oobe.sh --quick"), {"MS15"}),
    "links to oobe.command are not followed": (
        image(
            *good(
                file("etc/wsl-distribution.conf", CONF.replace("/usr/libexec/wsl/oobe.sh", "/bin/oobe")),
                program("usr/bin/oobe", "#!/bin/sh\n"),
            )
        ),
        {"MS15", "MS15W"},
    ),
    "defaultUid is compared as text": (conf("= 1000", "= 01000"), {"MS16W"}),
    "a readable profile template warns": (
        plus(file("usr/lib/wsl/terminal.json", '{"profiles": [{}]}', 0o644)),
        {"MS18W"},
    ),
    "systemd = false asks for /sbin/init too": (MICROSOFT["MS19I"], {"MS19I"}),
    "keys may be in capitals": (wsl("[BOOT]\nSYSTEMD = true\n"), set()),
    "a key twice stops it": (wsl("[boot]\nsystemd = true\nsystemd = true\n"), {"MS14X"}),
    "a byte order mark stops it": (wsl("\ufeff[boot]\nsystemd = true\n"), {"MS14X"}),
    "the group of /etc/shadow is free": (plus(file("etc/shadow", "root:*:1::::::\n", 0, gid=42)), set()),
    "a hash in /etc/shadow is not seen": (plus(file("etc/shadow", "root:$6$x$y:1::::::\n", 0o640)), set()),
    "bash is judged where it is": (plus(program("usr/bin/bash", elf(183))), {"MS22"}),
    "a script is no shell": (plus(program("usr/bin/sh", "#!/bin/busybox\n")), {"MS22"}),
    "requires do not count": (
        plus(symlink("etc/systemd/system/x.target.requires/systemd-resolved.service", "/x")),
        set(),
    ),
    "a wish in /lib is not looked for": (
        plus(symlink("lib/systemd/system/x.target.wants/tmp.mount", "../tmp.mount")),
        set(),
    ),
    "a wish that is a link to nothing does not count": (
        plus(symlink("etc/systemd/system/x.target.wants/tmp.mount", "/dev/null")),
        set(),
    ),
    "a mask elsewhere does not help": (
        plus(
            symlink("usr/lib/systemd/system/x.target.wants/tmp.mount", "../tmp.mount"),
            symlink("usr/lib/systemd/system/tmp.mount", "/dev/null"),
        ),
        {"MS23W"},
    ),
    "what bsdtar refuses is not its business": (plus(hardlink("h", "missing")), set()),
    "fstab, resolv.conf and machine-id neither": (
        plus(
            file("etc/fstab", "LABEL=a /b ext4\n"), file("etc/resolv.conf"), file("etc/machine-id", "0" * 32)
        ),
        set(),
    ),
}


@pytest.mark.parametrize("quirk", sorted(QUIRKS))
def test_microsoft_finds_exactly_this(quirk: str, tmp_path: Path) -> None:
    data, expected = QUIRKS[quirk]
    report = check_bytes(data, tmp_path, CheckOptions(profile=Profile.MICROSOFT))
    assert rules_of(report) == expected


def test_every_verdict_of_microsoft_has_its_image() -> None:
    assert {rule.id for rule in MICROSOFT_RULES} == set(MICROSOFT)


def test_a_mask_keeps_a_unit_from_being_told(tmp_path: Path) -> None:
    items = good(
        symlink("etc/systemd/system/systemd-resolved.service", "/dev/null"),
        symlink(
            "usr/lib/systemd/system/sysinit.target.wants/systemd-resolved.service",
            "../systemd-resolved.service",
        ),
    )
    assert check_items(items, tmp_path).findings == ()


def test_one_bad_image_tells_all_its_faults_at_once(tmp_path: Path) -> None:
    bad = [item for rule, item in FAULTS]
    found = rules_of(check_bytes(image(*good(*bad, without=("usr/bin/mount", "usr/bin/login"))), tmp_path))
    assert {rule for rule, _ in FAULTS} | {"WSL404", "WSL306"} <= found
    assert len(FAULTS) + 2 >= 25


FAULTS: list[tuple[str, Item]] = [
    ("WSL005", file("a/../b")),
    ("WSL007", file("sbin/x", "x")),
    ("WSL010", hardlink("h", "missing")),
    ("WSL013", xattr(file("f"), "foo.bar", b"1")),
    ("WSL015", file("n" * 300)),
    ("WSL021", file("etc/.wh.x")),
    ("WSL027", directory("./", 0o700)),
    ("WSL103", file("etc/wsl.conf", "[boot]\nsystemd = true\nx = 1\n[user]\ndefault = joe\n")),
    ("WSL112", file("etc/wsl-distribution.conf", CONF.replace("Example-1", "a b"))),
    ("WSL207", file("etc/shadow", "root:$6$x$y:1::::::\n", 0o666)),
    ("WSL213", file("etc/group", "tty:x:7:\n")),
    ("WSL302", symlink("etc/systemd/system/multi-user.target.wants/NetworkManager.service", "/x")),
    ("WSL405", file("etc/fstab", "LABEL=a /b ext4\n")),
    ("WSL407", file("etc/resolv.conf", "nameserver 1.1.1.1\n")),
    ("WSL409", file("etc/machine-id", "0123456789abcdef0123456789abcdef\n")),
    ("WSL410", file("etc/ssh/ssh_host_rsa_key", "x")),
    ("WSL411", file("init", "x")),
    ("WSL412", file("boot/vmlinuz", "x")),
    ("WSL413", file("usr/lib/wsl/lib/x", "x")),
    ("WSL414", node("dev/zero")),
    ("WSL422", program("usr/bin/s", "#!/bin/sh\r\n")),
    ("WSL424", program("usr/bin/sudo", elf(), 0o755)),
    ("WSL425", file(".dockerenv")),
    ("WSL427", directory("tmp", 0o755)),
    ("WSL501", file("root/key.pem", "-----BEGIN PRIVATE KEY-----\n")),
    ("WSL603", file("usr/share/wsl/icon.ico", "no icon")),
]
