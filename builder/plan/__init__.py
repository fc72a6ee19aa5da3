"""PLAN: Recipe + Lock -> Plan. Pure: the same recipe and lock give the same keys on every machine."""

from builder.plan.plan import digest_recipe, plan_base, plan_recipe

__all__ = ["digest_recipe", "plan_base", "plan_recipe"]
