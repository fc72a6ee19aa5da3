"""Rules about what should not leave the place where the image was made."""

from __future__ import annotations

import re
from collections.abc import Iterator

from builder.check.image import Image
from builder.check.rule import Hit, Rule
from builder.extraction.names import show
from builder.extraction.tree import Nature, Node
from builder.model.entry import Kind
from builder.model.finding import Severity

_HARMLESS_KEYS = re.compile(
    rb"usr/(share|lib|local/share)/.*|.*/(tests?|testdata|fixtures|examples?|docs?)/.*", re.DOTALL
)
_CREDENTIALS = re.compile(
    rb".*/(\.netrc|_netrc|\.git-credentials|\.pgpass|\.npmrc|\.pypirc|\.vault-token|\.docker/config\.json"
    rb"|\.config/containers/auth\.json|\.aws/credentials|\.azure/(accessTokens\.json|msal_token_cache.*)"
    rb"|\.config/gcloud/.*credentials.*|\.kube/config|\.config/gh/hosts\.yml|\.cargo/credentials(\.toml)?)"
    rb"|etc/apt/auth\.conf(\.d/.*)?|run/secrets/.+",
    re.DOTALL,
)
_UNDOTTED = (b"etc/apt/auth.conf", b"run/secrets/")
"""How paths begin that a pattern of `_where` can match and that have neither a name with a dot before it nor
one that ends in _netrc."""

_HISTORIES = re.compile(
    rb".*/\.(bash|zsh|ash|sh|python|mysql|psql|sqlite)_history|.*/\.(lesshst|viminfo|wget-hsts)", re.DOTALL
)
_IN_ADDRESS = re.compile(rb"://[^/\s:@]+:[^/\s@]+@")


def _where(image: Image, pattern: re.Pattern[bytes]) -> Iterator[tuple[str, Node]]:
    for path, node in image.nodes:
        # Nearly no path comes further than this, which costs a tenth of the pattern.
        if not (b"/." in path or path[:1] == b"." or path.endswith(b"_netrc") or path.startswith(_UNDOTTED)):
            continue
        if (
            node.kind is Kind.FILE
            and node.size
            and pattern.fullmatch(b"/" + path if b"/" not in path else path)
        ):
            yield f"/{show(path)}", node


def _find_private_keys(image: Image) -> Iterator[Hit]:
    for path, node in image.nodes:
        if (
            node.nature is Nature.PRIVATE_KEY
            and not _HARMLESS_KEYS.fullmatch(path)
            and b"ssh_host_" not in path
        ):
            yield Hit(f"/{show(path)}", "is a private key")


def _find_credentials(image: Image) -> Iterator[Hit]:
    yield from (Hit(path, "holds credentials") for path, _ in _where(image, _CREDENTIALS))


def _find_histories(image: Image) -> Iterator[Hit]:
    yield from (Hit(path, f"has {node.size} bytes") for path, node in _where(image, _HISTORIES))


def _find_passwords_in_addresses(image: Image) -> Iterator[Hit]:
    for path, node in image.files("etc"):
        if node.content and len(node.content) < 65536 and _IN_ADDRESS.search(node.content):
            yield Hit(path, "has an address with a password in it")


def _find_authorized_keys(image: Image) -> Iterator[Hit]:
    for path, _ in _where(image, re.compile(rb".*/\.ssh/authorized_keys2?", re.DOTALL)):
        yield Hit(path, "lets the owner of a key in")


RULES: tuple[Rule[Image], ...] = (
    Rule(
        id="WSL501",
        severity=Severity.WARNING,
        title="A private key is inside",
        why="everyone who has the image has the key",
        source="CWE-321",
        fix="remove it, and replace the key wherever it is used",
        find=_find_private_keys,
    ),
    Rule(
        id="WSL502",
        severity=Severity.WARNING,
        title="Credentials are inside",
        why="everyone who has the image can use them",
        source="CWE-522",
        fix="remove the file, and revoke them; give steps secrets that leave nothing behind",
        find=_find_credentials,
    ),
    Rule(
        id="WSL503",
        severity=Severity.INFO,
        title="The history of a shell is inside",
        why="commands often hold names and passwords",
        source="CWE-532",
        fix="remove it",
        find=_find_histories,
    ),
    Rule(
        id="WSL504",
        severity=Severity.WARNING,
        title="A password is in an address",
        why="everyone who has the image can use it",
        source="CWE-522",
        fix="remove it, and change the password",
        find=_find_passwords_in_addresses,
    ),
    Rule(
        id="WSL505",
        severity=Severity.INFO,
        title="A key opens every installation",
        why="sshd lets its owner in, if it is started",
        source="sshd(8)",
        fix="remove it unless that is the intention",
        find=_find_authorized_keys,
    ),
)
