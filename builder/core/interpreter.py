"""Settings of Python itself that suit a process which does nothing but build images."""

from __future__ import annotations

import gc
import sys

_OBJECTS = 1_000_000
"""How many more objects than before make Python look for cycles. A tree of 10^5 entries is made of plain
tuples, and with the default of 700 a build spends a sixth of its time on looking through them once more."""

_TURN = 0.0001
"""For how many seconds the thread that has the interpreter may keep others waiting. Those that compress,
hash and expand need it for a moment every millisecond; with the default of 0.005 they mostly wait."""


def tune_interpreter() -> None:
    """Call once, where a process begins."""
    gc.set_threshold(_OBJECTS)
    sys.setswitchinterval(_TURN)
