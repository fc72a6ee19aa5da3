"""Signatures of OpenSSH: keys, agents and security keys that companies have, and Windows can verify them.

Every act is `ssh-keygen -Y` (ssh-keygen(1)), which needs OpenSSH 8.1 or newer.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from builder.core.errors import PublishError, UsageError

NAMESPACE = "wsl-catalog"
"""What signatures of catalogs are for, so that one made for anything else does not count."""
_IDENTITY = "wslimg"


@dataclass(frozen=True, kw_only=True, slots=True)
class Signer:
    """Signs with the key in the file `key`; a public key means that of the running agent."""

    key: Path

    def sign(self, data: bytes) -> bytes:
        """The armored signature of `data`. Raises PublishError with what ssh-keygen says."""
        done = _run("-Y", "sign", "-q", "-f", str(self.key), "-n", NAMESPACE, data=data)
        if done.returncode:
            raise PublishError(
                f"cannot sign: {_reason(done)}",
                where=str(self.key),
                fix="name a private key, or a public key that ssh-agent holds",
            )
        return done.stdout

    def matches(self, data: bytes, signature: bytes) -> bool:
        """Whether `signature` is one of `data` by this key."""
        return verify(data, signature, f"{_IDENTITY} {self.public_key()}\n", _IDENTITY)

    def public_key(self) -> str:
        """The public key as one line. Raises UsageError where there is none."""
        for path in (self.key.with_name(f"{self.key.name}.pub"), self.key):
            line = _first_line(path)
            if line.startswith(("ssh-", "ecdsa-", "sk-")):
                return line
        done = _run("-y", "-f", str(self.key))
        if done.returncode:
            raise UsageError(
                f"holds no key: {_reason(done)}", where=str(self.key), fix="make one: ssh-keygen -t ed25519"
            )
        return done.stdout.decode("ascii", "replace").strip()


def verify(data: bytes, signature: bytes, allowed: str, identity: str) -> bool:
    """Whether `signature` is one of `data` by `identity` of the list `allowed` (ssh-keygen(1), ALLOWED
    SIGNERS)."""
    with TemporaryDirectory(prefix="wslimg-") as folder:
        signers, file = Path(folder, "allowed"), Path(folder, "signature")
        signers.write_text(allowed, encoding="utf-8")
        file.write_bytes(signature)
        done = _run(
            "-Y", "verify", "-f", str(signers), "-I", identity, "-n", NAMESPACE, "-s", str(file), data=data
        )
    return done.returncode == 0


def read_allowed(path: Path) -> str:
    """The public key or list of allowed signers in `path`, as a list. Raises UsageError."""
    line = _first_line(path)
    if not line:
        raise UsageError("holds neither a public key nor allowed signers", where=str(path))
    if line.startswith(("ssh-", "ecdsa-", "sk-")):
        return f"{_IDENTITY} {line}\n"
    return path.read_text("utf-8", "replace")


def find_identity(signature: bytes, allowed: str) -> str:
    """Who of `allowed` has the key of `signature`, "" if nobody."""
    with TemporaryDirectory(prefix="wslimg-") as folder:
        signers, file = Path(folder, "allowed"), Path(folder, "signature")
        signers.write_text(allowed, encoding="utf-8")
        file.write_bytes(signature)
        done = _run("-Y", "find-principals", "-f", str(signers), "-s", str(file))
    return "" if done.returncode else done.stdout.decode("utf-8", "replace").split("\n")[0]


def _first_line(path: Path) -> str:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return next((line.strip() for line in file if line.strip() and not line.startswith("#")), "")
    except OSError:
        return ""


def _run(*arguments: str, data: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(["ssh-keygen", *arguments], input=data, capture_output=True, check=False)
    except FileNotFoundError:
        raise PublishError(
            "ssh-keygen is not installed", fix="install it: apt install openssh-client"
        ) from None


def _reason(done: subprocess.CompletedProcess[bytes]) -> str:
    lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
    return lines[-1].strip() if lines else f"ssh-keygen ended with {done.returncode}"
