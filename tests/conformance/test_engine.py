"""What every engine must do. The rows are in conftest.py; a new engine is one more row."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

import pytest

from builder.core.digests import sha256_bytes
from builder.core.errors import ExecuteError
from builder.core.events import Output
from builder.execute.engine import StepFailedError
from builder.model.entry import Entry, Kind
from builder.model.operation import Content, Exec, Input, PutEntry, Remove, Secret
from builder.pack.settle import settle_directories
from tests.conftest import require

pytestmark = pytest.mark.system


def put_file(path, data=b"new", **fields):
    return PutEntry(
        path=path, kind=Kind.FILE, content=Content(digest="", size=len(data), data=data), **fields
    )


def put_folder(path, mode=None, **fields):
    return PutEntry(path=path, kind=Kind.DIRECTORY, mode=mode, **fields)


def test_capabilities_and_user_attributes_survive_as_the_image_has_them(bench):
    tree = bench.tree(bench.sh("echo y >> /odd/noted; chmod 755 /odd/capable").layer)
    assert tree[b"odd/capable"].xattrs[0][0] == b"security.capability"
    assert tree[b"odd/capable"].xattrs[0][1].hex() == "0100000200200000000000000000000000000000"
    if bench.row != "docker":  # commits security.capability alone of what a command changed
        assert tree[b"odd/noted"].xattrs == ((b"user.note", b"\x00\xff"),)


def test_every_file_has_the_identity_of_the_layer_that_holds_it(bench):
    files = [entry for entry in bench.engine.entries(bench.base) if entry.kind is Kind.FILE]
    (base,) = {entry.identity.layer for entry in files}
    assert len({entry.identity for entry in files}) == len(files)
    assert [entry.identity for entry in bench.engine.entries(bench.base) if entry.kind is Kind.FILE] == [
        entry.identity for entry in files
    ]
    after = bench.tree(bench.sh("echo more >> /names/first").layer)
    assert after[b"names/first"].identity.layer != base
    assert after[b"odd/big"].identity in (None, bench.tree(bench.base)[b"odd/big"].identity)


def test_a_layer_made_again_has_another_identity(bench):
    """What a step on the network leaves under one key need not be the same each time."""
    layer = bench.sh("date > /names/now").layer
    before = bench.engine.fingerprint(layer), bench.tree(layer)[b"names/now"].identity
    assert (bench.engine.fingerprint(layer), bench.tree(layer)[b"names/now"].identity) == before
    bench.engine.forget([layer.key])
    again = bench.engine.put(bench.base, layer.key, ())
    assert bench.engine.fingerprint(again) != before[0]


def test_a_uid_beyond_the_namespace_is_a_clear_error_and_otherwise_survives(bench):
    key, entries = bench.key(), [Entry(b"file", Kind.FILE, 0o644, uid=3_000_000)]
    if not bench.rootless:
        assert bench.tree(bench.engine.base(key, lambda: entries))[b"file"].uid == 3_000_000
        return
    with pytest.raises(ExecuteError, match=r"/file: cannot be written with owner 3000000:0"):
        bench.engine.base(key, lambda: entries)
    assert bench.engine.layer(key) is None


@pytest.mark.connection
@pytest.mark.parametrize(
    ("argv", "status"),
    [
        (("sh", "-c", "exit 7"), 7),
        (("no-such-command",), 127),
        (("/etc",), 126),
        (("sh", "-c", "kill -9 $$"), 137),
        (("sh", "-c", "kill -15 $$"), 143),
    ],
)
def test_exit_codes_are_those_of_docker(bench, argv, status):
    with pytest.raises(StepFailedError) as caught:
        bench.run(*argv)
    assert caught.value.exit_status == status


def test_a_failure_shows_the_last_lines(bench):
    with pytest.raises(StepFailedError, match=r"(?s)status 3.*\| line 2") as caught:
        bench.sh("for i in $(seq 1 99); do echo early; done; echo 'line 1' >&2; echo 'line 2'; exit 3")
    assert caught.value.message.count("early") < 25


def test_a_failed_command_leaves_no_layer(bench):
    key = bench.key()
    with pytest.raises(StepFailedError):
        bench.run("false", key=key)
    assert bench.engine.layer(key) is None


@pytest.mark.connection
def test_output_arrives_live_and_on_separate_streams(bench):
    seen = []

    def sink(event):
        assert isinstance(event, Output)
        seen.append((time.monotonic(), event.stream, event.data.strip()))

    script = "echo one; sleep 0.3; echo two >&2; sleep 0.3; echo three"
    bench.engine.run(bench.base, bench.key(), Exec(argv=("sh", "-c", script), env=(("PATH", "/bin"),)), sink)
    assert [line[1:] for line in seen] == [("stdout", b"one"), ("stderr", b"two"), ("stdout", b"three")]
    assert seen[2][0] - seen[0][0] > 0.4


def test_the_environment_is_the_one_given_with_home_added(bench):
    out = bench.run("env", env=(("PATH", "/bin"), ("NAME", "a b\nc")), user="alice").stdout
    lines = [line for line in out.decode().splitlines() if line.partition("=")[0] not in bench.additions]
    assert sorted(lines) == sorted(["HOME=/home/alice", "NAME=a b", "PATH=/bin", "c"])


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        ("root", "0 0 0"),
        ("alice", "1000 1000 50 1000"),
        ("1000", "1000 1000 50 1000"),
        ("alice:staff", "1000 50 50"),
        ("4321:77", "4321 77 77"),
    ],
)
def test_the_user_is_looked_up_in_the_image(bench, user, expected):
    out = (
        bench.sh("echo $(id -u) $(id -g) $(id -G | tr ' ' '\n' | sort -n)", user=user).stdout.decode().split()
    )
    assert out[:2] == expected.split()[:2]
    assert sorted(set(out[2:])) == sorted(expected.split()[2:])


def test_an_unknown_user_is_a_clear_error(bench):
    with pytest.raises(ExecuteError, match="no user 'nobody-here' in /etc/passwd of the image"):
        bench.run("true", user="nobody-here")


def test_an_ordinary_user_can_open_its_standard_streams_by_name(bench):
    assert bench.sh("echo out > /dev/stdout; echo err > /dev/stderr", user="alice").stderr == b"err\n"


def test_the_working_directory_is_the_one_given(bench):
    assert bench.run("pwd", cwd="/home/alice").stdout == b"/home/alice\n"


@pytest.mark.connection
def test_the_command_reads_its_standard_input(bench):
    assert bench.run("sh", stdin=b"echo from a script\n").stdout == b"from a script\n"
    assert bench.run("wc", "-c", stdin=b"x" * 300_000).stdout == b"300000\n"
    assert bench.run("cat").stdout == b""


@pytest.mark.connection
def test_a_time_out_kills_everything(bench):
    start = time.monotonic()
    with pytest.raises(StepFailedError, match="longer than 1 s") as caught:
        bench.sh("(trap '' TERM; sleep 4711) & sleep 4711", timeout=1)
    assert caught.value.exit_status == 124
    assert time.monotonic() - start < 3


def test_a_daemon_left_behind_does_not_hold_up_the_step(bench):
    start = time.monotonic()
    bench.sh("(setsid sleep 4712 &) ; echo started")
    assert time.monotonic() - start < 3


def test_signals_reset_so_that_pipes_end_quietly(bench):
    assert bench.sh("yes | head -n 1").stdout == b"y\n"


def test_what_a_command_may_do_is_what_docker_allows(bench):
    out = bench.sh("grep -E '^(CapBnd|CapEff|Seccomp):' /proc/self/status").stdout.decode().split()
    assert out == ["CapEff:", "00000000a80425fb", "CapBnd:", "00000000a80425fb", "Seccomp:", "2"]
    attempts = ["mount -t tmpfs none /home", "echo x > /proc/sys/kernel/hostname"]
    if not bench.row.startswith("podman"):  # whose filter lets everybody have user namespaces
        attempts.append("unshare -U true")
    for attempt in attempts:
        with pytest.raises(StepFailedError):
            bench.sh(attempt)


def test_setuid_programs_work(bench):
    script = "rm /bin/su; cp /bin/busybox /bin/su; chmod 4755 /bin/su; sed -i s/^root:x:/root::/ /etc/passwd"
    layer = bench.sh(script).layer
    assert bench.tree(layer)[b"bin/su"].mode == 0o4755
    # Not as the first command: catatonit, Podman's PID 1, may find that it cannot signal what became root.
    su = "/bin/su -c 'id -u; grep CapEff /proc/self/status'; true"
    out = bench.sh(su, on=layer, user="alice").stdout
    assert out.split() == [b"0", b"CapEff:", b"00000000a80425fb"]


def test_without_a_network_there_is_only_loopback(bench):
    out = bench.sh("ls /sys/class/net; ping -c 1 -W 1 127.0.0.1 > /dev/null && echo reached").stdout
    assert out.split() == [b"lo", b"reached"]


def test_names_resolve_where_the_network_is_asked_for(bench):
    if bench.has_daemon:  # which have a network of their own, that leads nowhere
        given = bench.run("cat", "/etc/resolv.conf", network=True).stdout.splitlines()
        servers = Path("/etc/resolv.conf").read_bytes().splitlines()
        assert {line for line in servers if line.startswith(b"nameserver")} <= set(given)
        return
    name = "deb.debian.org"
    try:
        socket.getaddrinfo(name, 80)
    except OSError:
        require(False, "this host itself cannot resolve names")
    assert name.encode() in bench.run("nslookup", name, network=True).stdout


def test_hosts_and_resolver_of_the_image_survive(bench, read):
    own = [put_file("/etc/hosts", b"own hosts\n"), put_file("/etc/resolv.conf", b"own resolver\n")]
    layer = bench.engine.put(bench.base, bench.key(), own)
    result = bench.sh("cat /etc/hosts; echo lost > /etc/resolv.conf", on=layer, network=True)
    assert b"127.0.0.1 localhost" in result.stdout.replace(b"\t", b" ")
    tree = bench.tree(result.layer)
    assert (read(tree[b"etc/hosts"]), read(tree[b"etc/resolv.conf"])) == (b"own hosts\n", b"own resolver\n")


def test_a_resolver_that_is_a_dangling_link_still_resolves(bench):
    link = PutEntry(path="/etc/resolv.conf", kind=Kind.SYMLINK, target="../run/systemd/resolve/stub.conf")
    layer = bench.engine.put(bench.base, bench.key(), [link])
    result = bench.sh("cat /etc/resolv.conf", on=layer, network=True)
    assert result.stdout == Path("/etc/resolv.conf").read_bytes()
    assert bench.tree(result.layer)[b"etc/resolv.conf"].kind is Kind.SYMLINK


def test_a_command_that_changes_nothing_leaves_nothing(bench):
    before = list(bench.engine.entries(bench.base))
    layer = bench.sh("cat /etc/hosts /etc/resolv.conf; touch /tmp/x /run/y /dev/shm/z", network=True).layer
    after = list(bench.engine.entries(layer))
    if bench.has_daemon:  # which touch /etc; directories get one time when they are packed
        before, after = (list(settle_directories(entries, 0)) for entries in (before, after))
    assert [entry[:10] for entry in after] == [entry[:10] for entry in before]


@pytest.mark.connection
def test_inputs_are_shown_read_only_and_gone_afterwards(bench, tmp_path):
    (tmp_path / "on-disk").write_bytes(b"from a path")
    digest = sha256_bytes(b"from a path")
    inputs = (
        Input(name="inline", content=Content(digest="", size=6, data=b"inline")),
        Input(name="on-disk", content=Content(digest=digest, size=11, path=tmp_path / "on-disk")),
    )
    result = bench.sh(
        "cd /run/wslimg/inputs; cat inline on-disk; ! echo x > on-disk", inputs=inputs, user="alice"
    )
    assert result.stdout == b"inlinefrom a path"
    assert not any(b"wslimg" in path for path in bench.tree(result.layer))


@pytest.mark.parametrize("change", ["altered", "gone"])
def test_a_file_that_is_not_what_was_planned_gets_into_no_layer(bench, tmp_path, change):
    path, key = tmp_path / "file", bench.key()
    path.write_bytes(b"planned")
    content = Content(digest=sha256_bytes(b"planned"), size=7, path=path)
    path.write_bytes(b"ALTERED") if change == "altered" else path.unlink()
    message = "has changed since" if change == "altered" else "is gone since"
    with pytest.raises(ExecuteError, match=f"{path}: {message} the build was planned"):
        bench.engine.put(bench.base, key, [PutEntry(path="/file", kind=Kind.FILE, content=content)])
    with pytest.raises(ExecuteError, match=f"{path}: {message} the build was planned"):
        bench.run("true", key=key, inputs=(Input(name="file", content=content),))
    assert bench.engine.layer(key) is None


def test_secrets_are_readable_by_the_user_alone_and_in_no_layer(bench, tmp_path):
    secret = Secret(name="token", path=tmp_path / "token")
    secret.path.write_bytes(b"s3cret")
    script = "cat /run/secrets/token; stat -c %a:%U /run/secrets/token"
    result = bench.sh(script, secrets=(secret,), user="alice")
    assert result.stdout == b"s3cret400:alice\n"
    assert not any(b"secrets" in path for path in bench.tree(result.layer))


def test_a_missing_secret_is_a_clear_error(bench, tmp_path):
    with pytest.raises(ExecuteError, match="the secret token cannot be read: No such file"):
        bench.run("true", secrets=(Secret(name="token", path=tmp_path / "token"),))


def test_caches_persist_from_step_to_step_outside_of_the_image(bench):
    layer = bench.sh("echo kept > /var/cache/tool/x", caches=("/var/cache/tool",)).layer
    assert not any(path.startswith(b"var") for path in bench.tree(layer))
    assert bench.sh("cat /var/cache/tool/x", caches=("/var/cache/tool",)).stdout == b"kept\n"


@pytest.mark.connection
def test_what_a_command_removes_and_makes_anew_does_not_show_what_was_below(bench):
    layer = bench.sh("rm -r /real/sub; mkdir /real/sub; echo x > /real/sub/other; rm /names/first").layer
    tree = bench.tree(layer)
    assert [path for path in tree if path.startswith(b"real")] == [b"real", b"real/sub", b"real/sub/other"]
    assert b"names/first" not in tree and tree[b"names/second"].kind is Kind.FILE
    assert bench.engine.read(layer, "/real/sub/file") is None


def test_put_over_what_was_removed_starts_afresh(bench):
    gone = bench.engine.remove(bench.base, bench.key(), Remove(patterns=("/real/sub",)))
    layer = bench.engine.put(gone, bench.key(), [put_file("/real/sub/other")])
    assert [path for path in bench.tree(layer) if path.startswith(b"real/")] == [
        b"real/sub",
        b"real/sub/other",
    ]
    assert bench.sh("ls /real/sub", on=layer).stdout == b"other\n"


@pytest.mark.connection
def test_a_second_run_of_a_key_finds_the_layer(bench):
    key = bench.key()
    first = bench.sh("echo once", key=key)
    assert (first.stdout, bench.sh("echo once", key=key).stdout) == (b"once\n", b"")
    assert bench.engine.layer(key) == first.layer


@pytest.mark.connection
def test_a_forgotten_layer_is_gone_and_can_be_made_again(bench):
    key = bench.key()
    bench.sh("echo once", key=key)
    bench.engine.forget([key, bench.key()])
    assert bench.engine.layer(key) is None
    assert bench.sh("echo once", key=key).stdout == b"once\n"


@pytest.mark.connection
def test_a_shell_works_on_a_throw_away_copy_and_on_the_tree_of_a_failed_step(bench, capfd):
    key = bench.key()
    with pytest.raises(StepFailedError):
        bench.sh("echo trace > /trace; exit 1", key=key)
    assert bench.engine.shell(bench.base, failed=key, argv=("/bin/cat", "/trace")) == 0
    assert capfd.readouterr().out == "trace\n"
    assert bench.engine.shell(bench.base, argv=("/bin/sh", "-c", "echo > /made; exit 5")) == 5
    assert b"made" not in bench.tree(bench.base)


def test_nothing_is_left_behind(bench):
    seconds = f"{os.getpid()}{time.monotonic_ns() % 10**6}"  # nobody else sleeps so long
    bench.sh(f"sleep {seconds} & setsid sleep {seconds} & true")
    with pytest.raises(StepFailedError):
        bench.sh("exit 9")
    assert str(bench.cache) not in Path("/proc/self/mountinfo").read_text()
    assert not [
        name for name in os.listdir("/proc") if name.isdecimal() and _runs(name, f"sleep\0{seconds}".encode())
    ]
    assert not [path for path in bench.cache.rglob("*.part*") if "diff" not in path.parts]


def _runs(process, words):
    try:
        return words in Path(f"/proc/{process}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_base_may_take_content_back_when_the_next_entry_comes(bench, tmp_path):
    def entries():
        for name in ("a", "b"):
            path = tmp_path / name
            path.write_text(name)
            yield Entry(name.encode(), Kind.FILE, 0o644, size=1, open=lambda path=path: os.open(path, 0))
            path.unlink()

    layer = bench.engine.base(bench.key(), entries)
    assert [bench.engine.read(layer, name) for name in ("/a", "/b")] == [b"a", b"b"]


def test_root_needs_no_entry_in_passwd(bench):
    layer = bench.engine.remove(bench.base, bench.key(), Remove(patterns=("/etc/passwd",)))
    assert bench.run("id", "-u", on=layer).stdout == b"0\n"
