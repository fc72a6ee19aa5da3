"""Rules that a company's policy adds. Without a policy they find nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

from builder.check.certificates import read_certificates
from builder.check.image import Image
from builder.check.packages import installed_packages
from builder.check.rule import Hit, Rule
from builder.check.units import enabled_units, is_masked
from builder.core.patterns import matches
from builder.model.entry import Kind
from builder.model.finding import Severity

TYPE_CHECKING = False
if TYPE_CHECKING:  # pydantic is slow to start and large
    from builder.check.policy import Policy, RequiredFile

_DAY = 86_400
_SOURCES = ("etc/apt", "etc/yum.repos.d", "etc/zypp/repos.d", "etc/dnf", "etc/apk", "etc/pacman.d")
_SOURCE_NAMES = re.compile(r".*(\.list|\.sources|\.repo|/repositories|/mirrorlist)")
_ADDRESS = re.compile(r"^[^#\n]*?((?:https?|ftp)://\S+)", re.MULTILINE)
_STORES = (
    "etc/ssl/certs",
    "etc/pki/ca-trust",
    "etc/ca-certificates",
    "usr/local/share/ca-certificates",
    "usr/share/pki",
)


def _with_policy(find: Callable[[Image, Policy], Iterator[Hit]]) -> Callable[[Image], Iterator[Hit]]:
    def apply(image: Image) -> Iterator[Hit]:
        if image.options.policy is not None:
            yield from find(image, image.options.policy)

    return apply


def _find_packages(image: Image, policy: Policy) -> Iterator[Hit]:
    wanted = policy.packages
    installed = installed_packages(image)
    if installed is None:
        if wanted.required or wanted.forbidden:
            yield Hit("", "no package database could be read: whether packages are there is unknown")
        return
    for name in wanted.required:
        if name not in installed:
            yield Hit("", f"package {name} is required and not installed", f"install {name}")
    for name in wanted.forbidden:
        if name in installed:
            yield Hit("", f"package {name} is forbidden and installed", f"remove {name}")


def _find_size(image: Image, policy: Policy) -> Iterator[Hit]:
    if policy.size is not None and image.collected.file_size > policy.size:
        yield Hit("", f"the image has {image.collected.file_size} bytes, the budget is {policy.size}")
    total = sum(node.size for node in {id(node): node for node in image.tree.nodes.values()}.values())
    if policy.installed_size is not None and total > policy.installed_size:
        yield Hit("", f"its files have {total} bytes, the budget is {policy.installed_size}")


def _find_repositories(image: Image, policy: Policy) -> Iterator[Hit]:
    if policy.repository_hosts is None:
        return
    for path, node in image.files(*_SOURCES):
        if not _SOURCE_NAMES.fullmatch(path):
            continue
        for address in _ADDRESS.findall((node.content or b"").decode("utf-8", "replace")):
            host = urlsplit(address).hostname or ""
            if host not in policy.repository_hosts:
                yield Hit(path, f"names the host {host}, allowed are {', '.join(policy.repository_hosts)}")


def _find_certificates(image: Image, policy: Policy) -> Iterator[Hit]:
    wanted = policy.certificates
    if not wanted.required:
        return
    trusted = dict(
        pair for _, node in image.files(*_STORES) for pair in read_certificates(node.content or b"")
    )
    for name in wanted.required:
        end = trusted.get(name.replace(":", "").lower())
        if end is None:
            yield Hit("/etc/ssl/certs", f"the certificate {name} is not trusted")
        elif image.options.now is not None and end.timestamp() < image.options.now + wanted.valid_days * _DAY:
            yield Hit("/etc/ssl/certs", f"the certificate {name} is valid until {end.date()} only")


def _find_sudo(image: Image, policy: Policy) -> Iterator[Hit]:
    for path in ("/etc/sudoers", *(path for path, _ in image.files("etc/sudoers.d"))):
        for line in image.lines(path):
            rule = line.split("#", 1)[0].strip()
            if "NOPASSWD" in rule and not policy.sudo.passwordless:
                yield Hit(path, f"lets {rule.split()[0]} use sudo without a password")
            if rule.startswith("%") and policy.sudo.groups is not None:
                group = rule.split()[0].removeprefix("%")
                if group not in policy.sudo.groups:
                    yield Hit(path, f"lets the group {group} use sudo")


def _find_users(image: Image, policy: Policy) -> Iterator[Hit]:
    names = {user[0] for user in image.users}
    yield from (
        Hit("/etc/passwd", f"user {name} is required") for name in policy.users.required if name not in names
    )
    yield from (
        Hit("/etc/passwd", f"user {name} is forbidden") for name in policy.users.forbidden if name in names
    )


def _find_units(image: Image, policy: Policy) -> Iterator[Hit]:
    enabled = {unit: path for path, unit in enabled_units(image) if not is_masked(image, unit)}
    for unit in policy.units.required:
        if unit not in enabled:
            yield Hit("/etc/systemd/system", f"unit {unit} is required and not enabled")
    for unit in policy.units.forbidden:
        if unit in enabled:
            yield Hit(enabled[unit], f"unit {unit} is forbidden and enabled")


def _find_files(image: Image, policy: Policy) -> Iterator[Hit]:
    for wanted in policy.files.required:
        yield from _judge_file(image, wanted)
    for pattern in policy.files.forbidden:
        yield from (
            Hit(path, f"is forbidden by {pattern}") for path, _ in image.below("") if matches(pattern, path)
        )


def _judge_file(image: Image, wanted: RequiredFile) -> Iterator[Hit]:
    node = image.find(wanted.path)
    if node is None:
        yield Hit(wanted.path, "is required and missing")
        return
    if wanted.mode is not None and node.mode != int(wanted.mode, 8):
        yield Hit(wanted.path, f"is {node.mode:04o}, expected {wanted.mode}")
    if wanted.owner is not None and node.uid != wanted.owner:
        yield Hit(wanted.path, f"belongs to uid {node.uid}, expected {wanted.owner}")
    if wanted.contains is not None and wanted.contains.encode() not in (node.content or b""):
        known = node.content is not None or node.kind is not Kind.FILE or not node.size
        yield Hit(
            wanted.path, f"does not contain {wanted.contains!r}" if known else "is not kept while checking"
        )


def _find_age(image: Image, policy: Policy) -> Iterator[Hit]:
    if policy.age is None or image.options.now is None:
        return
    days = (image.options.now - image.collected.newest) // _DAY
    if days > policy.age:
        yield Hit("", f"its newest file is {days} days old, at most {policy.age} are allowed")


RULES: tuple[Rule[Image], ...] = (
    Rule(
        id="POL901",
        severity=Severity.ERROR,
        title="The policy on packages is broken",
        why="the company's policy demands it",
        source="policy",
        fix="install or remove the package",
        find=_with_policy(_find_packages),
    ),
    Rule(
        id="POL902",
        severity=Severity.ERROR,
        title="The image is over its budget",
        why="the company's policy demands it",
        source="policy",
        fix="remove what is not needed, see WSL701",
        find=_with_policy(_find_size),
    ),
    Rule(
        id="POL903",
        severity=Severity.ERROR,
        title="A package source is not allowed",
        why="the company's policy demands it",
        source="policy",
        fix="use the company's mirror",
        find=_with_policy(_find_repositories),
    ),
    Rule(
        id="POL904",
        severity=Severity.ERROR,
        title="A required certificate is missing or expires",
        why="the company's policy demands it",
        source="policy",
        fix="add the certificate to the recipe",
        find=_with_policy(_find_certificates),
    ),
    Rule(
        id="POL905",
        severity=Severity.ERROR,
        title="The policy on sudo is broken",
        why="the company's policy demands it",
        source="policy",
        fix="change the file in /etc/sudoers.d",
        find=_with_policy(_find_sudo),
    ),
    Rule(
        id="POL906",
        severity=Severity.ERROR,
        title="The policy on users is broken",
        why="the company's policy demands it",
        source="policy",
        fix="create or remove the user",
        find=_with_policy(_find_users),
    ),
    Rule(
        id="POL907",
        severity=Severity.ERROR,
        title="The policy on units is broken",
        why="the company's policy demands it",
        source="policy",
        fix="enable or mask the unit",
        find=_with_policy(_find_units),
    ),
    Rule(
        id="POL908",
        severity=Severity.ERROR,
        title="The policy on files is broken",
        why="the company's policy demands it",
        source="policy",
        fix="add, change or remove the file",
        find=_with_policy(_find_files),
    ),
    Rule(
        id="POL909",
        severity=Severity.ERROR,
        title="The image is too old",
        why="the company's policy demands it",
        source="policy",
        fix="build it again",
        find=_with_policy(_find_age),
    ),
)
