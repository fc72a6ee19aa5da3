"""`wslimg try` on real images: small ones of busybox for each failure, a whole Debian for the way through."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from builder.model import manifest
from builder.model.finding import Severity
from builder.templating import render_shipped
from builder.trial.dialogue import Reply
from builder.trial.report import Outcome, Stage, TrialReport
from builder.trial.run import TrialOptions, try_image
from tests.conftest import require

pytestmark = [pytest.mark.system, pytest.mark.usefixtures("root")]

CONF = "[oobe]\ncommand = /usr/libexec/first-run\ndefaultUid = 1000\ndefaultName = example\n"
ADD_USER = (
    "echo 'anna:x:1000:1000::/home/anna:/bin/sh' >>/etc/passwd; mkdir -p /home/anna; chown 1000 /home/anna\n"
)
FILES: dict[str, str | None] = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\n",
    "etc/group": "root:x:0:\n",
    "etc/os-release": "ID=example\nVERSION_ID=1\n",
    "etc/fstab": "",
    "etc/default/locale": "LANG=C.UTF-8\n",
    "etc/wsl-distribution.conf": CONF,
    "usr/libexec/first-run": f"#!/bin/sh\n{ADD_USER}",
    "usr/share/zoneinfo/UTC": "",
    "root/.profile": "",
}
WSLIMG = (sys.executable, "-c", "import sys; from builder.cli.main import run; sys.exit(run())")
Maker = Callable[..., Path]


@pytest.fixture
def make_image(tool: Callable[..., None], tmp_path: Path) -> Maker:
    """A function that makes an image of busybox and FILES; None leaves a file out."""
    tool("bsdtar", "busybox")
    busybox = Path(str(shutil.which("busybox")))
    applets = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True).stdout.split()

    def make(files: dict[str, str | None] | None = None, *, prefix: str = "", links: bool = True) -> Path:
        image = tmp_path / "example.wsl"
        with tarfile.open(image, "w:gz", compresslevel=1, format=tarfile.GNU_FORMAT) as tar:
            add(tar, f"{prefix}bin/busybox", busybox.read_bytes(), 0o755)
            for applet in applets if links else ():
                add_link(tar, f"{prefix}bin/{applet}", "busybox")
            for path, text in {**FILES, **(files or {})}.items():
                if text is not None:
                    add(tar, prefix + path, text.encode(), 0o755 if text.startswith("#!") else 0o644)
        return image

    return make


def add(tar: tarfile.TarFile, path: str, data: bytes, mode: int) -> None:
    info = tarfile.TarInfo(path)
    info.size, info.mode = len(data), mode
    tar.addfile(info, io.BytesIO(data))


def add_link(tar: tarfile.TarFile, path: str, target: str) -> None:
    if path.endswith("/busybox"):
        return
    info = tarfile.TarInfo(path)
    info.type, info.linkname = tarfile.SYMTYPE, target
    tar.addfile(info)


def stage(report: TrialReport, name: str) -> Stage:
    return next(stage for stage in report.stages if stage.name == name)


def errors(report: TrialReport, name: str) -> list[str]:
    findings = stage(report, name).findings
    return [f"{f.rule} {f.message}" for f in findings if f.severity is not Severity.INFO]


def left_behind() -> list[str]:
    """Folders, mounts, processes and control groups of a trial."""
    folders = [str(path) for path in Path(tempfile.gettempdir()).glob("wslimg-try-*")]
    mounts = [line for line in Path("/proc/mounts").read_text().splitlines() if "wslimg-try-" in line]
    groups = [path for path, _, _ in os.walk("/sys/fs/cgroup") if "wslimg-boot-" in path]
    return folders + mounts + groups


@pytest.fixture(autouse=True)
def nothing_is_left_behind() -> Iterator[None]:
    before = left_behind()
    yield
    assert [found for found in left_behind() if found not in before] == []


def test_a_sound_image_goes_through_every_stage_but_boot(make_image: Maker) -> None:
    report = try_image(make_image(), TrialOptions())
    assert report.ok, report
    assert [s.outcome for s in report.stages if s.name not in ("boot", "tests", "shutdown")] == [
        Outcome.PASSED
    ] * 4
    assert stage(report, "boot").reason == "boot.systemd is not set"
    assert dict(stage(report, "import").facts)["flavor"] == "example 1"
    assert dict(stage(report, "import").facts)["extracted by"].startswith("bsdtar 3.")
    assert dict(stage(report, "session").facts)["user"] == "anna (uid 1000), /bin/sh, /home/anna"


def test_a_root_file_system_inside_a_folder_is_refused_as_wsl_does(make_image: Maker) -> None:
    report = try_image(make_image(prefix="rootfs/"), TrialOptions())
    assert "WSL_E_NOT_A_LINUX_DISTRO (0x80040326)" in dict(stage(report, "import").facts)["error code"]
    assert errors(report, "import") == ["WSL002 the image has neither /etc nor /bin/sh"]
    assert stage(report, "session").reason == "the import failed"


def test_what_bsdtar_refuses_is_told_with_its_words(make_image: Maker) -> None:
    image = make_image()
    with tarfile.open(image, "w", format=tarfile.GNU_FORMAT) as tar:
        add(tar, "etc/passwd", b"", 0o644)
        add(tar, "../escape", b"", 0o644)
    report = try_image(image, TrialOptions())
    assert "WSL_E_IMPORT_FAILED (0x8004030B)" in dict(stage(report, "import").facts)["error code"]
    (error,) = errors(report, "import")
    assert error.startswith("WSL005 ")
    assert "../escape" in error


@pytest.fixture
def without_bsdtar(make_image: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is the whole PATH, and empty."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def test_without_bsdtar_our_own_reader_extracts_the_same(
    make_image: Maker, without_bsdtar: Path, tmp_path: Path
) -> None:
    report = try_image(make_image(), TrialOptions())
    assert report.ok, report
    assert "model of bsdtar" in dict(stage(report, "import").facts)["extracted by"]
    assert dict(stage(report, "session").facts)["user"] == "anna (uid 1000), /bin/sh, /home/anna"


def test_without_bsdtar_the_same_is_refused(make_image: Maker, without_bsdtar: Path) -> None:
    image = make_image()
    with tarfile.open(image, "w", format=tarfile.GNU_FORMAT) as tar:
        add(tar, "etc/passwd", b"", 0o644)
        add(tar, "../escape", b"", 0o644)
    report = try_image(image, TrialOptions())
    assert "WSL_E_IMPORT_FAILED (0x8004030B)" in dict(stage(report, "import").facts)["error code"]
    assert errors(report, "import") == ["WSL005 ../escape: the name has a `..` component"]


@pytest.mark.parametrize(
    ("status", "bad", "told"),
    [
        (0, True, "this bsdtar takes it, wslimg's model of it refuses it: ../escape"),
        (1, False, "wslimg's model of bsdtar takes it, this bsdtar refuses it"),
    ],
)
def test_another_bsdtar_that_judges_otherwise_is_told(
    make_image: Maker, without_bsdtar: Path, status: int, bad: bool, told: str
) -> None:
    other = without_bsdtar / "bsdtar"
    other.write_text(f"#!/bin/sh\n[ $1 = --version ] || echo other words >&2\nexit {status}\n")
    other.chmod(0o755)
    image = make_image()
    with tarfile.open(image, "w", format=tarfile.GNU_FORMAT) as tar:
        add(tar, "../escape" if bad else "etc/passwd", b"", 0o644)
    found = stage(try_image(image, TrialOptions()), "import")
    assert told in "".join(f.message for f in found.findings if f.severity is Severity.INFO)
    assert (found.findings[-1].message == "other words") is (status == 1)


def test_a_tree_deeper_than_any_path_leaves_nothing(make_image: Maker) -> None:
    image = make_image()
    with tarfile.open(image, "w", format=tarfile.GNU_FORMAT) as tar:
        add(tar, "a/" * 3000 + "x", b"", 0o644)
    assert "WSL002" in errors(try_image(image, TrialOptions()), "import")[0]


def test_a_truncated_image_is_refused(make_image: Maker) -> None:
    image = make_image()
    image.write_bytes(image.read_bytes()[:-5000])
    assert errors(try_image(image, TrialOptions()), "import")


@pytest.mark.parametrize(
    ("conf", "finding"),
    [
        ("[oobe]\ndefaultName = a b\n", "WSL112 oobe.defaultName 'a b' contains ' '"),
        ("[oobe]\n", "WSL111 without --name the import ends with WSL_E_DISTRIBUTION_NAME_NEEDED"),
        (
            "[oobe]\ndefaultName=a\n[shortcut]\nicon=/x.ico\n",
            "WSL601 shortcut.icon is ignored: the file is missing",
        ),
        (
            "[oobe]\ndefaultName=a\n[shortcut]\nicon=/etc/../x\n",
            "WSL601 shortcut.icon is ignored: WSL refuses",
        ),
        ("[oobe]\ndefaultName=a\n[shortcut]\nicon=/etc/passwd\n", "WSL603 is no ICO file"),
        (
            "[oobe]\ndefaultName=a\n[windowsterminal]\nprofileTemplate=/etc/passwd\n",
            "WSL605 WSL writes no terminal profile: is not valid JSON",
        ),
    ],
)
def test_metadata_is_judged_as_at_the_import(make_image: Maker, conf: str, finding: str) -> None:
    report = try_image(make_image({"etc/wsl-distribution.conf": conf}), TrialOptions())
    assert any(error.startswith(finding) for error in errors(report, "import")), errors(report, "import")


def test_a_first_launch_that_fails_opens_no_shell(make_image: Maker) -> None:
    script = "#!/bin/sh\necho no luck >&2\nexit 3\n"
    report = try_image(make_image({"usr/libexec/first-run": script}), TrialOptions())
    assert errors(report, "first launch")[-1] == (
        ' OOBE command "/usr/libexec/first-run" failed, exiting (3): no luck'
    )
    assert stage(report, "session").reason == "the first launch failed: WSL opens no shell"


def test_a_first_launch_that_does_not_exist_names_its_check(make_image: Maker) -> None:
    report = try_image(make_image({"usr/libexec/first-run": None}), TrialOptions())
    assert errors(report, "first launch")[-1].startswith("WSL117 ")


def test_a_first_launch_that_succeeds_when_left_is_told(make_image: Maker) -> None:
    script = f"#!/bin/sh\ntrap 'exit 0' INT\nprintf 'User name: '\nread -r x\n{ADD_USER}"
    report = try_image(make_image({"usr/libexec/first-run": script}), TrialOptions())
    assert "left with Ctrl-C it exits with 0" in errors(report, "first launch")[0]


def test_an_account_that_is_not_made_is_told(make_image: Maker) -> None:
    report = try_image(make_image({"usr/libexec/first-run": "#!/bin/sh\n"}), TrialOptions())
    assert errors(report, "first launch") == [
        "WSL114 1000 is not in /etc/passwd after the first launch: WSL opens root's shell instead"
    ]


def test_answers_of_the_caller_are_used(make_image: Maker) -> None:
    script = f"#!/bin/sh\nprintf 'Colour? '\nread -r x\n[ $x = blue ] || exit 1\n{ADD_USER}"
    image = make_image({"usr/libexec/first-run": script})
    blue = Reply(prompt="Colour", answers=("blue",))
    assert try_image(image, TrialOptions(replies=(blue,))).ok
    assert not try_image(image, TrialOptions(replies=(blue.model_copy(update={"answers": ("red",)}),))).ok


def test_the_first_launch_has_a_terminal_of_its_own_and_the_environment_of_wsl(make_image: Maker) -> None:
    script = f"#!/bin/sh\nset -e\ntty >/etc/seen\nenv >>/etc/seen\nid -u >>/etc/seen\n{ADD_USER}"
    tests = tuple(
        manifest.TestCase(user="root", run=f"grep -qx '{line}' /etc/seen", network=False)
        for line in ("/dev/pts/0", "WSL_DISTRO_NAME=example", "HOME=/root", "LANG=C.UTF-8", "0")
    )
    report = try_image(make_image({"usr/libexec/first-run": script}), TrialOptions(tests=tests))
    assert errors(report, "tests") == []


def test_an_image_without_shell_cannot_be_started(make_image: Maker) -> None:
    report = try_image(make_image(links=False), TrialOptions())
    assert stage(report, "boot").outcome is Outcome.FAILED
    assert "Traceback" not in str(report) and "enter.py" not in str(report)
    assert stage(report, "tests").outcome is Outcome.SKIPPED


def test_a_dangling_bin_is_fatal(make_image: Maker) -> None:
    image = make_image()
    with tarfile.open(image, "w", format=tarfile.GNU_FORMAT) as tar:
        add(tar, "etc/passwd", b"", 0o644)
        add_link(tar, "bin", "usr/bin")
    assert errors(try_image(image, TrialOptions()), "start")[0].startswith("WSL420 ")


def test_tests_run_as_their_user_and_fail_by_their_status(make_image: Maker) -> None:
    tests = (
        manifest.TestCase(
            user="default", run='[ "$(id -u)" = 1000 ] && [ "$PWD" = /home/anna ]', network=False
        ),
        manifest.TestCase(user="root", run="echo broken >&2; exit 7", network=False),
        manifest.TestCase(user="nobody", run="true", network=False),
    )
    report = try_image(make_image(), TrialOptions(tests=tests))
    assert errors(report, "tests") == [" exit status 7: broken", " there is no user 'nobody'"]


def test_the_network_is_for_tests_that_ask_for_it(make_image: Maker) -> None:
    count = "[ $(wc -l </proc/net/dev) -gt 3 ]"  # two lines of heading and the loopback
    require(len(Path("/proc/net/dev").read_text().splitlines()) > 3, "this host has no network interface")
    with_network = manifest.TestCase(user="root", run=count, network=True)
    report = try_image(make_image(), TrialOptions(tests=(with_network,)))
    assert errors(report, "tests") == []
    without = with_network.model_copy(update={"network": False})
    report = try_image(make_image(), TrialOptions(tests=(without,)))
    assert len(errors(report, "tests")) == 1


def test_the_command_exits_with_5_and_speaks_json(make_image: Maker) -> None:
    words = [*WSLIMG, "try", "--format", "json", "--test", "false", "-q", str(make_image())]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 5, done.stderr
    assert json.loads(done.stdout)["ok"] is False


@pytest.fixture(scope="module")
def debian(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Debian with systemd, set up as our recipes are; also the fixture of a failing unit."""
    require(
        shutil.which("mmdebstrap") is not None, "not installed: mmdebstrap (tests/install-tools installs it)"
    )
    folder = tmp_path_factory.mktemp("debian")
    packages = "systemd-sysv,sudo,dbus-user-session,libpam-systemd,login,tzdata,adduser"
    words = [
        "mmdebstrap",
        "--quiet",
        "--variant=minbase",
        f"--include={packages}",
        "trixie",
        f"{folder}/tree",
    ]
    made = subprocess.run([*words, "http://deb.debian.org/debian"], capture_output=True, text=True)
    require(made.returncode == 0, f"no Debian mirror: {made.stderr[-200:]}")
    variables = {"mode": "prompt", "uid": 1000, "user": "", "shell": "", "admin": True, "admin_group": "sudo"}
    script = render_shipped(
        "first-run/first-run.sh.j2",
        {**variables, "groups": ("adm",), "hooks_dir": "/usr/lib/wslimg/first-run.d"},
    )
    for path, text, mode in (
        ("usr/libexec/first-run", script, 0o755),
        ("etc/wsl-distribution.conf", CONF, 0o644),
        ("etc/wsl.conf", "[boot]\nsystemd = true\n", 0o644),
        ("etc/fstab", "# nothing\n", 0o644),
        ("etc/default/locale", "LANG=C.UTF-8\n", 0o644),
        ("etc/machine-id", "", 0o644),
    ):
        (folder / "tree" / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / "tree" / path).write_text(text)
        (folder / "tree" / path).chmod(mode)
    return folder / "tree"


