"""FIRST LAUNCH: runs `oobe.command` as WSL does, with somebody at the terminal; finds whose shell follows.

Source: microsoft/WSL src/linux/init/init.cpp (the OOBE of a session leader) and
src/windows/service/exe/WslCoreInstance.cpp.
"""

from __future__ import annotations

from builder.trial.dialogue import Reply
from builder.trial.import_ import Imported
from builder.trial.instance import TIMED_OUT, Command, Instance, Result
from builder.trial.report import StageLog
from builder.trial.session import ROOT, Account, find_account, read_language, session_environment
from builder.wsl.keys import ConfigFile

_PLACE = ConfigFile.DISTRIBUTION_CONF.path
_LEAVE = "\x03\n"  # PAM heeds Ctrl-C only once the line has ended


def launch_first(
    instance: Instance, imported: Imported, replies: tuple[Reply, ...], log: StageLog
) -> Account | None:
    """Go through the first launch. Returns the account of the shell that follows, None where none does."""
    command = str(imported.distribution.effective["oobe.command"] or "")
    log.fact("oobe.command", command or "none")
    if command and not _leave_and_return(instance, imported, command, replies, log):
        return None
    return _choose_account(imported, log)


def _leave_and_return(
    instance: Instance, imported: Imported, command: str, replies: tuple[Reply, ...], log: StageLog
) -> bool:
    """Leave at the first question, then answer. WSL runs the command at each launch until it succeeds."""
    leaving = tuple(reply.model_copy(update={"answers": (_LEAVE,), "hidden": False}) for reply in replies)
    left = _launch(instance, imported, command, leaving)
    if left.status == 0 and not left.answers:
        log.fact("questions", "none")
        return True
    if left.status == 0:
        log.fail(
            "left with Ctrl-C it exits with 0: WSL takes the set-up for done and never asks again",
            path=command,
            fix="exit with another status until the user exists",
        )
    result = _launch(instance, imported, command, replies)
    if result.status:
        log.warn(_explain(command, result), path=_PLACE, fix="it is run again at the next launch")
        result = _launch(instance, imported, command, replies)
    if result.status == 0:
        log.fact("answers", f"{result.answers}, after it had been left with Ctrl-C and started again")
        return True
    log.fail(
        _explain(command, result),
        path=_PLACE,
        fix="correct it: until it exits with 0, WSL runs it at every launch and opens no shell",
        rule="WSL117" if result.status in (126, 127) else "",
    )
    return False


def _launch(instance: Instance, imported: Imported, command: str, replies: tuple[Reply, ...]) -> Result:
    root = find_account(imported.tree, 0) or ROOT
    environment = session_environment(root, read_language(imported.tree), imported.name)
    order = Command(
        program="/bin/sh", argv=("/bin/sh", "-c", command), env=environment, cwd=root.home, limit=120
    )
    return instance.talk(order, replies)


def _explain(command: str, result: Result) -> str:
    if result.status == TIMED_OUT and result.errors:
        return f"{result.errors}\n{_tail(result.output)}"
    return f'OOBE command "{command}" failed, exiting ({result.status}): {_tail(result.output)}'


def _tail(output: str) -> str:
    return "\n".join(line.rstrip() for line in output.strip().splitlines()[-8:])


def _choose_account(imported: Imported, log: StageLog) -> Account:
    """Whose the first shell is: oobe.defaultUid, which wins even over `user.default`, else the latter."""
    uid = imported.distribution.effective["oobe.defaultUid"]
    name = imported.wsl.effective["user.default"]
    wanted = uid if isinstance(uid, int) and uid != -1 else name
    root = find_account(imported.tree, 0) or ROOT
    if wanted is None:
        log.warn(
            "the shell is root's: neither oobe.defaultUid nor user.default is set",
            path=_PLACE,
            fix="set oobe.defaultUid to the number of the account that the first launch makes",
            rule="WSL115",
        )
        return root
    account = find_account(imported.tree, wanted if isinstance(wanted, int) else str(wanted))
    if account is None:
        log.fail(
            f"{wanted!r} is not in /etc/passwd after the first launch: WSL opens root's shell instead",
            path=_PLACE,
            fix="make that account in oobe.command or in the image",
            rule="WSL114" if wanted == uid else "WSL119",
        )
        return root
    return account
