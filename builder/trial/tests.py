"""TESTS: the commands of the recipe that have to succeed in the started image."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from builder.core.errors import UsageError
from builder.model.manifest import Manifest, TestCase
from builder.trial.import_ import Imported
from builder.trial.instance import Instance
from builder.trial.report import StageLog
from builder.trial.session import Account, find_account, make_session


def read_tests(image: Path) -> tuple[TestCase, ...]:
    """The tests in the manifest beside `image`, none without one. Raises UsageError for a broken one."""
    path = image.with_suffix(".manifest.json")
    try:
        return Manifest.model_validate_json(path.read_bytes()).tests
    except FileNotFoundError:
        return ()
    except ValidationError as error:
        problem = error.errors()[0]
        place = ".".join(str(part) for part in problem["loc"])
        raise UsageError(
            f"is no manifest: {place}: {problem['msg']}",
            where=str(path),
            fix="remove it, or build the image again",
        ) from error


def run_tests(
    tests: tuple[TestCase, ...], instance: Instance, imported: Imported, default: Account, log: StageLog
) -> None:
    """Run each command in a login shell of its user; any exit status but 0 is a failure."""
    if not tests:
        log.skipped = "the recipe has no tests"
    for test in tests:
        account = default if test.user == "default" else find_account(imported.tree, test.user)
        if account is None:
            log.fail(f"there is no user {test.user!r}", path=test.run, fix="correct `user` of this test")
            continue
        _run_test(test, instance, imported, account, log)


def _run_test(
    test: TestCase, instance: Instance, imported: Imported, account: Account, log: StageLog
) -> None:
    session = make_session(instance, account, imported.tree, imported.name)
    result = session.run(test.run, network=test.network)
    title = test.run.strip().splitlines()[0]
    log.fact(f"as {account.name}", title)
    if result.status:
        log.fail(f"exit status {result.status}: {result.last_lines}", path=title, fix=_network_fix(test))


def _network_fix(test: TestCase) -> str:
    return "" if test.network else "if it needs the network, say `network: true`"
