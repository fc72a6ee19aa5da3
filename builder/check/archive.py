"""Rules about the archive as a whole: whether it can be read, and is a root file system at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from builder.check.image import Image
from builder.check.rule import Hit, Rule
from builder.core.errors import WslimgError
from builder.extraction.names import show
from builder.model.entry import Kind
from builder.model.finding import Severity
from builder.tar.compression import Compression
from builder.tar.read import Fault

_IMPORT = "microsoft/WSL src/linux/init/main.cpp:ImportFromSocket"
_DISK = "libarchive archive_write_disk_posix.c"
_REMAKE = "make the archive from the final file system in one go, e.g. with `wslimg build`"
_LAYERS = ("manifest.json", "repositories", "oci-layout", "index.json")


def _find_unreadable(image: Image) -> Iterator[Hit]:
    failure = image.collected.failure
    if isinstance(failure, WslimgError):
        yield Hit(failure.where, failure.message, failure.fix)


def _is_distribution(image: Image) -> bool:
    return image.find("etc") is not None or image.find("bin/sh") is not None


def _is_saved_container(image: Image) -> bool:
    names = {name for name in _LAYERS if image.find(name) is not None}
    return not _is_distribution(image) and ("oci-layout" in names or "manifest.json" in names)


def _nested_root(image: Image) -> str | None:
    """The one directory that holds what should be at the top, two levels deep at most."""
    for path, node in image.nodes:
        if node.kind is Kind.DIRECTORY and path.count(b"/") < 2:
            inside = [image.tree.nodes.get(path + name) for name in (b"/etc", b"/usr", b"/bin")]
            if sum(node is not None for node in inside) >= 2:
                return show(path)
    return None


def _find_no_distribution(image: Image) -> Iterator[Hit]:
    if _is_distribution(image) or image.collected.failure or _is_saved_container(image):
        return
    if _nested_root(image) is None:
        what = "the archive is empty" if not image.collected.members else "there is neither /etc nor /bin/sh"
        yield Hit("/", what)


def _find_nested_root(image: Image) -> Iterator[Hit]:
    if not _is_distribution(image) and not _is_saved_container(image) and (root := _nested_root(image)):
        yield Hit(f"/{root}", "the root file system is not at the top of the archive but in this directory")


def _find_saved_container(image: Image) -> Iterator[Hit]:
    if _is_saved_container(image):
        kind = "an OCI layout" if image.find("oci-layout") else "the output of `docker save`"
        yield Hit("/", f"this is {kind}: layers of a container image, not a root file system")


def _find_root_mode(image: Image) -> Iterator[Hit]:
    member = image.collected.root_member
    if member is not None and (member.mode & 0o7777, member.uid, member.gid) != (0o755, 0, 0):
        mode = f"{member.mode & 0o7777:04o} {member.uid}:{member.gid}"
        yield Hit("/", f"the archive sets mode and owner of / to {mode}, expected 0755 0:0")


def _find_fault(*faults: Fault) -> Callable[[Image], Iterator[Hit]]:
    def find(image: Image) -> Iterator[Hit]:
        for problem in image.collected.problems:
            if problem.fault in faults:
                yield Hit(f"byte {problem.offset} of the archive", problem.fault.value)

    return find


def _find_compression(image: Image) -> Iterator[Hit]:
    kind = image.collected.compression
    if kind in (Compression.GZIP, Compression.XZ) or image.collected.failure:
        return
    yield Hit("", f"the compression is {kind.value}, expected gzip or xz")


def _find_zstd_on_wsl1(image: Image) -> Iterator[Hit]:
    if image.options.wsl1 and image.collected.compression is Compression.ZSTD:
        yield Hit("", "WSL 1 cannot read zstd")


def _find_suffix(image: Image) -> Iterator[Hit]:
    if image.name and not image.name.endswith(".wsl"):
        yield Hit("", f"the file is named {image.name}, expected a name that ends in .wsl")


def _find_security_labels(image: Image) -> Iterator[Hit]:
    for name in ("security.selinux", "security.ima", "security.evm"):
        if paths := image.collected.xattrs.get(name):
            yield Hit(show(paths[0]), f"{len(paths)} members have the attribute {name}")


def _find_global_pax(image: Image) -> Iterator[Hit]:
    keys = [key for key in image.collected.global_pax if key != b"comment"]
    if keys:
        yield Hit("", f"global pax records set {', '.join(map(show, keys))}, which bsdtar ignores")


RULES: tuple[Rule[Image], ...] = (
    Rule(
        id="WSL001",
        severity=Severity.ERROR,
        title="The file is damaged or no tar archive",
        why="the import fails with WSL_E_IMPORT_FAILED, or leaves files out without a word",
        source=_IMPORT,
        fix="make or copy it anew",
        find=_find_unreadable,
    ),
    Rule(
        id="WSL002",
        severity=Severity.ERROR,
        title="There is no Linux distribution inside",
        why="WSL refuses it with WSL_E_NOT_A_LINUX_DISTRO after the whole extraction",
        source="microsoft/WSL src/linux/init/main.cpp:PostProcessImportedDistribution",
        fix="put the content of the root file system at the top of the archive",
        find=_find_no_distribution,
    ),
    Rule(
        id="WSL003",
        severity=Severity.ERROR,
        title="The file is a saved container image",
        why="its layers are archives inside the archive, WSL finds no /etc (microsoft/WSL#12746)",
        source="microsoft/WSL src/linux/init/main.cpp:PostProcessImportedDistribution",
        fix="use it as a source of a recipe, or `docker export` a container of it",
        find=_find_saved_container,
    ),
    Rule(
        id="WSL004",
        severity=Severity.ERROR,
        title="The root file system is inside a directory",
        why="WSL finds no /etc and refuses it with WSL_E_NOT_A_LINUX_DISTRO (microsoft/WSL#9187)",
        source="microsoft/WSL src/linux/init/main.cpp:PostProcessImportedDistribution",
        fix="make the archive with `tar -C DIRECTORY .`",
        find=_find_nested_root,
    ),
    Rule(
        id="WSL027",
        severity=Severity.ERROR,
        title="The archive changes the mode or owner of /",
        why="users other than its owner may not be able to enter any directory",
        source=_DISK,
        fix="leave the entry `./` out, or write it as 0755 0:0",
        find=_find_root_mode,
    ),
    Rule(
        id="WSL028",
        severity=Severity.ERROR,
        title="The file is two archives in a row",
        why="only the first is extracted, without a word",
        source="libarchive archive_read_support_format_tar.c",
        fix="join them with `tar --concatenate`",
        find=_find_fault(Fault.SECOND_ARCHIVE),
    ),
    Rule(
        id="WSL029",
        severity=Severity.WARNING,
        title="Data follows the end of the archive",
        why="it is ignored; often it is the rest of something that was meant to be read",
        source="libarchive archive_read_support_format_tar.c",
        fix=_REMAKE,
        find=_find_fault(Fault.TRAILING_DATA, Fault.COMPRESSED_GARBAGE),
    ),
    Rule(
        id="WSL030",
        severity=Severity.WARNING,
        title="The archive has no proper end",
        why="an archive that was cut between two members looks the same",
        source="POSIX.1-1988, tar: two blocks of zeros",
        fix=_REMAKE,
        find=_find_fault(Fault.NO_END, Fault.SHORT_END),
    ),
    Rule(
        id="WSL031",
        severity=Severity.WARNING,
        title="The compression is neither gzip nor xz",
        why="Microsoft's list refuses it, WSL 1 and older versions may not read it",
        source="microsoft/WSL distributions/validate-modern.py; microsoft/WSL#12466",
        fix="compress with gzip",
        find=_find_compression,
    ),
    Rule(
        id="WSL032",
        severity=Severity.ERROR,
        title="The compression is zstd and WSL 1 is a target",
        why="its bsdtar answers `Unrecognized archive format`",
        source="microsoft/WSL#12466",
        fix="compress with gzip",
        find=_find_zstd_on_wsl1,
    ),
    Rule(
        id="WSL033",
        severity=Severity.WARNING,
        title="The file name does not end in .wsl",
        why="a double click does not install it, and Microsoft's list refuses it",
        source="microsoft/WSL msipackage/package.wix.in",
        fix="rename it",
        find=_find_suffix,
    ),
    Rule(
        id="WSL034",
        severity=Severity.WARNING,
        title="Files carry labels of SELinux, IMA or EVM",
        why="WSL 1 cannot store them and fails; under WSL 2 they mean nothing (microsoft/WSL#3592)",
        source="microsoft/WSL distributions/validate-modern.py",
        fix="drop security.selinux, security.ima and security.evm; keep security.capability",
        find=_find_security_labels,
    ),
    Rule(
        id="WSL035",
        severity=Severity.INFO,
        title="Global pax records are ignored",
        why="bsdtar does not apply them to members",
        source="libarchive archive_read_support_format_tar.c:header_pax_global",
        fix="write the records for each member",
        find=_find_global_pax,
    ),
)
