from __future__ import annotations

import sys
from pathlib import Path

import pytest

from builder.core.errors import PublishError, UsageError
from builder.publish.choose import open_target
from builder.publish.content import CHECKED, FOREVER, cache_control, content_type
from builder.publish.objects_address import open_objects
from builder.publish.rclone import RcloneTarget
from builder.publish.rclone_daemon import find_rclone
from builder.publish.smb_address import parse_share


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("s3://bucket/team/wsl/?region=eu-central-1&endpoint=http://127.0.0.1:1", "s3://bucket/team/wsl"),
        ("az://container/wsl?account=company", "az://container/wsl"),
        ("abfs://container@company.dfs.core.windows.net/wsl", "abfs://company.dfs.core.windows.net/wsl"),
        ("gs://bucket", "gs://bucket"),
    ],
)
def test_an_address_of_a_bucket_is_named_without_its_options(address: str, place: str):
    assert open_target(address).place == place


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("s3:///wsl", "names no bucket"),
        ("s3://bucket?zone=1", "unknown option 'zone'"),
        ("s3://bucket?virtual_hosted_style=perhaps", "cannot be used"),
        ("smb://server", "names no share"),
        ("rclone:remote", "names no remote"),
        ("ftp://server/wsl", "no target for ftp:// addresses"),
    ],
)
def test_an_address_that_says_too_little_or_too_much_is_refused(address: str, message: str):
    with pytest.raises(UsageError, match=message) as caught:
        open_target(address)
    assert caught.value.fix


@pytest.mark.parametrize(
    ("address", "module", "extra"),
    [("s3://bucket", "objects_address", "cloud"), ("smb://server/share", "smb", "smb")],
)
def test_a_missing_library_is_named_with_the_command_that_installs_it(
    address: str, module: str, extra: str, monkeypatch: pytest.MonkeyPatch
):
    library = {"cloud": "obstore.store", "smb": "smbclient"}[extra]
    monkeypatch.delitem(sys.modules, f"builder.publish.{module}", raising=False)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(UsageError, match="need the package") as caught:
        open_target(address)
    assert caught.value.fix == f"pip install 'wslimg[{extra}]'"


def test_a_profile_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("AWS_PROFILE", "team")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    with pytest.raises(UsageError, match="the profile team") as caught:
        open_objects("s3://bucket", {"AWS_PROFILE": "team"})
    assert "export-credentials" in caught.value.fix


def test_a_share_is_parsed_and_its_login_found(tmp_path: Path):
    (tmp_path / "netrc").write_text("machine files login ann password secret\n")
    share = parse_share("smb://files/wsl$/a%20b/c/", {"NETRC": str(tmp_path / "netrc")})
    assert share.locate("x/y.json") == r"\\files\wsl$\a b\c\x\y.json"
    assert share.place == "smb://files/wsl$/a b/c"
    assert (share.user, share.password) == ("ann", "secret")
    share = parse_share("smb://CORP;bob:pass%40word@files:1445/wsl", {})
    assert (share.user, share.password, share.place) == ("CORP\\bob", "pass@word", "smb://files:1445/wsl")
    share = parse_share("smb://files/wsl", {"WSLIMG_SMB_USER": "x@REALM", "WSLIMG_SMB_PASSWORD": "y"})
    assert (share.user, share.password) == ("x@REALM", "y")
    assert parse_share("smb://files/wsl", {"NETRC": str(tmp_path / "none")}).user == ""


def test_the_place_of_a_remote_has_no_secret():
    assert RcloneTarget("rclone::s3,secret_access_key=x:bucket/wsl/").place == "rclone::s3:bucket/wsl"


def test_a_missing_rclone_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sysconfig.get_path", lambda _: str(tmp_path))
    with pytest.raises(PublishError, match="is not installed") as caught:
        find_rclone()
    assert "rclone.org/install" in caught.value.fix


def test_images_are_kept_for_ever_and_lists_asked_about():
    assert cache_control("images/dev/1/dev-1-amd64.wsl") == FOREVER
    assert cache_control("stable/DistributionInfo.json") == CHECKED
    assert content_type("stable/DistributionInfo.json") == "application/json"
    assert content_type("images/dev/1/dev-1-amd64.wsl") == "application/octet-stream"
