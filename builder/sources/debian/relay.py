"""Lets apt in networked steps use the build's mirrors, while the image's sources stay as they are.

apt asks for the public archives, as the image says, through a proxy that knows better. So nothing of the
mirror is in the image's files, not even in the names of apt's lists, and other sources are not affected.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from builder.core.relay import open_relay
from builder.model.surroundings import Surroundings
from builder.sources.debian.archive import Archives

_FILE = "build-apt.conf"


@contextmanager
def relay_archives(archives: Archives, *, old: bool) -> Iterator[Surroundings]:
    """What makes apt use `archives`. With `old` they are a state whose signatures may be out of date."""
    addresses = {each.role.image: each.urls for each in archives.addresses}
    with open_relay(addresses, archives.http) as proxy:
        text = _configure(sorted(addresses), proxy, old=old)
        # The first file that apt reads: what the image itself configures still counts (apt.conf(5)).
        yield Surroundings(
            env=(("APT_CONFIG", f"/run/wslimg/{_FILE}"),), files=((_FILE, text.encode("ascii")),)
        )


def _configure(addresses: list[str], proxy: str, *, old: bool) -> str:
    hosts = dict.fromkeys(urlsplit(address).hostname for address in addresses)
    lines = [f'Acquire::http::Proxy::{host} "{proxy}";' for host in hosts]
    return "\n".join([*lines, *(['Acquire::Check-Valid-Until "false";'] if old else []), ""])
