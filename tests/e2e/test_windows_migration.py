"""The home copy of `migrate-NAME.ps1`, between two systems of Debian's tools, of busybox's, and of both."""

from __future__ import annotations

import os
import shutil
import socket
import stat
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from builder.templating import render_shipped

SCRIPT = Path(__file__).resolve().parents[2] / "templates/windows/migrate-home.sh"
SHELLS = {"dash": ("dash",), "bash": ("bash", "--posix"), "busybox": ("busybox", "sh")}
TIME = 1_700_000_000

pytestmark = [pytest.mark.system, pytest.mark.usefixtures("root")]


@dataclass(frozen=True, kw_only=True)
class Machine:
    """A root of its own with the tools of this system (`shell` dash or bash), or with those of busybox."""

    root: Path
    shell: str

    def command(self, *arguments: str) -> list[str]:
        """Mounts end with the process: they are in a namespace of its own."""
        mounts = "" if self.shell == "busybox" else "mount --bind /usr usr; "
        line = f'set -e; cd "$0"; {mounts}mount --rbind /dev dev; exec chroot . "$@"'
        inner = [*SHELLS[self.shell], "/run/migrate-home.sh", *arguments]
        return ["unshare", "--mount", "--propagation", "private", "sh", "-c", line, str(self.root), *inner]

    def run(self, *arguments: str, data: str = "", status: int = 0) -> str:
        """What it prints; its complaint, where it fails as it should."""
        done = subprocess.run(self.command(*arguments), input=data.encode(), capture_output=True, check=False)
        assert done.returncode == status, done.stderr.decode()
        return (done.stderr if status else done.stdout).decode()

    def user(self, name: str, uid: int, group: str = "", password: str = "$6$salt$hash") -> Path:
        group = group or name
        for table, line in {
            "passwd": f"{name}:x:{uid}:{uid}::/home/{name}:/bin/sh",
            "group": f"{group}:x:{uid}:",
            "shadow": f"{name}:{password}:1::::::",
        }.items():
            with (self.root / "etc" / table).open("a") as file:
                file.write(f"{line}\n")
        home = self.root / "home" / name
        home.mkdir()
        os.chown(home, uid, uid)
        return home


@pytest.fixture
def machine(tmp_path: Path, tool: Callable[..., None]) -> Callable[[str, str], Machine]:
    """`machine(name, shell)`"""
    tool("unshare", "busybox", "dash", "setfattr", "setfacl", "setcap")

    def make(name: str, shell: str) -> Machine:
        root = tmp_path / name
        for folder in ("dev", "etc/skel", "home", "run", "usr", "var"):
            (root / folder).mkdir(parents=True)
        (root / "tmp").mkdir(mode=0o1777)
        if shell == "busybox":
            (root / "bin").mkdir()
            binary = shutil.copy(str(shutil.which("busybox")), root / "bin/busybox")
            subprocess.run([binary, "--list"], check=True, capture_output=True)
            subprocess.run(["chroot", str(root), "/bin/busybox", "--install", "-s", "/bin"], check=True)
        else:
            for link in ("bin", "lib", "lib64"):
                (root / link).symlink_to(f"usr/{link}")
        for table in ("passwd", "group", "shadow"):
            (root / "etc" / table).write_text("root:x:0:0::/root:/bin/sh\n")
        shutil.copy(SCRIPT, root / "run/migrate-home.sh")
        return Machine(root=root, shell=shell)

    return make


def write(path: Path, text: str, *, mode: int = 0o644, owner: int = -1) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.chown(path, owner, owner)
    path.chmod(mode)
    os.utime(path, (TIME, TIME))
    return path


def copy(old: Machine, new: Machine, user: str = "anna", target: str = "anna", cut: int = 0) -> int:
    """The pipe of the script for PowerShell; with `cut` it breaks after that many bytes. How many went."""
    files = new.run("files", target)
    stream = subprocess.run(
        old.command("send", user), input=files.encode(), capture_output=True, check=True
    ).stdout
    done = subprocess.run(
        new.command("receive", target, old.run("identity", user).strip()),
        input=stream[:cut] if cut else stream,
        capture_output=True,
        check=False,
    )
    assert bool(done.returncode) == bool(cut), done.stderr.decode()
    if not cut:
        new.run("place", target)
    return len(stream)


