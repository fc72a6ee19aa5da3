from __future__ import annotations

from builder.sources.debian.apt_conf import AptSource
from builder.sources.debian.distributions import DEBIAN
from builder.sources.debian.mirrors import choose_addresses

HOST = (
    AptSource("http://host.example/debian/", ("bookworm",)),
    AptSource("http://host.example/debian-security", ("bookworm-security",)),
    AptSource("https://packages.example/other", ("stable",)),
)


def chosen(
    mirror: str = "", snapshot: str = "", variable: str = "", sources: tuple[AptSource, ...] = ()
) -> dict[str, tuple[str, ...]]:
    environment = {"WSLIMG_DEBIAN_MIRROR": variable} if variable else {}
    found = choose_addresses(
        DEBIAN, mirror=mirror, snapshot=snapshot, environment=environment, sources=sources
    )
    return {each.role.name: each.urls for each in found}


def test_without_any_word_the_public_mirrors_serve() -> None:
    assert chosen() == {
        "debian": ("http://ftp.debian.org/debian",),
        "debian-security": ("http://security.debian.org/debian-security",),
    }


def test_sources_of_the_same_distribution_outrank_the_public_mirrors() -> None:
    assert chosen(sources=HOST) == {
        "debian": ("http://host.example/debian",),
        "debian-security": ("http://host.example/debian-security",),
    }


def test_the_variable_outranks_the_host_and_an_argument_the_variable() -> None:
    assert chosen(variable="http://v/debian", sources=HOST)["debian"] == ("http://v/debian",)
    assert chosen(mirror="http://m/debian/", variable="http://v/debian")["debian"] == ("http://m/debian",)


def test_the_security_archive_is_looked_for_beside_the_mirror_and_then_elsewhere() -> None:
    assert chosen(mirror="http://m/pub/debian", sources=HOST)["debian-security"] == (
        "http://m/pub/debian-security",
        "http://host.example/debian-security",
    )


def test_a_snapshot_comes_from_the_snapshot_service_whatever_the_host_says() -> None:
    urls = chosen(snapshot="20250520T000000Z", variable="http://v/debian", sources=HOST)
    assert urls["debian"] == ("https://snapshot.debian.org/archive/debian/20250520T000000Z",)
    urls = chosen(snapshot="20250520T000000Z", mirror="http://s/archive/debian")
    assert urls["debian-security"] == ("http://s/archive/debian-security/20250520T000000Z",)
