from __future__ import annotations

from pathlib import Path

from builder.sources.debian.apt_conf import (
    AptSource,
    HostRoute,
    host_route,
    host_sources,
    parse_configuration,
    parse_logins,
)


def test_configuration_in_blocks_and_on_single_lines_with_comments() -> None:
    text = """
    // a comment "with quotes";
    Acquire { http { Proxy "http://proxy:3128"; Proxy::intern.example "DIRECT"; }; Retries "3"; };
    # another
    Acquire::https::Proxy "http://tls:8080"; /* over
    lines */ APT::Get::Assume-Yes "true";
    """
    assert dict(parse_configuration(text)) == {
        "acquire::http::proxy": "http://proxy:3128",
        "acquire::http::proxy::intern.example": "DIRECT",
        "acquire::retries": "3",
        "acquire::https::proxy": "http://tls:8080",
        "apt::get::assume-yes": "true",
    }


def test_the_proxy_of_a_host_outranks_the_general_one() -> None:
    route = HostRoute({"acquire::http::proxy": "http://p:1", "acquire::http::proxy::intern": "direct"}, ())
    assert route("http://deb.example.org/debian").proxy == "http://p:1"
    assert route("http://intern/debian").proxy == "DIRECT"
    assert route("https://deb.example.org/debian").proxy == ""


def test_logins_apply_to_their_machine_scheme_and_path() -> None:
    text = """
    machine mirror.example.org/private login alice password s3cret
    # machine other login nobody password none
    machine http://plain.example.org:8080 login bob password pw
    """
    route = HostRoute({}, tuple(parse_logins(text)))
    assert route("https://mirror.example.org/private/debian/x").login == ("alice", "s3cret")
    assert route("http://mirror.example.org/private/debian/x").login is None
    assert route("https://mirror.example.org/public").login is None
    assert route("http://plain.example.org:8080/debian").login == ("bob", "pw")


def test_sources_of_a_host_in_both_formats(tmp_path: Path) -> None:
    folder = tmp_path / "etc/apt/sources.list.d"
    folder.mkdir(parents=True)
    (tmp_path / "etc/apt/sources.list").write_text(
        "# deb http://no.example/debian sid main\n"
        "deb [arch=amd64 signed-by=/x] http://one.example/debian trixie main\n"
        "deb-src http://source.example/debian trixie main\n"
    )
    (folder / "a.sources").write_text(
        "Types: deb deb-src\nURIs: http://two.example/debian\n http://three.example/debian\n"
        "Suites: trixie trixie-updates\n\n"
        "Enabled: no\nTypes: deb\nURIs: http://off.example/debian\nSuites: trixie\n"
    )
    assert host_sources(tmp_path) == (
        AptSource("http://one.example/debian", ("trixie",)),
        AptSource("http://two.example/debian", ("trixie", "trixie-updates")),
        AptSource("http://three.example/debian", ("trixie", "trixie-updates")),
    )


def test_a_host_without_apt_has_no_sources_and_no_proxies(tmp_path: Path) -> None:
    assert host_sources(tmp_path) == ()
    assert host_route(tmp_path)("http://example.org/").proxy == ""


def test_configuration_files_are_read_from_their_folders(tmp_path: Path) -> None:
    for name in ("apt.conf.d", "auth.conf.d"):
        (tmp_path / "etc/apt" / name).mkdir(parents=True)
    (tmp_path / "etc/apt/apt.conf.d/80proxy").write_text('Acquire::http::Proxy "http://p:1";')
    (tmp_path / "etc/apt/apt.conf.d/90old.bak").write_text('Acquire::http::Proxy "http://wrong:1";')
    (tmp_path / "etc/apt/auth.conf.d/me.conf").write_text("machine m login u password p")
    route = host_route(tmp_path)
    assert route("http://example.org/").proxy == "http://p:1"
    assert route("https://m/").login == ("u", "p")
