"""The limits WSL puts on an image. Beyond them it mostly fails without a word to the user."""

from __future__ import annotations

ICON = 1 << 20
"""Largest shortcut.icon, in bytes, inclusive; a larger one is ignored. Microsoft's guide says 10 MB.
Source: microsoft/WSL src/linux/init/main.cpp:PostProcessImportedDistribution."""

PROFILE_TEMPLATE = 1 << 20
"""Largest windowsterminal.profileTemplate, in bytes, inclusive; a larger one is ignored. Same source."""

DISTRIBUTION_NAME = 256
"""Longest name of a distribution, in characters.
Source: microsoft/WSL src/windows/service/exe/LxssUserSession.cpp:s_ValidateDistroName."""

HOST_NAME = 64
"""Longest host name, in characters. Source: microsoft/WSL src/shared/inc/stringshared.h:CleanHostname."""

PATH_COMPONENT = 255
"""Longest name of one file, in bytes: the image is extracted to ext4 (linux/fs/ext4/ext4.h:EXT4_NAME_LEN)."""

XATTRS = 4096
"""Room for the extended attributes of one file, in bytes: one block of ext4."""

VISIBLE_VERSIONS = 4
"""How many versions of a flavor `wsl --list --online` shows; the others can be installed all the same.
Source: microsoft/WSL src/windows/common/WslClient.cpp, `--list --online`."""
