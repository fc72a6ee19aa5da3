"""What people type on Windows to install a release, and to see that they have the right bytes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from builder.model.catalog import ListedImage
from builder.publish.layout import SIGNATURE, SUMS, join_url
from builder.publish.quoting import powershell
from builder.publish.sign import NAMESPACE
from builder.publish.site.describe import Release, Site
from builder.wsl.lookup import windows_path
from builder.wsl.names import refuse_name


@dataclass(frozen=True, kw_only=True, slots=True)
class Block:
    """Lines for PowerShell under a `title`."""

    title: str
    lines: tuple[str, ...]


def install_by_name(name: str) -> str:
    """The command that installs what `name` leads to."""
    return f"wsl --install {word(name)}"


def install_by_channel(release: Release) -> dict[str, list[str]]:
    """Command -> the channels in which it installs `release`: by its flavor's name where that leads to it."""
    commands: dict[str, list[str]] = {}
    for offer in release.offers:
        if not offer.withdrawn:
            name = release.flavor if offer.current else release.name
            commands.setdefault(install_by_name(name), []).append(offer.channel)
    return commands


def install_from_file(release: Release) -> Iterator[Block]:
    """For each architecture how to fetch the image and install it under its own name if its digest is right,
    without any setting of the machine. One statement does both: of lines that are pasted into a prompt, an
    error in one does not keep the next from running."""
    for image in release.images:
        file, fetch = _fetch(image.url, image.image.path)
        lines = (
            f"if ((Get-FileHash -LiteralPath {file}).Hash -eq '{image.image.sha256.upper()}') {{",
            f"  wsl --install --from-file {file} --name {word(release.name)}",
            "} else { Write-Error 'This is not the file that was published.' }",
        )
        yield Block(title=f"On {describe_machine(image)}", lines=(*fetch, *lines))


def verify_signature(site: Site, release: Release) -> tuple[str, ...]:
    """For a signed catalog the lines that show whether its publisher vouches for `release`, else none."""
    channels = [offer.channel for offer in release.offers if not offer.withdrawn]
    if not site.signed or not channels:
        return ()
    folder = join_url(site.base_url, channels[0])
    fetch = [_fetch_here(f"{folder}/{name}", name) for name in (SUMS, SUMS + SIGNATURE)]
    check = (
        f'cmd /c "ssh-keygen -Y verify -f allowed_signers -I SIGNER -n {NAMESPACE} '
        f'-s {SUMS}{SIGNATURE} < {SUMS}"'
    )
    digests = ",".join(f"'{image.image.sha256}'" for image in release.images)
    look = f"Select-String -SimpleMatch {digests} {SUMS}"
    return (*fetch, check, look)


def word(name: str) -> str:
    """`name` as one argument, also where an entry was written by hand and says what WSL would refuse."""
    return powershell(name) if refuse_name(name) else name


def describe_machine(image: ListedImage) -> str:
    """Windows' words for the architecture of `image`."""
    return {"amd64": "x64 (amd64)", "arm64": "Arm (arm64)"}[image.architecture]


def _fetch(url: str, path: str) -> tuple[str, tuple[str, ...]]:
    """The file to use and the line that brings it here; one on a share or disk is used where it is."""
    place = windows_path(url)
    if place is not None:
        return powershell(place), ()
    name = path.rpartition("/")[2]
    return powershell(name), (_fetch_here(url, name),)


def _fetch_here(url: str, name: str) -> str:
    """The line that makes a file `name` here of what is at `url`."""
    place = windows_path(url)
    if place is not None:
        return f"Copy-Item -LiteralPath {powershell(place)} -Destination {powershell(name)}"
    return f"curl.exe --fail --location --output {powershell(name)} {powershell(url)}"
