"""Fingerprint and last day of PEM certificates: all that a policy asks about them (RFC 5280, X.690)."""

from __future__ import annotations

import hashlib
import re
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Iterator
from datetime import UTC, datetime

_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----(.+?)-----END CERTIFICATE-----", re.DOTALL)
_VERSION = 0xA0
_UTC_TIME = 0x17


def read_certificates(data: bytes) -> Iterator[tuple[str, datetime]]:
    """SHA-256 (hex) and end of validity of each PEM certificate in `data`; others are left out."""
    for match in _PEM.finditer(data):
        try:
            der = b64decode(match[1])
            yield hashlib.sha256(der).hexdigest(), _end_of_validity(der)
        except (Base64Error, ValueError, IndexError):
            continue


def _end_of_validity(der: bytes) -> datetime:
    """notAfter: Certificate / TBSCertificate / [version], serial, algorithm, issuer, Validity."""
    certificate = _elements(der)[0][1]
    body = _elements(_elements(certificate)[0][1])
    validity = body[4 if body[0][0] == _VERSION else 3]
    tag, text = _elements(validity[1])[1]
    digits = text.decode("ascii")
    if tag == _UTC_TIME:  # two digits of the year; 50 to 99 are of the last century (RFC 5280, 4.1.2.5.1)
        digits = ("19" if digits[:2] >= "50" else "20") + digits
    return datetime.strptime(digits, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)


def _elements(der: bytes) -> list[tuple[int, bytes]]:
    """Tag and content of each DER element in a row."""
    found, at = [], 0
    while at < len(der):
        tag, size, at = der[at], der[at + 1], at + 2
        if size & 0x80:
            width = size & 0x7F
            size = int.from_bytes(der[at : at + width], "big")
            at += width
        found.append((tag, der[at : at + size]))
        at += size
    return found
