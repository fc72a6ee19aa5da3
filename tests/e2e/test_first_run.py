"""The first-run script on real systems: through a pty, in a chroot, with the distribution's own tools.

A tree with Debian's packages stands for the families that have `useradd`, one of busybox alone for Alpine:
its shell, sed, grep, passwd and all else that the script runs. Debian's busybox lacks three applets; scripts
in `busybox/`, run by that busybox, take their place.
"""

from __future__ import annotations

import os
import pty
import shutil
import signal
import stat
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from builder.templating import render_shipped
from builder.trial.dialogue import Dialogue, Reply
from tests.conftest import require

STANDINS = Path(__file__).with_name("busybox")

HASH = "$6$salt$IxDD3jeSOb5eB1CX5LBsqZFVkJdido3OUILO5Ifz5iwMuTS4XMS130MTSuDDl3aCI6WouIL9AjRbLCelDCy.g."
SCRIPT = "usr/libexec/wsl/first-run"
MARKER = "var/lib/wslimg/first-run.done"
CONFIG = "etc/wslimg/first-run.conf"
VARIABLES = {
    "mode": "prompt",
    "uid": 1000,
    "user": "",
    "shell": "",
    "admin": True,
    "admin_group": "sudo",
    "groups": ("adm", "no-such-group"),
    "hooks_dir": "/usr/lib/wslimg/first-run.d",
}

NAME = Reply(prompt=r"User name[^\n]*: $", answers=("anna",))
PASSWORD = Reply(prompt=r"(?i)password[^\n]*: ?$", answers=("Se-cret.99",), hidden=True)


def render(**changes: object) -> str:
    return render_shipped("first-run/first-run.sh.j2", {**VARIABLES, **changes})


@dataclass(frozen=True)
class System:
    """A root file system with the script in it. `pristine` is what `reset` goes back to."""

    root: Path
    pristine: Path

    def install(self, **changes: object) -> None:
        self.write(SCRIPT, render(**changes), mode=0o755)

    def write(self, path: str, text: str, *, mode: int = 0o644) -> None:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        target.chmod(mode)

    def reset(self) -> None:
        for name in ("etc", "home", "var/lib/wslimg", "usr/lib/wslimg"):
            shutil.rmtree(self.root / name, ignore_errors=True)
            if (self.pristine / name).exists():
                shutil.copytree(self.pristine / name, self.root / name, symlinks=True)

    def enter(self, argv: tuple[str, ...], env: dict[str, str]) -> None:
        os.chroot(self.root)
        os.chdir("/")
        os.execve(argv[0], argv, {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "TERM": "dumb", **env})

    def launch(self, *replies: Reply, argv: tuple[str, ...] = (), **env: str) -> tuple[int, str]:
        """Run the script as WSL does, on a pty. Returns the exit status and what was printed."""
        child, terminal = pty.fork()
        if child == 0:
            self.enter(argv or ("/bin/sh", "-c", f"/{SCRIPT}"), env)
        try:
            text = Dialogue(terminal=terminal, replies=replies, patience=10).run()
        except BaseException:
            os.kill(child, signal.SIGKILL)
            raise
        finally:
            os.close(terminal)
            status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        return status, text

    def run(self, *argv: str, **env: str) -> subprocess.CompletedProcess[str]:
        """Run a command without a terminal and without any input."""
        return subprocess.run(
            ["chroot", str(self.root), *argv],
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **env},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )

    def field(self, table: str, name: str, number: int) -> str:
        for line in (self.root / "etc" / table).read_text().splitlines():
            if line.startswith(f"{name}:"):
                return line.split(":")[number]
        return ""

    def assert_complete(self, name: str = "anna", *, password: bool = True) -> None:
        assert (self.root / MARKER).exists()
        assert not (self.root / CONFIG).exists()
        passwd = (self.root / "etc/passwd").read_text().splitlines()
        assert [line.split(":")[0] for line in passwd if line.split(":")[2] == "1000"] == [name]
        home = self.root / f"home/{name}"
        assert (stat.S_IMODE(home.stat().st_mode), home.stat().st_uid) == (0o700, 1000)
        assert {path.name for path in home.iterdir()} == {path.name for path in self.skeleton()}
        assert name in self.field("group", "sudo", 3).split(",")
        assert self.field("shadow", name, 1).startswith(("!", "*")) is not password
        shadow = (self.root / "etc/shadow").read_text().splitlines()
        assert len([line for line in shadow if line.startswith(f"{name}:")]) == 1

    def skeleton(self) -> list[Path]:
        folder = self.root / "etc/skel"
        return list(folder.iterdir()) if folder.exists() else []


