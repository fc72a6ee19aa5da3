"""TRY: what happens to an image when WSL imports and starts it, stage by stage, on Linux.

::

    import        extracted as WSL's bsdtar does, then the name, icon and profile that WSL would register
    start         what WSL changes before anything of the distribution runs
    boot          systemd, where the image wants it
    first launch  oobe.command on a terminal, with somebody who answers
    session       the user's shell, home, locale and sudo; the user's systemd
    tests         the commands of the recipe
    shutdown      systemd's way down
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from builder.core.errors import UsageError
from builder.core.events import Note, Sink, StageFinished, StageStarted, discard
from builder.extraction.remove import remove_tree
from builder.model.manifest import TestCase
from builder.sandbox.boot import refuse_boot
from builder.sandbox.userns import enter_user_namespace
from builder.trial.boot import boot_systemd, start_systemd, wants_systemd
from builder.trial.dialogue import DEFAULT_REPLIES, Reply
from builder.trial.first_launch import launch_first
from builder.trial.import_ import Imported, import_image
from builder.trial.instance import Instance, start_instance
from builder.trial.prepare import prepare_tree
from builder.trial.report import StageLog, TrialLog, TrialReport
from builder.trial.session import Account, make_session, try_session
from builder.trial.start import can_run, judge_shell, run_start_commands, show_resolver
from builder.trial.stop import stop
from builder.trial.tests import read_tests, run_tests
from builder.trial.user_session import user_session

STAGES = ("import", "start", "boot", "first launch", "session", "tests", "shutdown")


@dataclass(frozen=True, kw_only=True, slots=True)
class TrialOptions:
    """How to try an image. `replies` answer its first launch, `tests` run in addition to its manifest's."""

    wsl1: bool = False
    boot: bool = True
    keep: bool = False
    replies: tuple[Reply, ...] = DEFAULT_REPLIES
    tests: tuple[TestCase, ...] = ()

    @property
    def password(self) -> str:
        """What the default user's password is after the first launch, as far as the replies tell."""
        hidden = [reply.answers[-1] for reply in self.replies if reply.hidden]
        return hidden[-1] if hidden else ""


def try_image(image: Path, options: TrialOptions, sink: Sink = discard) -> TrialReport:
    """Go through all stages; those after a failure that leaves nothing to go on with are skipped.

    As an ordinary user the whole process moves into a user namespace. Raises UsageError where the image
    cannot be read or this host cannot try it. Nothing is left behind but the tree, with `keep`.
    """
    if not image.is_file():
        raise UsageError("there is no such image", where=str(image))
    enter_user_namespace()
    log = TrialLog()
    with _work_folder(keep=options.keep, sink=sink) as folder:
        trial = _Trial(image=image, options=options, log=log, sink=sink)
        trial.go_through(folder / "tree")
    return TrialReport(image=image.name, stages=tuple(log.stages))


@contextmanager
def _work_folder(*, keep: bool, sink: Sink) -> Iterator[Path]:
    """A folder that only its owner can enter: the tree has set-user-ID programs and devices."""
    folder = Path(tempfile.mkdtemp(prefix="wslimg-try-"))
    (folder / "tree").mkdir()
    try:
        yield folder
    finally:
        if keep:
            sink(Note(message=f"kept {folder}; remove it with: sudo rm -rf {folder}"))
        else:
            remove_tree(folder)


@dataclass(frozen=True, kw_only=True)
class _Trial:
    """One trial under way."""

    image: Path
    options: TrialOptions
    log: TrialLog
    sink: Sink

    def go_through(self, tree: Path) -> None:
        with self._stage("import") as stage:
            imported = import_image(self.image, tree, stage, wsl1=self.options.wsl1)
        if imported is None:
            return self._skip_from("start", "the import failed")
        with self._stage("start") as stage:
            prepare_tree(imported.tree, imported.wsl, stage)
        if stage.failed:
            return self._skip_from("boot", "WSL does not start it")
        with ExitStack() as stack:
            with self._stage("boot") as stage:
                instance = self._start(imported, stage, stack)
            if not can_run(instance):
                return self._skip_from("first launch", "nothing runs in it")
            return self._use(instance, imported)

    def _start(self, imported: Imported, stage: StageLog, stack: ExitStack) -> Instance:
        """Start the distribution, with systemd where it wants that and this trial can."""
        tree = imported.tree.folder
        stage.skipped = self._refuse_boot()
        if not stage.skipped and wants_systemd(imported, stage):
            instance = stack.enter_context(start_systemd(tree))
            boot_systemd(instance, imported, stage)
        else:
            instance = stack.enter_context(start_instance(tree))
        judge_shell(instance, stage)
        if can_run(instance):
            show_resolver(instance)
            run_start_commands(instance, imported, stage)
        return instance

    def _refuse_boot(self) -> str:
        if not self.options.boot:
            return "--no-boot"
        if self.options.wsl1:
            return "WSL 1 has no systemd"
        return refuse_boot()

    def _use(self, instance: Instance, imported: Imported) -> None:
        with self._stage("first launch") as stage:
            account = launch_first(instance, imported, self.options.replies, stage)
        if account is None:
            self._skip("session", "the first launch failed: WSL opens no shell")
            self._skip("tests", "the first launch failed")
        else:
            self._use_session(instance, imported, account)
        with self._stage("shutdown") as stage:
            stop(instance, imported, stage)

    def _use_session(self, instance: Instance, imported: Imported, account: Account) -> None:
        with ExitStack() as stack:
            with self._stage("session") as stage:
                if instance.booted:
                    stack.enter_context(user_session(instance, imported, account, stage))
                session = make_session(instance, account, imported.tree, imported.name)
                try_session(session, imported.tree, self.options.password, stage)
            with self._stage("tests") as stage:
                tests = (*read_tests(self.image), *self.options.tests)
                run_tests(tests, instance, imported, account, stage)

    @contextmanager
    def _stage(self, name: str) -> Iterator[StageLog]:
        self.sink(StageStarted(name=name))
        with self.log.stage(name) as stage:
            yield stage
        done = self.log.stages[-1]
        self.sink(StageFinished(name=name, seconds=done.seconds, detail=done.outcome.value))

    def _skip(self, name: str, reason: str) -> None:
        self.log.skip(name, reason)

    def _skip_from(self, name: str, reason: str) -> None:
        for later in STAGES[STAGES.index(name) :]:
            self._skip(later, reason)