def pack(tree: Path, image: Path) -> Path:
    words = [
        "bsdtar",
        "--format=gnutar",
        "--numeric-owner",
        "--exclude=./dev/*",
        "-cf",
        str(image),
        "-C",
        str(tree),
        ".",
    ]
    subprocess.run(words, check=True)
    return image


def test_debian_is_imported_set_up_booted_and_shut_down(debian: Path, tmp_path: Path) -> None:
    image = pack(debian, tmp_path / "debian.wsl")
    own_systemd = manifest.TestCase(user="default", run="systemctl --user is-system-running", network=False)
    report = try_image(image, TrialOptions(tests=(own_systemd,)))
    assert report.ok, report
    assert all(s.outcome is Outcome.PASSED for s in report.stages), report
    assert dict(stage(report, "boot").facts)["virtualization"] == "wsl"
    facts = dict(stage(report, "session").facts)
    assert facts["user"] == "tester (uid 1000), /bin/bash, /home/tester"
    assert facts["sudo"] == "works with the password"
    assert facts["user session"].startswith("user@1000.service is active")
    assert "27(sudo)" in facts["id"]


def test_a_unit_that_fails_is_named_with_its_last_words(debian: Path, tmp_path: Path) -> None:
    unit = debian / "etc/systemd/system/broken.service"
    wanted = debian / "etc/systemd/system/multi-user.target.wants/broken.service"
    wanted.symlink_to("../broken.service")
    unit.write_text("[Service]\nType=oneshot\nExecStart=/bin/sh -c 'echo out of luck; exit 1'\n")
    locale = debian / "etc/default/locale"
    locale.write_text("LANG=de_DE.UTF-8\n")
    try:
        report = try_image(pack(debian, tmp_path / "debian.wsl"), TrialOptions())
    finally:
        wanted.unlink()
        unit.unlink()
        locale.write_text("LANG=C.UTF-8\n")
    (error,) = errors(report, "boot")
    assert "out of luck" in error
    assert any("WSL416 LANG=de_DE.UTF-8" in error for error in errors(report, "session"))


@pytest.mark.parametrize("seconds", [0.4, 1.0, 1.8])
def test_ctrl_c_leaves_nothing(debian: Path, tmp_path: Path, seconds: float) -> None:
    image = pack(debian, tmp_path / "debian.wsl")
    process = subprocess.Popen([*WSLIMG, "try", "-q", str(image)], start_new_session=True)
    time.sleep(seconds)
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(timeout=10) == 130