def add_devices(root: Path) -> None:
    (root / "dev").mkdir(exist_ok=True)
    for name, minor, major in (("null", 3, 1), ("tty", 0, 5), ("urandom", 9, 1)):
        (root / "dev" / name).unlink(missing_ok=True)
        os.mknod(root / "dev" / name, stat.S_IFCHR | 0o666, os.makedev(major, minor))
        (root / "dev" / name).chmod(0o666)


def make_debian(root: Path) -> None:
    require(
        shutil.which("mmdebstrap") is not None, "not installed: mmdebstrap (tests/install-tools installs it)"
    )
    command = ["mmdebstrap", "--quiet", "--variant=essential", "--include=passwd,sudo", "bookworm", str(root)]
    made = subprocess.run([*command, "http://deb.debian.org/debian"], capture_output=True, text=True)
    require(made.returncode == 0, f"no Debian mirror: {made.stderr[-200:]}")


def make_busybox(root: Path) -> None:
    busybox = shutil.which("busybox")
    require(busybox is not None, "not installed: busybox (tests/install-tools installs it)")
    applets = subprocess.run([str(busybox), "--list"], capture_output=True, text=True).stdout.split()
    for folder in ("bin", "etc/skel", "home", "var/lib", "usr/bin", "tmp"):
        (root / folder).mkdir(parents=True)
    shutil.copy(str(busybox), root / "bin/busybox")
    for applet in applets:
        if applet != "busybox":
            (root / "bin" / applet).symlink_to("busybox")
    for program in sorted(STANDINS.iterdir()):
        if program.name not in applets:
            shutil.copy(program, root / "bin" / program.name)
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\nadm:x:3:4:adm:/var/adm:/sbin/nologin\n")
    (root / "etc/group").write_text("root:x:0:root\nadm:x:4:\n")
    (root / "etc/shadow").write_text("root:*::0:::::\nadm:!::0:::::\n")
    (root / "etc/skel/.profile").write_text("umask 022\n")


@pytest.fixture(scope="module", params=[make_debian, make_busybox], ids=["debian", "busybox"])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> System:
    require(os.geteuid() == 0, "this test needs root")
    folder = tmp_path_factory.mktemp("first-run")
    system = System(root=folder / "root", pristine=folder / "pristine")
    system.root.mkdir()
    make: Callable[[Path], None] = request.param
    make(system.root)
    add_devices(system.root)
    for name in ("etc", "home"):
        shutil.copytree(system.root / name, system.pristine / name, symlinks=True)
    return system


@pytest.fixture
def system(made: System) -> Iterator[System]:
    made.reset()
    made.install()
    yield made
    made.reset()


pytestmark = pytest.mark.system
on_debian = pytest.mark.parametrize("made", [make_debian], ids=["debian"], indirect=True)


def test_a_bad_name_and_a_password_mismatch_are_asked_again(system: System) -> None:
    names = NAME.model_copy(update={"answers": ("Anna M.", "root", "9lives", "a" * 33, "", "anna")})
    passwords = PASSWORD.model_copy(update={"answers": ("Se-cret.99", "Other.77", "Se-cret.99")})
    status, text = system.launch(names, passwords)
    assert status == 0, text
    assert text.count("cannot be a user name") == 4
    assert "'root' is taken by the system already" in text
    assert "Please try again" in text
    system.assert_complete()
    assert "no-such-group" not in (system.root / "etc/group").read_text()
    assert "anna" in system.field("group", "adm", 3)


def test_a_finished_set_up_asks_nothing(system: System) -> None:
    assert system.launch(NAME, PASSWORD)[0] == 0
    assert system.launch() == (0, "")


