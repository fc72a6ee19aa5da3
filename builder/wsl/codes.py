"""The error codes that WSL shows when an image or a distribution list does not suit it.

Sources: microsoft/WSL src/windows/service/inc/wslservice.idl (WSL_E_*), src/windows/common/wslutil.cpp
(the names of the others), localization/strings/en-US/Resources.resw (the messages).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_HEX = re.compile(r"(?:0[xX])?([0-9a-fA-F]{8})")


@dataclass(frozen=True, kw_only=True, slots=True)
class ErrorCode:
    """One HRESULT: `value` is its 32 bits, `when` says what has happened and `fix` how to go on."""

    name: str
    value: int
    when: str
    fix: str

    @property
    def hex(self) -> str:
        """The value as WSL prints it, e.g. 0x8004030B."""
        return f"0x{self.value:08X}"


def _wsl(number: int, name: str, when: str, fix: str) -> ErrorCode:
    """A code of WSL's own range."""
    return ErrorCode(name=f"WSL_E_{name}", value=0x80040300 + number, when=when, fix=fix)


def _system(value: int, name: str, when: str, fix: str) -> ErrorCode:
    return ErrorCode(name=name, value=value, when=when, fix=fix)


_ENABLE = "run `wsl --install --no-distribution`, restart Windows, and enable virtualization in the firmware"
_POLICY = "ask whoever manages the machine: a policy forbids it"
_DISK = "see the kernel's log with `dmesg` inside WSL"

