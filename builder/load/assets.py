"""Reads what a recipe names for WSL: an icon, made an ICO of what Windows shows, and a terminal profile.

The shipped icon is an ICO already: a picture converted here has the bytes of this version of Pillow.
"""

from __future__ import annotations

import io
from pathlib import Path

from builder.core.errors import RecipeError
from builder.core.resources import resource_folder
from builder.model.assets import Assets
from builder.recipe import Wsl
from builder.wsl import limits
from builder.wsl.terminal import check_template

# What the start menu, the taskbar and Windows Terminal ask for, at 100 % to 400 % scaling (pixels).
_SIZES = (16, 20, 24, 32, 40, 48, 64, 128, 256)


def read_assets(wsl: Wsl, folder: Path, *, where: str) -> Assets:
    """The assets that `wsl` names, relative to `folder`. Raises RecipeError naming `where` and the file."""
    icon = folder / wsl.icon if wsl.icon else resource_folder("templates") / "icon.ico"
    profile = _read_profile(folder / wsl.terminal_profile, where) if wsl.terminal_profile else None
    return Assets(icon=_read_icon(icon, where), terminal_profile=profile)


def _read_icon(path: Path, where: str) -> bytes:
    data = _read(path, "icon", where)
    if path.suffix.lower() != ".ico":
        data = _convert(data, path, where)
    if len(data) > limits.ICON:
        raise RecipeError(
            f"the icon {path.name} has {len(data)} bytes as ICO, WSL ignores more than {limits.ICON}",
            where=where,
            fix="use a simpler picture, or one of at most 256 x 256 pixels",
        )
    return data


def _convert(data: bytes, path: Path, where: str) -> bytes:
    """`data`, a picture, as ICO in every size up to its own."""
    from PIL import Image, UnidentifiedImageError  # slow to import, and few recipes bring a picture

    try:
        picture = Image.open(io.BytesIO(data)).convert("RGBA")
    except (UnidentifiedImageError, OSError) as error:
        raise RecipeError(
            f"the icon {path.name} is no picture that can be read: {error}", where=where
        ) from None
    sizes = [(size, size) for size in _SIZES if size <= max(picture.size)] or [(16, 16)]
    output = io.BytesIO()
    picture.save(output, format="ICO", sizes=sizes)
    return output.getvalue()


def _read_profile(path: Path, where: str) -> bytes:
    data = _read(path, "terminal profile", where)
    if errors := check_template(data).errors:
        raise RecipeError("\n".join(f"{path.name}: {error}" for error in errors), where=where)
    return data


def _read(path: Path, what: str, where: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise RecipeError(f"the {what} {path} cannot be read: {error.strerror}", where=where) from None