@pytest.mark.parametrize("key", ["\x03", "\x04"], ids=["ctrl-c", "ctrl-d"])
def test_leaving_at_the_name_fails_and_says_what_follows(system: System, key: str) -> None:
    status, text = system.launch(NAME.model_copy(update={"answers": (key,)}))
    assert status != 0
    assert "starts again at the next launch" in text
    assert not (system.root / MARKER).exists()
    assert system.launch(NAME, PASSWORD)[0] == 0
    system.assert_complete()


# PAM's misc_conv holds SIGINT back until the line has ended.
def test_leaving_at_the_password_goes_on_with_the_password(system: System) -> None:
    status, text = system.launch(NAME, PASSWORD.model_copy(update={"answers": ("\x03\n",)}))
    assert status != 0
    assert "starts again at the next launch" in text
    status, text = system.launch(PASSWORD)
    assert status == 0
    assert "User name" not in text
    system.assert_complete()


def test_end_of_input_at_the_password_does_not_ask_for_ever(system: System) -> None:
    status, text = system.launch(NAME, PASSWORD.model_copy(update={"answers": ("\x04",) * 30}))
    assert status != 0
    assert "No password was set" in text


def test_no_terminal_and_no_settings_fail_at_once(system: System) -> None:
    result = system.run(f"/{SCRIPT}")
    assert result.returncode != 0
    assert "starts again at the next launch" in result.stderr


@pytest.mark.parametrize("line_end", ["\n", "\r\n"], ids=["lf", "crlf"])
def test_a_file_answers_everything(system: System, line_end: str) -> None:
    system.write(CONFIG, f"# ours{line_end}WSLIMG_USER=anna{line_end}WSLIMG_PASSWORD_HASH={HASH}{line_end}")
    result = system.run(f"/{SCRIPT}")
    assert result.returncode == 0
    assert "Welcome" not in result.stderr
    system.assert_complete()
    assert system.field("shadow", "anna", 1) == HASH


def test_the_environment_wins_over_the_file(system: System) -> None:
    system.write(CONFIG, f"WSLIMG_USER=bert\nWSLIMG_PASSWORD_HASH={HASH}\n")
    assert system.run(f"/{SCRIPT}", WSLIMG_USER="anna").returncode == 0
    system.assert_complete()


def test_a_clear_password_is_refused_as_hash(system: System) -> None:
    result = system.run(f"/{SCRIPT}", WSLIMG_USER="anna", WSLIMG_PASSWORD_HASH="secret")
    assert result.returncode == 1
    assert "not what 'openssl passwd -6' prints" in result.stderr
    assert system.field("passwd", "anna", 0) == ""


def test_the_file_is_never_run(system: System) -> None:
    system.write(CONFIG, f"WSLIMG_USER=$(touch /etc/owned)\nWSLIMG_PASSWORD_HASH={HASH}\ntouch /etc/owned\n")
    assert system.run(f"/{SCRIPT}").returncode != 0
    assert not (system.root / "etc/owned").exists()


def test_preset_asks_nothing_and_locks_the_account(system: System) -> None:
    system.install(mode="preset", user="dev")
    status, text = system.launch()
    assert status == 0
    assert "wsl -u root passwd dev" in text
    system.assert_complete("dev", password=False)


def test_an_unusable_preset_name_fails_with_the_reason(system: System) -> None:
    system.install(mode="preset", user="root")
    status, text = system.launch()
    assert status == 1
    assert "'root' is taken" in text


def test_an_account_that_has_the_number_is_taken_over(system: System) -> None:
    system.write(
        "etc/passwd", (system.root / "etc/passwd").read_text() + "old:x:1000:1000::/home/old:/bin/sh\n"
    )
    status, text = system.launch(PASSWORD)
    assert status == 0, text
    assert "User name" not in text
    system.assert_complete("old")


def with_windows(name: str) -> str:
    """A cmd.exe that knows `name`."""
    return f"#!/bin/sh\nprintf 'UNC paths are not supported.\\r\\n{name}\\r\\n'\n"


def install_with_interop(system: System, *, on: bool, **changes: object) -> None:
    """The script, with its look at the kernel's binfmt_misc turned to a folder of the tree."""
    text = render(**changes)
    assert "/proc/sys/fs/binfmt_misc/" in text
    system.write(SCRIPT, text.replace("/proc/sys/fs/binfmt_misc/", "/etc/binfmt/"), mode=0o755)
    system.write("etc/binfmt/WSLInterop", "enabled\n" if on else "disabled\n")


