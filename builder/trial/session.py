"""SESSION: the shell of a user, as WSL opens it after the first launch."""

from __future__ import annotations

import os
from dataclasses import dataclass

from builder.trial.inside import Inside
from builder.trial.instance import Command, Instance, Result
from builder.trial.report import StageLog

_PATH = (
    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/games:/usr/local/games"
    ":/usr/lib/wsl/lib"
)
_LANGUAGE = "en_US.UTF-8"


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """A line of /etc/passwd, where alone WSL looks for users."""

    name: str
    uid: int
    home: str
    shell: str


ROOT = Account(name="root", uid=0, home="/", shell="/bin/sh")  # noqa: S604 - a field, not an option
"""What WSL falls back to when a user is not there."""


def find_account(tree: Inside, wanted: str | int) -> Account | None:
    """The account of that name or number."""
    for line in (tree.read("/etc/passwd") or b"").decode(errors="replace").splitlines():
        fields = line.split(":")
        if len(fields) == 7 and fields[2].isdecimal() and wanted in (fields[0], int(fields[2])):
            name, _, uid, _, _, home, shell = fields
            return Account(name=name, uid=int(uid), home=home or "/", shell=shell or "/bin/sh")
    return None


def read_language(tree: Inside) -> str:
    """LANG of every session. Source: microsoft/WSL src/linux/init/config.cpp."""
    for path in ("/etc/default/locale", "/etc/locale.conf"):
        lines = (tree.read(path) or b"").decode(errors="replace").splitlines()
        values = [line.partition("#")[0].partition("LANG=")[2].strip() for line in lines if "LANG=" in line]
        if values and values[-1]:
            return values[-1].strip("\"'")
    return _LANGUAGE


def bus_environment(account: Account) -> dict[str, str]:
    """What WSL adds where systemd runs, whether the user's systemd has started or not."""
    folder = f"/run/user/{account.uid}"
    return {"XDG_RUNTIME_DIR": folder, "DBUS_SESSION_BUS_ADDRESS": f"unix:path={folder}/bus"}


def session_environment(account: Account, language: str, distribution: str) -> dict[str, str]:
    """All variables of a session, but for those that name a device or a socket of Windows."""
    return {
        "HOME": account.home,
        "HOSTTYPE": os.uname().machine,
        "LANG": language,
        "LOGNAME": account.name,
        "NAME": "wslimg",
        "PATH": _PATH,
        "SHELL": account.shell,
        "TERM": "xterm-256color",
        "USER": account.name,
        "WSLENV": "",
        "WSL_DISTRO_NAME": distribution,
    }


@dataclass(frozen=True, kw_only=True, slots=True)
class Session:
    """Sessions of `account` in `instance`."""

    instance: Instance
    account: Account
    env: dict[str, str]

    def run(self, script: str, *, stdin: str = "", network: bool = False, limit: float = 60) -> Result:
        """Run `script` in a login shell of the user, in the home directory."""
        shell = self.account.shell
        command = Command(
            program=shell,
            argv=("-" + shell.rpartition("/")[2], "-c", script),
            env=self.env,
            user=str(self.account.uid),
            cwd=self.account.home,
            network=network,
            limit=limit,
        )
        return self.instance.run(command, stdin=stdin)


def make_session(instance: Instance, account: Account, tree: Inside, distribution: str) -> Session:
    """Sessions of `account`, with the variables that WSL gives them."""
    environment = session_environment(account, read_language(tree), distribution)
    if instance.booted:
        environment |= bus_environment(account)
    return Session(instance=instance, account=account, env=environment)


def try_session(session: Session, tree: Inside, password: str, log: StageLog) -> None:
    """Look whether the shell starts, who it belongs to, and whether home, locale and sudo work."""
    account = session.account
    log.fact("user", f"{account.name} (uid {account.uid}), {account.shell}, {account.home}")
    if not tree.is_executable(account.shell):
        log.fail(
            f"the shell of {account.name!r} cannot be started",
            path=account.shell,
            fix="install it",
            rule="WSL210",
        )
        return
    started = session.run("exit 0")
    if started.status:
        log.fail(f"the login shell ended with {started.status}: {started.last_lines}", path=account.shell)
        return
    if started.errors.strip():
        log.warn(f"every login prints: {started.last_lines}", path=account.shell, fix="see /etc/profile.d")
    _judge_identity(session, log)
    _judge_home(account, tree, log)
    _judge_locale(session, log)
    _judge_sudo(session, tree, password, log)


def _judge_identity(session: Session, log: StageLog) -> None:
    result = session.run("id")
    log.fact("id", result.output.strip() or result.last_lines)
    if result.status:
        log.warn(
            f"id: {result.last_lines}",
            path="/usr/bin/id",
            fix="ship coreutils: `wsl --manage NAME --set-default-user` runs /usr/bin/id",
        )


def _judge_home(account: Account, tree: Inside, log: StageLog) -> None:
    status = tree.stat(account.home)
    if status is None:
        log.fail("the home directory does not exist; the shell starts in /", path=account.home, rule="WSL211")
    elif status.st_uid != account.uid:
        log.fail(f"the home directory belongs to uid {status.st_uid}", path=account.home, rule="WSL212")


def _judge_locale(session: Session, log: StageLog) -> None:
    language = session.env["LANG"]
    result = session.run("locale")
    missing = "not found" in result.errors or result.status == 127
    log.fact("LANG", language)
    if result.errors.strip() and not missing:
        log.fail(
            f"LANG={language}: {result.last_lines}",
            path="/etc/default/locale",
            fix="generate that locale, or name one that exists, such as C.UTF-8, in /etc/default/locale",
            rule="WSL416",
        )


def _judge_sudo(session: Session, tree: Inside, password: str, log: StageLog) -> None:
    if session.account.uid == 0:
        return
    if not tree.exists("/usr/bin/sudo"):
        log.fact("sudo", "not installed")
        return
    result = session.run("sudo -n -k id -u")
    how = "without a password"
    if result.status and password:
        result, how = session.run("sudo -S -k -p '' id -u", stdin=f"{password}\n"), "with the password"
    if result.status == 0 and result.output.split()[-1:] == ["0"]:
        log.fact("sudo", f"works {how}")
    else:
        log.fact("sudo", f"refused: {result.last_lines}")