def finish(old: Machine, new: Machine, user: str = "anna", target: str = "anna", status: int = 0) -> str:
    return new.run("finish", target, "Old", data=old.run("contents", user), status=status)


def look(path: Path) -> tuple[int, int, int, int]:
    """Mode, owner, group, time."""
    status = path.lstat()
    return stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid, int(status.st_mtime)


@pytest.fixture
def sockets() -> Iterator[Callable[[Path], None]]:
    kept: list[socket.socket] = []

    def bind(path: Path) -> None:
        one = socket.socket(socket.AF_UNIX)
        kept.append(one)
        here = os.getcwd()
        os.chdir(path.parent)  # names of sockets are short
        one.bind(path.name)
        os.chdir(here)

    yield bind
    for one in kept:
        one.close()


PAIRS = [("dash", "bash"), ("bash", "dash"), ("busybox", "dash"), ("dash", "busybox"), ("busybox", "busybox")]


@pytest.mark.parametrize(("before", "after"), PAIRS)
def test_a_home_arrives_as_it_was_whoever_has_the_tools(before, after, machine, sockets):
    old, new = machine("old", before), machine("new", after)
    home, there = old.user("anna", 1001), new.user("anna", 1000)
    old.user("bob", 1002)
    new.user("bob", 1007)
    write(home / ".ssh/id", "key", mode=0o600, owner=1001)
    (home / ".ssh").chmod(0o700)
    write(home / "of bob", "b", owner=1002)
    write(home / "of root", "r", owner=0)
    write(home / "a [b]*?$(x)'\"`é/-n", "odd", owner=1001)
    write(home / "back\\slash", "odd", owner=1001)
    write(home / "line\nbreak", "odd", owner=1001)
    (home / "empty").mkdir()
    (home / "link").symlink_to("/nowhere")
    (home / "to folder").symlink_to(".ssh")
    os.link(home / ".ssh/id", home / "hard")
    os.mkfifo(home / "fifo")
    sockets(home / "socket")
    with (home / "big").open("wb") as file:
        file.truncate(40 << 20)
        file.seek(20 << 20)
        file.write(b"middle")
    copy(old, new)
    finish(old, new)
    assert (there / ".ssh/id").read_text() == "key"
    assert look(there / ".ssh/id") == (0o600, 1000, 1000, TIME)
    assert look(there / ".ssh")[0] == 0o700
    assert look(there / "of bob")[1] == 1007
    assert look(there / "of root")[1] == 0
    assert (there / "a [b]*?$(x)'\"`é/-n").read_text() == "odd"
    assert (there / "back\\slash").is_file() and (there / "line\nbreak").is_file()
    assert (there / "empty").is_dir()
    assert os.readlink(there / "link") == "/nowhere"
    assert os.readlink(there / "to folder") == ".ssh"
    assert (there / "hard").stat().st_ino == (there / ".ssh/id").stat().st_ino
    assert stat.S_ISFIFO((there / "fifo").lstat().st_mode)
    assert not (there / "socket").exists()
    assert (there / "big").stat().st_size == 40 << 20
    if "busybox" not in (before, after):
        assert (there / "big").stat().st_blocks < 1000
    assert sorted(path.name for path in there.parent.iterdir()) == ["anna", "bob"]


def test_attributes_lists_and_capabilities_travel_too(machine):
    old, new = machine("old", "dash"), machine("new", "dash")
    home, there = old.user("anna", 1001), new.user("anna", 1000)
    old.user("bob", 1002)
    new.user("bob", 1007)
    file = write(home / "file", "x", owner=1001)
    for command in (
        ["setfattr", "-n", "user.note", "-v", "hello", file],
        ["setfacl", "-m", "u:1002:r", file],
        ["setcap", "cap_net_raw+ep", file],
    ):
        subprocess.run(command, check=True)
    copy(old, new)
    finish(old, new)
    assert os.getxattr(there / "file", "user.note") == b"hello"
    access = subprocess.run(["getfacl", "-np", there / "file"], capture_output=True, text=True, check=True)
    assert "user:1007:r--" in access.stdout
    assert os.getxattr(there / "file", "security.capability")