@pytest.mark.parametrize(
    ("windows", "linux"),
    [
        ("Anna", "anna"),
        ("EXAMPLE\\\\\\\\Anna Muster", "anna-muster"),
        ("J\\303\\274rgen.K", "jrgen-k"),
        ("007bond", "bond"),
    ],
)
def test_the_windows_name_is_suggested_in_a_form_that_works(system: System, windows: str, linux: str) -> None:
    install_with_interop(system, on=True)
    system.write("etc/windows/cmd.exe", with_windows(windows), mode=0o755)
    enter = NAME.model_copy(update={"answers": ("",)})
    status, text = system.launch(enter, PASSWORD, PATH="/usr/sbin:/usr/bin:/sbin:/bin:/etc/windows")
    assert status == 0, text
    assert f"[{linux}]" in text
    system.assert_complete(linux)


def test_a_windows_name_that_the_system_uses_gets_a_suffix(system: System) -> None:
    install_with_interop(system, on=True, mode="windows-name")
    system.write("etc/windows/cmd.exe", with_windows("Root"), mode=0o755)
    assert system.launch(PATH="/usr/sbin:/usr/bin:/sbin:/bin:/etc/windows")[0] == 0
    system.assert_complete("root-user", password=False)


def test_without_interop_no_windows_program_is_run(system: System) -> None:
    install_with_interop(system, on=False, mode="windows-name")
    system.write("etc/windows/cmd.exe", "touch /etc/owned\n", mode=0o755)
    assert system.launch(PATH="/usr/sbin:/usr/bin:/sbin:/bin:/etc/windows")[0] == 0
    assert not (system.root / "etc/owned").exists()
    system.assert_complete("user", password=False)


def test_hooks_run_sorted_as_root_and_a_failure_is_only_reported(system: System) -> None:
    folder = "usr/lib/wslimg/first-run.d"
    system.write(f"{folder}/20-log.sh", 'echo "$WSLIMG_USER $WSLIMG_UID $WSLIMG_HOME" >>/etc/log\n')
    system.write(f"{folder}/10-bad.sh", "#!/bin/sh\necho bad >>/etc/log\nexit 3\n", mode=0o755)
    system.write(f"{folder}/README", "not a hook\n")
    status, text = system.launch(NAME, PASSWORD)
    assert status == 0
    assert "10-bad.sh failed with exit status 3" in text
    assert (system.root / "etc/log").read_text() == "bad\nanna 1000 /home/anna\n"


def test_a_required_hook_that_fails_is_run_again(system: System) -> None:
    hook = "usr/lib/wslimg/first-run.d/10-join.required.sh"
    system.write(hook, "exit 4\n")
    assert system.launch(NAME, PASSWORD)[0] == 1
    system.write(hook, "exit 0\n")
    assert system.launch()[0] == 0
    system.assert_complete()


@on_debian
def test_sudo_is_granted_where_the_distribution_does_not(system: System) -> None:
    system.install(mode="preset", user="dev", admin_group="wheel", passwordless_sudo=True)
    assert system.launch()[0] == 0
    assert system.run("visudo", "-cq").returncode == 0
    result = system.run("su", "dev", "-c", "sudo -n id -u")
    assert result.stdout == "0\n", result.stderr


@on_debian  # only bash can count commands
def test_killed_at_any_command_the_next_launch_completes(system: System) -> None:
    counter = 'set -T; n=0; trap \'n=$((n+1)); [ $n -ne "$LIMIT" ] || kill -9 $$\' DEBUG; . "$SCRIPT"'
    command = ("/bin/bash", "-c", counter)
    killed = 0
    for limit in range(1, 1000, 3):
        system.reset()
        system.install()
        system.write(CONFIG, f"WSLIMG_USER=anna\nWSLIMG_PASSWORD_HASH={HASH}\n")
        status = system.run(*command, LIMIT=str(limit), SCRIPT=f"/{SCRIPT}").returncode
        if status == 0:
            break
        killed += 1
        again = system.run(f"/{SCRIPT}")
        assert again.returncode == 0, (limit, again.stderr)
        system.assert_complete()
    assert killed > 20
