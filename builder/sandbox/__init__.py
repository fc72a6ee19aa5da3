"""Containers without a daemon: Linux namespaces, overlayfs, capabilities, seccomp and a PID 1 of our own.

Used by `execute` to run build steps and by `trial` to boot images. `container` is the way in::

    container.py   Container: starts one, pumps its streams, ends it
    spec.py        ContainerSpec: what to run on which root, as data
    userns.py      an ordinary user's process becomes uid 0 of its own user namespace
    terminal.py    joins the caller's terminal to the one of a container

`launcher.py` is the other side. It is started as a process of its own with nothing but the standard
library, because a process that forks into namespaces must be small and single-threaded. It imports
`kernel`, `rootfs`, `privileges`, `seccomp`, `accounts`, `boot` and `init`, which therefore avoid imports
that are slow (typing, dataclasses, json): a step pays for them each time.
"""