@pytest.mark.parametrize("shell", ["dash", "busybox"])
def test_a_copy_that_was_cut_goes_on_and_sends_what_is_missing(shell, machine):
    old, new = machine("old", shell), machine("new", "dash")
    home, there = old.user("anna", 1000), new.user("anna", 1000)
    for number in range(20):
        write(home / f"{number:02}.bin", str(number) * 200_000, owner=1000)
    whole = copy(old, new, cut=1_500_000)
    assert list(there.iterdir()) == []
    assert len(new.run("files", "anna").splitlines()) >= 5
    rest = copy(old, new)
    if shell == "dash":
        assert rest < whole * 0.8
    finish(old, new)
    assert len(list(there.iterdir())) == 20
    if shell == "dash":
        assert copy(old, new) < 20_000
    assert not (there / "replaced-by-migration").exists()


def test_the_image_s_own_files_give_way_and_what_somebody_changed_is_kept(machine):
    old, new = machine("old", "dash"), machine("new", "dash")
    home, there = old.user("anna", 1000), new.user("anna", 1000)
    write(new.root / "etc/skel/.bashrc", "skeleton")
    write(there / ".bashrc", "skeleton", owner=1000)
    write(there / ".config/tool/a", "from the image", owner=1000)
    write(there / ".config/same", "same", owner=1000)
    write(there / ".config/only-new", "new", owner=1000)
    (there / "bin").symlink_to("/opt/bin")
    write(there / "folder/inside", "new", owner=1000)
    write(home / ".bashrc", "mine", owner=1000)
    write(home / ".config/tool/a", "mine", owner=1000)
    write(home / ".config/same", "same", owner=1000)
    write(home / "bin/program", "mine", owner=1000)
    write(home / "folder", "mine", owner=1000)
    copy(old, new)
    finish(old, new)
    for name in (".bashrc", ".config/tool/a", "bin/program", "folder"):
        assert (there / name).read_text() == "mine"
    assert (there / ".config/only-new").read_text() == "new"
    replaced = there / "replaced-by-migration"
    kept = sorted(str(path.relative_to(replaced)) for path in replaced.rglob("*") if not path.is_dir())
    assert kept == [".config/tool/a", "bin", "folder/inside"]
    assert (replaced / ".config/tool/a").read_text() == "from the image"
    assert {look(path)[1] for path in [replaced, *replaced.rglob("*")]} == {1000}
    write(home / "folder", "again", owner=1000)
    copy(old, new)
    assert sorted(path.name for path in replaced.iterdir()) == [".config", "bin", "folder", "folder~"]


def test_another_name_takes_over_what_belonged_to_the_old_one(machine):
    old, new = machine("old", "dash"), machine("new", "dash")
    home, there = old.user("anna", 1001, group="staff"), new.user("dev", 1000)
    new.user("zed", 1001)
    (new.root / "etc/wsl-distribution.conf").write_text('[OOBE]\ndefaultUID = "1000"\n')
    write(home / "file", "x", owner=1001)
    (home / "link").symlink_to("file")
    os.lchown(home / "link", 1001, 1001)
    assert new.run("target", "anna") == "dev\n"
    copy(old, new, target="dev")
    finish(old, new, target="dev")
    assert look(there / "file")[:3] == (0o644, 1000, 1000)
    assert look(there / "link")[1:3] == (1000, 1000)


def test_the_new_image_sets_up_the_account_with_the_old_name_and_password(machine):
    old, new = machine("old", "dash"), machine("new", "dash")
    old.user("anna", 1001)
    new.run("accept", data=old.run("answers", "anna"))
    answers = new.root / "etc/wslimg/first-run.conf"
    assert answers.read_text() == "WSLIMG_USER=anna\nWSLIMG_PASSWORD_HASH=$6$salt$hash\n"
    assert stat.S_IMODE(answers.stat().st_mode) == 0o600
    write(
        new.root / "run/set-up",
        ". /etc/wslimg/first-run.conf; echo $WSLIMG_USER:x:1000:1000::/home/a:/bin/sh >>/etc/passwd\n",
    )
    (new.root / "etc/wsl-distribution.conf").write_text("[oobe]\nCommand = /bin/sh /run/set-up # it\n")
    new.run("setup", "anna")
    assert new.run("target", "anna") == "anna\n"
    assert not answers.exists()
    new.run("setup", "anna")
    assert (new.root / "etc/passwd").read_text().count("anna:") == 1


