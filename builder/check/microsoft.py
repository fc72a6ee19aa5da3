"""The verdicts of Microsoft's validator, quirks included (microsoft/WSL distributions/validate-modern.py).

The number of a rule is the validator's check in its own order; rows that end in W are its warnings. What is a
traceback there is an error here. Links are followed only where it follows them.
"""

from __future__ import annotations

from builder.check import microsoft_configuration, microsoft_system
from builder.check.image import Image
from builder.check.rule import Rule

RULES: tuple[Rule[Image], ...] = tuple(
    sorted((*microsoft_configuration.RULES, *microsoft_system.RULES), key=lambda rule: rule.id)
)
