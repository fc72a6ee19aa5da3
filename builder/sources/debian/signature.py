"""Clear-signed texts, verified against a keyring without any program of the host."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from pysequoia import Cert, verify
from pysequoia.packet import PacketPile, Tag

from builder.core.errors import ResolveError

_KEYRINGS = Path(__file__).resolve().parent.parent / "keyrings"


class Verified(NamedTuple):
    """The signed text alone, and when the last of the keys that signed it expires (None: never)."""

    text: str
    expires: datetime | None


def read_keyring(path: Path) -> tuple[Cert, ...]:
    """The certificates in the file `path`, binary or ASCII-armoured. Raises ResolveError."""
    try:
        # A file of apt may hold several armoured blocks one after another.
        blocks = path.read_bytes().split(b"-----BEGIN PGP PUBLIC KEY BLOCK-----")
        if len(blocks) == 1:
            return tuple(Cert.split_bytes(blocks[0]))
        armoured = [b"-----BEGIN PGP PUBLIC KEY BLOCK-----" + block for block in blocks[1:]]
        return tuple(cert for block in armoured for cert in Cert.split_bytes(block))
    except (OSError, RuntimeError) as error:
        reason = str(error).partition("\n")[0]
        raise ResolveError(
            f"the keyring cannot be read: {reason}",
            where=str(path),
            fix="signed_by wants a file of OpenPGP public keys, as apt's Signed-By does",
        ) from error


def shipped_keyring(distribution: str) -> Path:
    """The keyring of `distribution` that travels with wslimg."""
    return _KEYRINGS / f"{distribution}.pgp"


def verify_clear_signed(data: bytes, keyring: Sequence[Cert], *, where: str) -> Verified:
    """The text that `data` carries, if at least one key of `keyring` signed it.

    Sequoia decides: algorithms, expiry and revocation are judged at the time of the signature.
    Raises ResolveError that tells an unknown key from a wrong signature.
    """
    issuers: list[str] = []

    def certificates_for(ids: list[str]) -> list[Cert]:
        issuers.extend(ids)
        return list(keyring)

    try:
        # pysequoia reports every failure as RuntimeError, with a text that is not part of its interface.
        verified = verify(data, store=certificates_for)
    except RuntimeError as error:
        raise _refusal(data, keyring, issuers, where) from error
    return Verified((verified.bytes or b"").decode("utf-8"), _last_expiry(verified.valid_sigs, keyring))


def _last_expiry(signatures: Sequence[object], keyring: Sequence[Cert]) -> datetime | None:
    signers = {getattr(signature, "certificate", "") for signature in signatures}
    ends = [cert.expiration for cert in keyring if cert.fingerprint in signers]
    return None if None in ends else max((end for end in ends if end), default=None)


def _refusal(data: bytes, keyring: Sequence[Cert], issuers: list[str], where: str) -> ResolveError:
    if not data.startswith(b"-----BEGIN PGP SIGNED MESSAGE-----") or not issuers:
        return ResolveError(
            "is not a signed file",
            where=where,
            fix="a proxy or portal answered in the archive's place, or the mirror is broken",
        )
    known = {key for cert in keyring for key in _key_ids(cert)}
    if not any(issuer.lower()[-16:] in known for issuer in issuers):
        return ResolveError(
            f"is signed by keys that are not in the keyring: {', '.join(map(str.upper, issuers))}",
            where=where,
            fix="name the archive's public key with signed_by; for a new release update wslimg",
        )
    return ResolveError(
        "the signature is wrong, or its key had expired or was revoked when it signed",
        where=where,
        fix="the mirror or a proxy altered the file: try again, or choose another mirror; "
        f"the clock must be right as well (it says {datetime.now(UTC):%Y-%m-%d})",
    )


def _key_ids(cert: Cert) -> list[str]:
    """The 16-digit ids of all keys of `cert`: packets of public keys carry their fingerprints."""
    packets = PacketPile.from_bytes(bytes(cert))
    keys = [packet for packet in packets if packet.tag in (Tag.PublicKey, Tag.PublicSubkey)]
    return [str(packet.fingerprint).lower()[-16:] for packet in keys]
