"""What the trial says about checks holds for the table of checks."""

from __future__ import annotations

import re
from pathlib import Path

from builder import trial
from builder.check.table import find_rule


def test_every_rule_that_a_trial_names_exists() -> None:
    sources = Path(trial.__file__).parent.glob("*.py")
    named = {rule for source in sources for rule in re.findall(r"WSL\d{3}", source.read_text())}
    assert len(named) > 20
    assert [rule for rule in sorted(named) if find_rule(rule) is None] == []
