"""How events look: plain lines, bars, JSON lines, and the groups of CI systems."""

from __future__ import annotations

import io
import json

import pytest

from builder.console import describe_error, format_size, log_to, open_console, shorten
from builder.core.errors import ExecuteError
from builder.core.events import Note, Output, Progress, StageFinished, StageStarted, Step


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def step(state: str, seconds: float = 0.0) -> Step:
    return Step(title="run: true", key="k", index=2, count=3, state=state, seconds=seconds)


def show(*events, mode="plain", verbosity=0, environ=None, stream=None):
    stream = stream or io.StringIO()
    with open_console(mode, verbosity=verbosity, stream=stream, environ=environ or {}) as sink:
        for event in events:
            sink(event)
    return stream.getvalue()


def test_a_stage_is_one_line_with_its_time():
    shown = show(StageStarted(name="plan"), StageFinished(name="plan", seconds=1.26, detail="4 operations"))
    assert shown == "plan        1.3 s  4 operations\n"


def test_a_step_says_whether_it_ran():
    assert show(step("cached")) == "  [2/3] run: true  cached\n"
    assert show(step("running"), step("done", 2)) == "  [2/3] run: true\n  [2/3] took 2.0 s\n"


def test_the_output_of_steps_is_shown_only_when_asked_for():
    events = (Output(stream="stdout", data=b"hello\n"), step("done"))
    assert "hello" not in show(*events)
    assert "      hello\n" in show(*events, verbosity=1)


def test_output_is_shown_in_whole_lines_whatever_its_chunks():
    chunks = [Output(stream="stdout", data=data) for data in (b"he", b"llo\r\nwor", b"ld")]
    chunks.insert(1, Output(stream="stderr", data=b"oops\n"))
    shown = show(*chunks, step("done"), verbosity=1).splitlines()
    assert shown[:3] == ["      oops", "      hello", "      world"]


def test_output_without_an_end_of_line_is_not_lost():
    assert show(Output(stream="stdout", data=b"last"), verbosity=1) == "      last\n"


def test_quiet_shows_warnings_and_nothing_else():
    events = (Note(message="by the way"), Note(message="careful", level="warning"), step("running"))
    assert show(*events, verbosity=-1) == "warning: careful\n"


def test_plain_progress_tells_only_its_end():
    half = Progress(label="download", done=1, total=2, unit="packages")
    whole = Progress(label="download", done=2, total=2, unit="packages")
    unknown = Progress(label="walk", done=7, total=0, unit="entries")
    assert show(half, unknown, whole) == "  download: 2 packages\n"


def test_json_is_one_object_per_line_with_every_field():
    shown = show(step("running"), Output(stream="stderr", data=b"a\xff"), mode="json")
    first, second = map(json.loads, shown.splitlines())
    assert first == {
        "event": "Step",
        "title": "run: true",
        "key": "k",
        "index": 2,
        "count": 3,
        "state": "running",
        "seconds": 0.0,
    }
    assert second == {"event": "Output", "stream": "stderr", "data": "a\ufffd"}


def test_json_has_no_colour_and_no_group_even_on_a_terminal_of_a_ci_system():
    shown = show(step("cached"), mode="json", stream=Terminal(), environ={"GITHUB_ACTIONS": "true"})
    assert [json.loads(line)["event"] for line in shown.splitlines()] == ["Step"]


def test_github_folds_stages():
    shown = show(
        StageStarted(name="pack"),
        StageFinished(name="pack", seconds=0),
        environ={"GITHUB_ACTIONS": "true"},
    )
    assert shown.splitlines() == ["::group::pack", "pack        0.0 s", "::endgroup::"]


def test_gitlab_folds_stages_under_one_name():
    shown = show(
        StageStarted(name="pack"), StageFinished(name="pack", seconds=0), environ={"GITLAB_CI": "true"}
    )
    first, *_, last = shown.split("\n")[:-1]
    assert first.startswith("\x1b[0Ksection_start:") and first.endswith(":pack\r\x1b[0Kpack")
    assert last.startswith("\x1b[0Ksection_end:") and last.endswith(":pack\r\x1b[0K")


def test_colours_are_for_terminals():
    assert "\x1b[32mcached\x1b[0m" in show(step("cached"), stream=Terminal())
    assert "\x1b" not in show(step("cached"))


def test_no_color_is_obeyed_unless_it_is_empty():
    assert "\x1b" not in show(step("cached"), stream=Terminal(), environ={"NO_COLOR": "1"})
    assert "\x1b" in show(step("cached"), stream=Terminal(), environ={"NO_COLOR": ""})


@pytest.mark.parametrize("environ", [{"CI": "true"}, {"TERM": "dumb"}])
def test_auto_draws_no_bars_in_ci_or_on_a_dumb_terminal(environ):
    half = Progress(label="download", done=1, total=2, unit="B")
    assert show(half, mode="auto", stream=Terminal(), environ=environ) == ""


def test_auto_draws_bars_on_a_terminal_and_takes_them_away():
    events = [Progress(label="download", done=done, total=4096, unit="B") for done in (1024, 4096)]
    shown = show(*events, Note(message="after"), mode="auto", stream=Terminal(), environ={"TERM": "xterm"})
    assert "\r  download: " in shown and "4.00k" in shown
    assert shown.endswith("after\n")


def test_a_bar_that_is_not_full_goes_when_the_console_closes():
    half = Progress(label="download", done=1, total=2, unit="packages")
    *_, last, end = show(half, mode="bar", stream=Terminal()).split("\r")
    assert (last.strip(), end) == ("", "")


def test_the_log_has_the_output_of_steps_and_the_error(tmp_path):
    path = tmp_path / "logs" / "build.log"
    seen = []
    with pytest.raises(ExecuteError), log_to(path, seen.append) as sink:
        sink(Output(stream="stdout", data=b"compiling\n"))
        raise ExecuteError("failed with status 1", where="recipe.yaml:3")
    assert path.read_text() == "      compiling\nerror: recipe.yaml:3: failed with status 1\n"
    assert seen == [Output(stream="stdout", data=b"compiling\n")]


def test_an_error_is_told_with_place_and_fix():
    stream = io.StringIO()
    describe_error(ExecuteError("failed", where="a.yaml:3", fix="do this"), stream)
    assert stream.getvalue() == "error: a.yaml:3: failed\n  fix: do this\n"


def test_a_long_title_is_cut_to_one_line():
    assert shorten("a\nb", 10) == "a b"
    assert shorten("x" * 20, 10) == "xxxxxx ..."


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (4_200_000, "4.2 MB"), (3e12, "3000.0 GB")],
)
def test_sizes_are_told_in_powers_of_ten(size, text):
    assert format_size(size) == text
