"""An image as the rules see it: the tree, and the files of it that WSL reads, already parsed."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from functools import cached_property

from builder.check.collect import Collected
from builder.check.options import CheckOptions
from builder.extraction.names import show
from builder.extraction.tree import Node, Tree
from builder.model.entry import Kind
from builder.wsl.config import ParsedConfig, parse_config
from builder.wsl.keys import ConfigFile

MACHINES = {62: "amd64", 183: "arm64"}
"""ELF's e_machine of the two architectures that WSL runs on (linux/elf-em.h)."""


class Image:
    """The subject of the rules; everything is computed once, when first asked for."""

    def __init__(self, collected: Collected, options: CheckOptions, *, name: str = "") -> None:
        self.collected = collected
        self.options = options
        self.name = name

    @property
    def tree(self) -> Tree:
        """What extracting leaves."""
        return self.collected.extraction.tree

    def find(self, path: str, *, follow: bool = True) -> Node | None:
        """The node at `path`."""
        return self.tree.find(path, follow=follow)

    def content(self, path: str) -> bytes | None:
        """The content of the regular file at `path`, links followed; None where there is none or not kept."""
        node = self.find(path)
        return node.content if node is not None else None

    def lines(self, path: str) -> list[str]:
        """The lines of a text file, [] where there is none; bytes that are not UTF-8 are surrogates."""
        return (self.content(path) or b"").decode("utf-8", "surrogateescape").splitlines()

    @cached_property
    def wsl_conf(self) -> ParsedConfig | None:
        """/etc/wsl.conf as WSL reads it."""
        data = self.content("etc/wsl.conf")
        return None if data is None else parse_config(data, ConfigFile.WSL_CONF)

    @cached_property
    def distribution_conf(self) -> ParsedConfig | None:
        """/etc/wsl-distribution.conf as WSL reads it."""
        data = self.content("etc/wsl-distribution.conf")
        return None if data is None else parse_config(data, ConfigFile.DISTRIBUTION_CONF)

    def setting(self, key: str) -> object:
        """The value of `section.key` of whichever file has it, after defaults."""
        for config in (self.wsl_conf, self.distribution_conf):
            if config is not None and key in config.effective:
                return config.effective[key]
        return None

    @cached_property
    def systemd(self) -> bool:
        """Whether WSL would start systemd."""
        return self.setting("boot.systemd") is True

    @cached_property
    def users(self) -> tuple[tuple[str, ...], ...]:
        """The lines of /etc/passwd, split; not every one need have seven fields."""
        return tuple(tuple(line.split(":")) for line in self.lines("etc/passwd") if line.strip())

    @cached_property
    def architecture(self) -> str | None:
        """What was asked for, or what /bin/sh or /sbin/init are made for: amd64, arm64, None if neither."""
        if self.options.architecture:
            return self.options.architecture
        for path in ("bin/sh", "bin/bash", "sbin/init"):
            node = self.find(path)
            if node is not None and node.machine is not None:
                return MACHINES.get(node.machine[1])
        return None

    @cached_property
    def nodes(self) -> list[tuple[bytes, Node]]:
        """Every raw path below the root with its node, sorted."""
        nodes = self.tree.nodes
        return [(path, nodes[path]) for path in self._paths if path]

    @cached_property
    def _paths(self) -> list[bytes]:
        return sorted(self.tree.nodes)

    def below(self, folder: str) -> Iterator[tuple[str, Node]]:
        """Everything below `folder`, links to which are followed, sorted, by absolute path."""
        real = self.tree.resolve(folder.encode())
        if real is None:
            return
        prefix = real + b"/" if real else b""
        for index in range(bisect_left(self._paths, prefix), len(self._paths)):
            path = self._paths[index]
            if not path.startswith(prefix):
                return
            if path:
                yield "/" + show(path), self.tree.nodes[path]

    def files(self, *folders: str) -> Iterator[tuple[str, Node]]:
        """The regular files of `below`, for each folder."""
        for folder in folders:
            yield from ((path, node) for path, node in self.below(folder) if node.kind is Kind.FILE)
