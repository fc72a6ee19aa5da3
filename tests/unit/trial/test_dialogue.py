from __future__ import annotations

import json
import os
import pty
import signal
from pathlib import Path

import pytest

from builder.core.errors import UsageError
from builder.trial.dialogue import Dialogue, Reply, UnansweredError, read_replies

NAME = Reply(prompt=r"Name: $", answers=("wrong", "anna"))
PASSWORD = Reply(prompt=r"Password: $", answers=("secret",), hidden=True)


def talk(script: str, *replies: Reply, patience: float = 5, limit: float = 20) -> tuple[str, int]:
    child, terminal = pty.fork()
    if child == 0:
        os.execv("/bin/sh", ["sh", "-c", script])
    dialogue = Dialogue(terminal=terminal, replies=replies, patience=patience, limit=limit)
    try:
        return dialogue.run(), dialogue.answers
    finally:
        os.close(terminal)
        os.kill(child, signal.SIGKILL)  # who ignores SIGHUP, as under nohup, goes on without a terminal
        os.waitpid(child, 0)


def test_answers_are_used_in_turn_and_the_last_one_again() -> None:
    text, answers = talk("for n in 1 2 3; do printf 'Name: '; read -r x; echo got $x; done", NAME)
    assert [line for line in text.splitlines() if line.startswith("got")] == [
        "got wrong",
        "got anna",
        "got anna",
    ]
    assert answers == 3


def test_a_password_waits_for_the_echo_to_be_off() -> None:
    script = "printf 'Password: '; sleep 0.3; stty -echo; read -r x; stty echo; [ $x = secret ] && echo right"
    text, _ = talk(script, PASSWORD)
    assert "right" in text
    assert "secret" not in text


def test_a_password_prompt_that_echoes_is_told() -> None:
    with pytest.raises(UnansweredError, match="leaves the echo on: 'Password: '"):
        talk("printf 'Password: '; read -r x", PASSWORD)


def test_ctrl_d_ends_the_input() -> None:
    text, _ = talk("printf 'Name: '; read -r x || echo ended", Reply(prompt="Name: $", answers=("\x04",)))
    assert text.endswith("ended\n")


def test_a_question_without_answer_is_told_with_its_words() -> None:
    with pytest.raises(UnansweredError, match="no answer fits what it asks: 'Favourite colour\\? '"):
        talk("printf 'Favourite colour? '; read -r x", NAME, patience=0.5)


def test_a_program_that_never_stops_asking_is_stopped() -> None:
    with pytest.raises(UnansweredError, match="it keeps asking: 'Name: '"):
        talk("while :; do printf 'Name: '; read -r x || exit; done", NAME)


def test_a_program_that_never_ends_is_stopped() -> None:
    with pytest.raises(UnansweredError, match="not ended after 1 seconds"):
        talk("while :; do echo busy; sleep 0.1; done", NAME, limit=1)


def test_replies_are_read_from_json(tmp_path: Path) -> None:
    path = tmp_path / "answers.json"
    path.write_text(json.dumps([{"prompt": "Name", "answers": ["anna"]}]))
    assert read_replies(path) == (Reply(prompt="Name", answers=("anna",)),)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "Invalid JSON"),
        ('[{"prompt": "x", "answers": []}]', "0.answers: Tuple should have at least 1 item"),
        ('[{"prompt": "x", "answers": ["y"], "secret": true}]', "0.secret: Extra inputs are not permitted"),
        ('[{"prompt": "(", "answers": ["y"]}]', "'(' is no regular expression"),
    ],
)
def test_a_wrong_file_is_refused_with_the_place(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "answers.json"
    path.write_text(text)
    with pytest.raises(UsageError) as caught:
        read_replies(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        read_replies(tmp_path / "none.json")