CODES = (
    _wsl(0x01, "DEFAULT_DISTRO_NOT_FOUND", "no distribution is registered", "install one"),
    _wsl(
        0x02,
        "DISTRO_NOT_FOUND",
        "no distribution of that name is registered, or none in the distribution list for this architecture",
        "`wsl -l -v` shows what is registered, `wsl -l -o` what the list offers; a flavor without a Default "
        "entry for this architecture cannot be installed by its flavor's name",
    ),
    _wsl(0x03, "WSL1_NOT_SUPPORTED", "WSL 1 is not enabled", "enable it with `wsl --install --enable-wsl1`"),
    _wsl(0x04, "VM_MODE_NOT_SUPPORTED", "the distribution cannot run as WSL 2", "use a tar-based image"),
    _wsl(0x05, "TOO_MANY_DISKS_ATTACHED", "no room for another disk", "detach one with `wsl --unmount`"),
    _wsl(0x06, "CONSOLE", "the console is the legacy one", "disable the legacy console"),
    _wsl(0x07, "CUSTOM_KERNEL_NOT_FOUND", "the kernel named in .wslconfig is missing", "correct the path"),
    _wsl(
        0x08,
        "USER_NOT_FOUND",
        "the user does not exist in the distribution",
        "only users in /etc/passwd count; correct `user.default` in /etc/wsl.conf or the -u option",
    ),
    _wsl(0x09, "INVALID_USAGE", "the options of wsl.exe do not go together", "see `wsl --help`"),
    _wsl(0x0A, "EXPORT_FAILED", "bsdtar could not write the archive", "read its messages above the error"),
    _wsl(
        0x0B,
        "IMPORT_FAILED",
        "bsdtar, with which WSL extracts an image, ended with an error or a mere warning",
        "read its messages above the error, then check the image: a truncated file, a compression that WSL 1 "
        "lacks, a hard link before its target, a path with `..` or through a link all end here",
    ),
    _wsl(0x0C, "DISTRO_NOT_STOPPED", "the distribution is running", "stop it with `wsl --terminate NAME`"),
    _wsl(0x0D, "TTY_LIMIT", "too many sessions are open", "close some"),
    _wsl(
        0x0E, "CUSTOM_SYSTEM_DISTRO_ERROR", "the system distribution of .wslconfig is unusable", "correct it"
    ),
    _wsl(
        0x0F, "LOWER_INTEGRITY", "WSL runs elevated already", "start wsl.exe elevated, or stop the other one"
    ),
    _wsl(0x10, "HIGHER_INTEGRITY", "WSL runs without elevation already", "start wsl.exe without elevation"),
    _wsl(0x11, "FS_UPGRADE_NEEDED", "the file system of a WSL 1 distribution is old", "start it once"),
    _wsl(0x12, "USER_VHD_ALREADY_ATTACHED", "the distribution's disk is mounted", "run `wsl --unmount`"),
    _wsl(0x13, "VM_MODE_INVALID_STATE", "the distribution is being installed or removed", "wait, try again"),
    _wsl(0x14, "VM_MODE_MOUNT_NAME_ALREADY_EXISTS", "a disk of that name is mounted", "choose another name"),
    _wsl(0x15, "ELEVATION_NEEDED_TO_MOUNT_DISK", "mounting a disk needs elevation", "start wsl.exe elevated"),
    _wsl(0x18, "DISK_ALREADY_ATTACHED", "the disk is attached already", "run `wsl --unmount`"),
    _wsl(0x19, "DISK_ALREADY_MOUNTED", "the disk is mounted already", "run `wsl --unmount`"),
    _wsl(0x1A, "DISK_MOUNT_FAILED", "the disk was attached and could not be mounted", _DISK),
    _wsl(0x1B, "DISK_UNMOUNT_FAILED", "the disk could not be detached", _DISK),
    _wsl(
        0x1C,
        "WSL2_NEEDED",
        "WSL 1 cannot do this; importing a virtual disk, for one",
        "drop `--version 1`, or set the default with `wsl --set-default-version 2`",
    ),
    _wsl(0x1D, "VM_MODE_INVALID_MOUNT_NAME", "the name of a mount is unusable", "choose another name"),
    _wsl(
        0x1E,
        "GUI_APPLICATIONS_DISABLED",
        "WSLg is off",
        "see guiApplications in .wslconfig and `general.guiApplications` in /etc/wsl.conf",
    ),
    _wsl(
        0x1F,
        "DISTRO_ONLY_AVAILABLE_FROM_STORE",
        "a legacy entry of the distribution list has no package address",
        "add Amd64PackageUrl and Arm64PackageUrl, or offer a tar-based image",
    ),
    _wsl(0x20, "WSL_MOUNT_NOT_SUPPORTED", "this Windows cannot mount disks into WSL", "update Windows"),
    _wsl(0x21, "WSL_OPTIONAL_COMPONENT_REQUIRED", "a Windows component is missing", _ENABLE),
    _wsl(0x24, "VMSWITCH_NOT_FOUND", "the switch named in .wslconfig is missing", "correct wsl2.vmSwitch"),
    _wsl(0x25, "VMSWITCH_NOT_SET", "bridged networking without a switch", "set wsl2.vmSwitch in .wslconfig"),
    _wsl(
        0x26,
        "NOT_A_LINUX_DISTRO",
        "the extracted image has neither /etc nor /bin/sh at its root",
        "pack the content of the root file system, not the folder that holds it, and not `docker save`",
    ),
    _wsl(0x27, "OS_NOT_SUPPORTED", "this Windows is too old", "update Windows"),
    _wsl(
        0x28,
        "INSTALL_PROCESS_FAILED",
        "the installer of a legacy distribution failed",
        "use a tar-based image",
    ),
    _wsl(0x29, "INSTALL_COMPONENT_FAILED", "a Windows component could not be enabled", _ENABLE),
    _wsl(0x2A, "PLUGIN_REQUIRES_UPDATE", "a plugin needs a newer WSL", "run `wsl --update`"),
    _wsl(0x2B, "DISK_MOUNT_DISABLED", "`wsl --mount` is forbidden", _POLICY),
    _wsl(0x2C, "WSL1_DISABLED", "WSL 1 is forbidden", _POLICY),
    _wsl(0x2D, "VIRTUAL_MACHINE_PLATFORM_REQUIRED", "the Virtual Machine Platform is missing", _ENABLE),
    _wsl(
        0x2E,
        "LOCAL_SYSTEM_NOT_SUPPORTED",
        "wsl.exe was started by the SYSTEM account",
        "install in the context of the user, e.g. with a script that management runs as the logged-on user",
    ),
    _wsl(0x2F, "DISK_CORRUPTED", "the distribution's disk is damaged", "import the image again"),
    _wsl(
        0x30,
        "DISTRIBUTION_NAME_NEEDED",
        "the image names no default and --name was not given; found out only after extracting everything",
        "set `oobe.defaultName` in /etc/wsl-distribution.conf, or pass --name",
    ),
    _wsl(
        0x31,
        "INVALID_JSON",
        "the distribution list is not JSON or has a wrong type anywhere, which makes all of it invalid",
        "check the list; it must be ASCII without a byte order mark when read through file://",
    ),
    _wsl(0x32, "VM_CRASHED", "the virtual machine of WSL 2 crashed", "see .wslconfig, and `wsl --update`"),
    _system(
        0x80070057,
        "E_INVALIDARG",
        "the name of the distribution is illegal, or its Sha256 in the list is not hexadecimal",
        "use letters, digits, '.', '_' and '-', at most 256, not `legacy`; give an even number of digits",
    ),
    _system(
        0x800700B7,
        "ERROR_ALREADY_EXISTS",
        "a distribution of that name is registered, whatever its case",
        "choose another one with --name, or remove it with `wsl --unregister NAME`",
    ),
    _system(
        0x80070050,
        "ERROR_FILE_EXISTS",
        "the folder or disk of the new distribution is in use",
        "choose another --location",
    ),
    _system(
        0x80096010,
        "TRUST_E_BAD_DIGEST",
        "the file is not the one whose Sha256 is in the distribution list, or the list has none",
        "publish the file under an address that never changes its content, before the list that names it",
    ),
    _system(
        0x8000FFFF,
        "E_UNEXPECTED",
        "`wsl --install` without a name, and the distribution list has no Default",
        "name a distribution, or set Default in the list",
    ),
    _system(
        0x80004005, "E_FAIL", "an old WSL failed, for whatever reason", "run `wsl --update` and try again"
    ),
    _system(0x80070005, "E_ACCESSDENIED", "a file or folder is not accessible", "check the --location"),
    _system(0x80070002, "ERROR_FILE_NOT_FOUND", "the file is missing", "check the path"),
    _system(
        0x80070003,
        "ERROR_PATH_NOT_FOUND",
        "the folder is missing; also what a wrongly written file:// address leads to",
        "write file:///C:/folder/file, and file://///server/share/file for a network share",
    ),
    _system(0x80070070, "ERROR_DISK_FULL", "the disk of Windows is full", "free some room"),
    _system(
        0x80072EE7,
        "WININET_E_NAME_NOT_RESOLVED",
        "the host of the distribution list, or of an image, is unknown",
        "check DNS and proxy; a closed network needs DistributionListUrl, since DistributionListUrlAppend "
        "does not keep wsl.exe from fetching Microsoft's list as well",
    ),
    _system(0x80072EFD, "WININET_E_CANNOT_CONNECT", "the host does not answer", "check firewall and proxy"),
    _system(0x80190194, "HTTP_E_STATUS_NOT_FOUND", "the server has no such file", "check the address"),
)
"""WSL's own codes by number, then those of Windows that an image or list can cause."""


def find_code(text: str) -> ErrorCode | None:
    """The code that `text` names: 0x8004030B, WSL_E_IMPORT_FAILED, IMPORT_FAILED, or the whole
    Wsl/Service/RegisterDistro/WSL_E_IMPORT_FAILED, in any case. None when it is none of `CODES`."""
    last = text.strip().rpartition("/")[2].upper()
    match = _HEX.fullmatch(last)
    value = int(match[1], 16) if match else None
    return next(
        (
            code
            for code in CODES
            if code.value == value or last in (code.name, code.name.removeprefix("WSL_E_"))
        ),
        None,
    )
