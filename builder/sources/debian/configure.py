"""What turns the unpacked base into a working one: the maintainer scripts, run in a container."""

from __future__ import annotations

from builder.model.operation import Exec

# dpkg would run each preinst before it unpacks. Here everything is unpacked already, which preinst scripts
# of a first installation do not notice. base-passwd makes the accounts that the others name.
# The database's accounts exist before the rest, because scripts call chown with names.
_SCRIPT = """\
set -e
export DPKG_MAINTSCRIPT_NAME=preinst DPKG_MAINTSCRIPT_ARCH="$ARCHITECTURE" DPKG_MAINTSCRIPT_PACKAGE_REFCOUNT=1
export DPKG_ROOT= DPKG_ADMINDIR=/var/lib/dpkg DPKG_FORCE=unsafe-io
run_preinst() {
  package=${1##*/}; package=${package%.preinst}
  DPKG_MAINTSCRIPT_PACKAGE=${package%%:*} "$1" install
}
for name in base-passwd base-files; do
  script=/var/lib/dpkg/info/$name.preinst
  if [ -x "$script" ]; then run_preinst "$script"; fi
done
for script in /var/lib/dpkg/info/*.preinst; do
  case $script in
    */base-passwd.preinst | */base-files.preinst) ;;
    *) if [ -x "$script" ]; then run_preinst "$script"; fi ;;
  esac
done
unset DPKG_MAINTSCRIPT_NAME DPKG_MAINTSCRIPT_ARCH DPKG_MAINTSCRIPT_PACKAGE_REFCOUNT
unset DPKG_ROOT DPKG_ADMINDIR DPKG_FORCE
dpkg --force-unsafe-io --force-depends --configure base-passwd base-files
dpkg --force-unsafe-io --configure -a
rm -f /var/lib/dpkg/*-old /var/log/alternatives.log /var/log/dpkg.log /var/cache/ldconfig/aux-cache
"""


def configure_operations(architecture: str, time: int) -> tuple[Exec, ...]:
    """The commands that configure the unpacked base of `architecture`, without network.

    `time` is the lock's, in seconds since the epoch: what scripts generate carries it.
    """
    environment = {
        "ARCHITECTURE": architecture,
        "DEBCONF_NONINTERACTIVE_SEEN": "true",
        "DEBIAN_FRONTEND": "noninteractive",
        "HOME": "/root",
        "LC_ALL": "C.UTF-8",
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "SOURCE_DATE_EPOCH": str(time),
    }
    return (Exec(argv=("/bin/sh",), env=tuple(environment.items()), stdin=_SCRIPT.encode()),)
