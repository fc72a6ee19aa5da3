"""Samba and Apache over a folder."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.conformance.servers import free_port, running
from tests.conftest import require

SMB = """
[global]
  smb ports = {port}
  interfaces = 127.0.0.1
  bind interfaces only = yes
  server role = standalone
  disable netbios = yes
  private dir = {folder}
  lock directory = {folder}
  state directory = {folder}
  cache directory = {folder}
  pid directory = {folder}
  ncalrpc dir = {folder}/rpc
  passdb backend = tdbsam:{folder}/passdb.tdb
  log file = {folder}/log
  load printers = no
  printcap name = /dev/null
  rpc_server:spoolss = disabled
[share]
  path = {root}
  read only = no
[readonly]
  path = {root}
  read only = yes
[full]
  path = {full}
  read only = no
"""


@contextmanager
def samba_server(root: Path, folder: Path, full: Path) -> Iterator[int]:
    """The port of Samba with the shares `share` and `readonly` of `root`, and `full` of that; root's
    password is `secret`."""
    require(shutil.which("smbd") is not None, "Samba is not installed (apt install samba)")
    require(os.geteuid() == 0, "Samba needs root")
    folder.mkdir()
    port = free_port()
    config = folder / "smb.conf"
    config.write_text(SMB.format(port=port, folder=folder, root=root, full=full))
    subprocess.run(
        ["smbpasswd", "-c", config, "-L", "-a", "-s", "root"],
        input=b"secret\nsecret\n", check=True, capture_output=True,
    )  # fmt: skip
    command = ["smbd", "-F", "--no-process-group", "-s", config]
    with running(command, port, folder / "out"):
        yield port


APACHE = """
ServerRoot {folder}
ServerName localhost
Listen 127.0.0.1:{port}
PidFile {folder}/pid
ErrorLog {folder}/error.log
User www-data
Group www-data
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authn_core_module {modules}/mod_authn_core.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule mime_module {modules}/mod_mime.so
LoadModule dav_module {modules}/mod_dav.so
LoadModule dav_fs_module {modules}/mod_dav_fs.so
TypesConfig /dev/null
DavLockDB {root}/DavLock
DocumentRoot {root}
<Directory {root}>
  Require all granted
  Dav On
</Directory>
"""


@contextmanager
def apache_server(root: Path, folder: Path) -> Iterator[str]:
    """Apache with mod_dav: honours conditions, wants folders made first."""
    modules = Path("/usr/lib/apache2/modules")
    require(shutil.which("apache2") is not None, "Apache is not installed (apt install apache2-bin)")
    require(os.geteuid() == 0, "Apache has to change its user")
    shutil.chown(root, "www-data")
    shutil.chown(folder, "www-data")
    port = free_port()
    config = folder / "httpd.conf"
    config.write_text(APACHE.format(folder=folder, port=port, modules=modules, root=root))
    with running(["apache2", "-DFOREGROUND", "-f", config], port, folder / "out"):
        yield f"http://127.0.0.1:{port}"
