"""What turns the unpacked base into a working one: the maintainer scripts, run in a container."""

from __future__ import annotations

from builder.model.operation import Exec

# dpkg would run each preinst before it unpacks; here everything is unpacked, which the preinst of a first
# installation does not notice. They find themselves where dpkg puts them: debconf asks there whose they are
# (debconf: frontend). base-passwd comes first, as it makes the accounts that the others name, and nothing
# may need a dependency before these two (debootstrap configures them likewise).
_SCRIPT = """\
set -e
admin=/var/lib/dpkg
run_preinst() {
  file=${1##*/}; package=${file%.preinst}; name=${package%%:*}
  mkdir "$admin/tmp.ci"
  for part in "$admin/info/$package".*; do cp -p "$part" "$admin/tmp.ci/${part##*.}"; done
  dpkg-query --status "$package" > "$admin/tmp.ci/control"
  DPKG_MAINTSCRIPT_NAME=preinst DPKG_MAINTSCRIPT_PACKAGE=$name DPKG_MAINTSCRIPT_ARCH=$ARCHITECTURE \
    DPKG_MAINTSCRIPT_PACKAGE_REFCOUNT=1 DPKG_ROOT= DPKG_ADMINDIR=$admin DPKG_FORCE=unsafe-io \
    "$admin/tmp.ci/preinst" install
  rm -r "$admin/tmp.ci"
}
for name in base-passwd base-files; do
  script=$admin/info/$name.preinst
  if [ -x "$script" ]; then run_preinst "$script"; fi
done
for script in "$admin"/info/*.preinst; do
  case $script in
    */base-passwd.preinst | */base-files.preinst) ;;
    *) if [ -x "$script" ]; then run_preinst "$script"; fi ;;
  esac
done
dpkg --force-unsafe-io --force-depends --configure base-passwd base-files
dpkg --force-unsafe-io --configure -a
for folder in /var/lib/apt/lists/partial /var/cache/apt/archives/partial; do
  if [ -d "$folder" ]; then chmod 0700 "$folder"; chown _apt "$folder"; fi
done
rm -f "$admin"/*-old /var/cache/debconf/*-old /var/cache/ldconfig/aux-cache \
  /var/log/alternatives.log /var/log/dpkg.log /var/log/bootstrap.log
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
