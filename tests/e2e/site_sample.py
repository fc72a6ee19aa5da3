"""The catalog of a made-up company, for tests of its pages in a browser and for the pictures of the docs."""

from __future__ import annotations

from pathlib import Path

from builder.model.catalog import Mark, Publication
from builder.publish.directory import DirectoryTarget
from tests.unit.publish.catalogs import publication
from tests.unit.publish.sites import derive, new_target, with_packages, write_lists

BASE = {
    "apt": "3.0.3", "base-files": "13.8+deb13u2", "bash": "5.2.37-2", "bash-completion": "1:2.16.0-7",
    "ca-certificates": "20250419", "coreutils": "9.7-3", "curl": "8.14.1-2", "dash": "0.5.12-12",
    "dbus": "1.16.2-2", "dpkg": "1.22.21", "file": "1:5.46-5", "findutils": "4.10.0-3", "git": "1:2.47.3-0",
    "gpgv": "2.4.7-21", "grep": "3.11-4", "gzip": "1.13-1", "iproute2": "6.15.0-1", "less": "668-1",
    "libc6": "2.41-12", "libssl3t64": "3.5.1-1", "login": "1:4.16.0-2", "man-db": "2.13.1-1",
    "nano": "8.4-1", "openssh-client": "1:10.0p1-7", "openssl": "3.5.1-1", "perl-base": "5.40.1-6",
    "procps": "2:4.0.4-9", "rsync": "3.4.1+ds1-5", "sed": "4.9-2", "sudo": "1.9.16p2-3", "systemd": "257.8-1",
    "tar": "1.35+dfsg-3.1", "tzdata": "2025b-4", "util-linux": "2.41-5", "wget": "1.25.0-2",
}  # fmt: skip
OCTOBER = {
    **BASE,
    "curl": "8.14.1-1",
    "git": "1:2.47.2-0.1",
    "openssl": "3.5.0-2",
    "wget": "1.24.5-2",
    "vim": "2:9.1.1230-2",
}
TOOLS = {
    "payments": {"openjdk-21-jdk": "21.0.8+9-1", "maven": "3.9.9-1", "nodejs": "20.19.2+dfsg-1"},
    "data-science": {"python3": "3.13.5-1", "jupyter": "5.7.2-2", "nodejs": "20.19.2+dfsg-1"},
    "firmware": {"gcc-arm-none-eabi": "15:14.2.rel1-1", "openocd": "0.12.0-3", "cmake": "3.31.6-2"},
    "web": {"nodejs": "20.19.2+dfsg-1", "npm": "9.2.0-3", "chromium": "139.0.7258.154-1"},
}  # fmt: skip
TITLES = {
    "debian": ("Debian 13 for developers", "systemd, sudo, git, curl, manual pages; what most people need."),
    "payments": ("Payments services", "Java 21, Maven and Node.js, with our certificates."),
    "data-science": ("Data science", "Python, R and Jupyter, ready for the GPU of the machine."),
    "firmware": ("Firmware toolchain", "Cross compilers and debuggers for all boards since 2019."),
    "embedded": ("Embedded (old boards)", "The toolchain of the boards before 2019."),
    "web": ("Web front end", "Node.js with a browser for end-to-end tests."),
}  # fmt: skip
OWNERS = {
    "debian": "Platform engineering", "payments": "Payments", "data-science": "Research",
    "firmware": "Devices", "embedded": "Devices", "web": "Web guild",
}  # fmt: skip
MB = 1_000_000


def write_sample(folder: Path, **settings: object) -> DirectoryTarget:
    """The catalog and its pages, in `folder`."""
    target = new_target(folder, title="WSL at Example Corp", signed=True, **settings)
    stable, beta = [], []
    for number, flavor in enumerate(TITLES):
        packages = TOOLS.get(flavor, {})
        stable += [
            _image(target, flavor, "2026.09.2", "2026-09-08", {**OCTOBER, **packages}, 212 + 61 * number),
            _image(target, flavor, "2026.10.1", "2026-10-06", {**OCTOBER, **packages}, 214 + 61 * number),
            _image(target, flavor, "2026.11.1", "2026-11-03", {**BASE, **packages}, 211 + 61 * number),
        ]
        if flavor in ("debian", "payments"):
            stable.append(_image(target, flavor, "2026.11.1", "2026-11-03", BASE, 203 + 61 * number, "arm64"))
            beta.append(_image(target, flavor, "2026.12.0-rc1", "2026-11-17", BASE, 213 + 61 * number))
    marks = [
        _mark("withdrawn", "payments", "2026.10.1"),
        _mark("deprecated", "debian", "2026.09.2", "debian"),
    ]
    marks += [
        _mark("deprecated", "embedded", version, "firmware")
        for version in ("2026.09.2", "2026.10.1", "2026.11.1")
    ]
    write_lists(target, {"stable": stable, "beta": beta}, {"stable": tuple(marks)})
    derive(target, "stable", "beta")
    return target


def _image(
    target: DirectoryTarget, flavor: str, version: str, day: str, packages: dict[str, str], size: int,
    architecture: str = "amd64",
) -> Publication:  # fmt: skip
    title, description = TITLES[flavor]
    details = {
        "owner": OWNERS[flavor], "support": f"{flavor}@example.com", "end_of_life": "2028-06-30",
        "changelog": f"https://git.example.com/wsl/{flavor}/releases",
    }  # fmt: skip
    one = publication(
        version, flavor=flavor, architecture=architecture, friendly_name=title, description=description,
        details=details, published=f"{day}T09:30:00Z",
    )  # fmt: skip
    target.put_bytes(one.image.path, b"an image\n")
    image = one.image.model_copy(update={"size": size * MB + 48_576})
    return with_packages(target, one.model_copy(update={"image": image}), packages)


def _mark(kind: str, flavor: str, version: str, use: str = "") -> Mark:
    return Mark.model_validate(
        {"kind": kind, "flavor": flavor, "version": version, "use": use, "marked": "2026-11-04T08:00:00Z"}
    )
