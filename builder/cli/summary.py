"""What `build` and `plan` say at their end."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from builder.console import format_size
from builder.model.finding import Severity
from builder.pipeline.build import BuildResult
from builder.pipeline.explain import ExplainedOperation, ExplainedPlan


def describe_build(result: BuildResult) -> str:
    """The files of an image, its size and digest, the time of each stage, and how to install it."""
    image = result.manifest.image
    stages = ", ".join(f"{name} {seconds:.1f}" for name, seconds in result.seconds.items())
    warnings = sum(finding.severity is Severity.WARNING for finding in result.findings)
    return "\n".join(
        (
            "",
            f"  image     {result.image}  {format_size(image.size)}",
            f"            {format_size(image.tar_size)} unpacked, {result.manifest.entries} entries, "
            f"{result.manifest.packages} packages",
            f"  sha256    {image.sha256}",
            f"  manifest  {result.manifest_file}",
            f"  inventory {result.inventory_file}",
            f"  log       {result.log_file}",
            f"  check     no errors, {warnings} warnings"
            + (f": wslimg check {result.image}" if warnings else ""),
            f"  time      {sum(result.seconds.values()):.1f} s: {stages}",
            f"  install   wsl --install --from-file {windows_path(result.image)}",
        )
    )


def windows_path(path: Path) -> str:
    """How Windows calls `path`, where that is known: inside WSL, through wslpath(1)."""
    if not os.environ.get("WSL_DISTRO_NAME") or shutil.which("wslpath") is None:
        return path.name
    answer = subprocess.run(
        ["wslpath", "-w", str(path.absolute())], capture_output=True, text=True, check=False
    )
    return answer.stdout.strip() if answer.returncode == 0 else path.name


def describe_plan(plan: ExplainedPlan) -> str:
    """Each operation with its key, whether it is cached, and if not, why it would run."""
    count = len(plan.operations)
    lines = [f"{plan.name} {plan.version} {plan.architecture}: {count} operations, tree {plan.key[:12]}"]
    lines += [_describe(index, each) for index, each in enumerate(plan.operations, 1)]
    return "\n".join(lines)


def _describe(index: int, operation: ExplainedOperation) -> str:
    state = "cached" if operation.cached else f"runs ({operation.change})"
    place = f"  {operation.place}" if operation.place else ""
    return f"  {index:>2} {operation.key[:12]} {operation.kind:<6} {operation.title}{place}\n     {state}"