def test_a_password_that_nobody_can_use_stays_one(machine):
    old = machine("old", "busybox")
    for name, uid, password in (("a", 1, "!$6$s$h"), ("b", 2, ""), ("c", 3, "*")):
        old.user(name, uid, password=password)
        assert old.run("answers", name).endswith("_HASH=!\n")


def test_what_is_missing_or_new_is_named_and_nothing_is_noted(machine):
    old, new = machine("old", "dash"), machine("new", "busybox")
    home, there = old.user("anna", 1000), new.user("anna", 1000)
    write(home / "file", "one", owner=1000)
    copy(old, new)
    write(there / "file", "two", owner=1000)
    assert "not complete" in new.run("finish", "anna", "Old", status=1)
    assert "1 entries, some of them above, are missing: run" in finish(old, new, status=1)
    new.run("noted", "Old", status=1)
    assert "nothing was migrated" in new.run("unchanged", "Old", status=1)
    write(there / "file", "one", owner=1000)
    finish(old, new)
    new.run("noted", "Old")
    new.run("unchanged", "Old", data=old.run("contents", "anna"))
    write(there / "file", "worked on", owner=1000)
    new.run("unchanged", "Old", data=old.run("contents", "anna"))
    write(home / "later", "x", owner=1000)
    for cut in ("", old.run("contents", "anna").rsplit("end", 1)[0]):
        assert "not complete" in new.run("unchanged", "Old", data=cut, status=1)
    assert "have changed in Old since" in new.run(
        "unchanged", "Old", data=old.run("contents", "anna"), status=1
    )


def test_the_version_of_the_image_is_told_if_it_has_one(machine):
    old = machine("old", "busybox")
    release = write(old.root / "etc/os-release", 'ID=debian\nIMAGE_VERSION="2026.11.1"\n')
    assert old.run("version") == "2026.11.1\n"
    release.write_text("ID=debian\n")
    assert old.run("version") == ""


def test_room_and_size_are_told_in_kib(machine):
    new = machine("new", "dash")
    home = new.user("anna", 1000)
    write(home / "file", "x" * 5_000_000)
    assert 4880 < int(new.run("measure", "anna")) < 5100
    new.run("room", "anna", "1")
    assert "KiB are needed below /home" in new.run("room", "anna", str(1 << 50), status=1)


def test_refusals_name_what_is_wrong(machine):
    new = machine("new", "dash")
    assert "there is no user eve" in new.run("measure", "eve", status=1)
    assert "start the distribution once" in new.run("target", "eve", status=1)
    assert "there is no command boom" in new.run("boom", status=1)
    (new.root / "etc/wsl-distribution.conf").write_text("[oobe]\ncommand = exit 7\n")
    assert "set-up ended with 7" in new.run("setup", "eve", status=1)


def test_shellcheck_has_nothing_to_say(tool):
    tool("shellcheck")
    done = subprocess.run(["shellcheck", "--shell=sh", SCRIPT], capture_output=True, text=True, check=False)
    assert done.stdout == ""


def test_the_first_run_of_our_images_makes_the_account_without_asking(machine):
    old, new = machine("old", "dash"), machine("new", "dash")
    old.user("anna", 1001)
    variables = {
        "mode": "prompt", "uid": 1000, "user": "", "shell": "", "admin": True, "admin_group": "sudo",
        "groups": (), "hooks_dir": "/usr/lib/wslimg/first-run.d",
    }  # fmt: skip
    (new.root / "run/first-run").write_text(render_shipped("first-run/first-run.sh.j2", variables))
    (new.root / "etc/wsl-distribution.conf").write_text("[oobe]\ncommand = /bin/sh /run/first-run\n")
    new.run("accept", data=old.run("answers", "anna"))
    new.run("setup", "anna")
    assert new.run("identity", "anna") == "anna:1000:anna:1000\n"
    assert "anna:$6$salt$hash:" in (new.root / "etc/shadow").read_text()
    assert copy(old, new)
    finish(old, new)
