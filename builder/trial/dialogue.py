"""Answers the questions that a program asks on a terminal, as a person would.

A `Reply` tells what to type when a prompt appears. The answers of one reply are used in turn and the last one
again and again, so that a mistake can come first and the right answer after it.
"""

from __future__ import annotations

import os
import re
import select
import termios
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from builder.core.errors import UsageError

_REPEATS = 5
_CONTROL = re.compile(r"[\x03\x04]")


class Reply(BaseModel):
    """What to type at a prompt.

    `prompt` is a regular expression for the end of what stands on the terminal. `hidden` answers, passwords,
    are typed only once the terminal no longer echoes. An answer that begins with Ctrl-C (U+0003) or Ctrl-D
    (U+0004) is typed as it is, any other with a return.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    prompt: str
    answers: Annotated[tuple[str, ...], Field(min_length=1)]
    hidden: bool = False


# Our own script first, then what adduser, passwd and the scripts of well-known distributions ask.
DEFAULT_REPLIES = (
    Reply(prompt=r"(?i)(user ?name|unix user|login)[^\n]*[:?] *$", answers=("Bad Name", "tester")),
    Reply(
        prompt=r"(?i)password[^\n]*: *$",
        answers=("Tr1al-one!", "Tr1al-two!", "Tr1al-pass!", "Tr1al-pass!"),
        hidden=True,
    ),
    Reply(prompt=r"(?i)(try again|is the information correct|continue)\?[^\n]*$", answers=("y",)),
    Reply(prompt=r"(?i)(full name|room number|work phone|home phone|other) \[[^\n]*\]: *$", answers=("",)),
)


class UnansweredError(Exception):
    """The dialogue stopped: nothing answers what was asked. The argument is the reason."""


def read_replies(path: Path) -> tuple[Reply, ...]:
    """The replies of a JSON file: `[{"prompt": "User name", "answers": ["anna"], "hidden": false}]`.

    Raises UsageError naming the place in the file.
    """
    try:
        replies = TypeAdapter(tuple[Reply, ...]).validate_json(path.read_bytes())
        for reply in replies:
            re.compile(reply.prompt)
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror}", where=str(path)) from error
    except ValidationError as error:
        problem = error.errors()[0]
        place = ".".join(str(part) for part in problem["loc"])
        raise UsageError(f"{place}: {problem['msg']}".lstrip(": "), where=str(path), fix=_FORMAT) from error
    except re.error as error:
        raise UsageError(f"{error.pattern!r} is no regular expression: {error}", where=str(path)) from error
    return replies


_FORMAT = 'write a JSON list such as [{"prompt": "User name", "answers": ["anna"]}]'


@dataclass(kw_only=True)
class Dialogue:
    """Talks over `terminal`, the master side of a pty, until the other side closes it.

    `patience` is how many seconds of silence are borne, `limit` how many the whole may take.
    `transcript` holds every byte that was printed.
    """

    terminal: int
    replies: tuple[Reply, ...]
    patience: float = 20
    limit: float = 120
    transcript: bytearray = field(default_factory=bytearray)
    _answered: int = 0
    _used: dict[int, int] = field(default_factory=dict)

    def run(self) -> str:
        """Talk to the end. Returns the transcript; raises UnansweredError."""
        end = time.monotonic() + self.limit
        while self._read(end):
            for number, reply in enumerate(self.replies):
                if re.search(reply.prompt, self._unanswered()):
                    self._answer(number, reply)
                    break
        return self.text()

    def text(self) -> str:
        """The transcript with plain line ends."""
        return _plain(self.transcript)

    @property
    def answers(self) -> int:
        """How many answers were typed."""
        return sum(self._used.values())

    def _unanswered(self) -> str:
        return _plain(self.transcript[self._answered :])

    def _read(self, end: float) -> bool:
        left = end - time.monotonic()
        if not select.select([self.terminal], [], [], max(0, min(self.patience, left)))[0]:
            if left <= self.patience:
                raise UnansweredError(f"not ended after {self.limit:.0f} seconds: {self._last_line()!r}")
            raise UnansweredError(f"no answer fits what it asks: {self._last_line()!r}")
        try:
            data = os.read(self.terminal, 65536)
        except OSError:  # EIO: the last one on the other side has gone
            return False
        self.transcript += data
        return bool(data)

    def _last_line(self) -> str:
        return self._unanswered().rsplit("\n", 1)[-1]

    def _answer(self, number: int, reply: Reply) -> None:
        used = self._used.get(number, 0)
        if used >= len(reply.answers) + _REPEATS:
            raise UnansweredError(f"it keeps asking: {self._last_line()!r}")
        if reply.hidden:
            self._await_silence()
        self._used[number], self._answered = used + 1, len(self.transcript)
        answer = reply.answers[min(used, len(reply.answers) - 1)]
        os.write(self.terminal, (answer if _CONTROL.match(answer) else answer + "\n").encode())

    def _await_silence(self) -> None:
        """A password typed while the program still echoes would be shown, and then thrown away."""
        end = time.monotonic() + 2
        while termios.tcgetattr(self.terminal)[3] & termios.ECHO:
            if time.monotonic() > end:
                raise UnansweredError(f"it asks for a password and leaves the echo on: {self._last_line()!r}")
            time.sleep(0.01)


def _plain(data: bytearray) -> str:
    return data.decode(errors="replace").replace("\r\n", "\n")
