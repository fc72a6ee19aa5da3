from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from pysequoia import SignatureMode, Tsk, sign

from builder.core.errors import ResolveError
from builder.sources.debian.signature import read_keyring, shipped_keyring, verify_clear_signed


def test_the_shipped_keys_are_those_that_the_readme_lists() -> None:
    path = shipped_keyring("debian")
    readme = (path.parent / "README.md").read_text()
    assert hashlib.sha256(path.read_bytes()).hexdigest() in readme
    keys = read_keyring(path)
    for cert in keys:
        assert cert.expiration is not None
        assert f"| {cert.fingerprint} | {cert.expiration:%Y-%m-%d} |" in readme
    assert readme.count("Key (") == len(keys)


def test_a_keyring_may_be_binary_or_hold_several_armoured_keys(tmp_path: Path) -> None:
    keys = [Tsk.generate(f"{name} <{name}@example.org>").extract_certificate() for name in ("a", "b")]
    armoured, binary = tmp_path / "keys.asc", tmp_path / "keys.gpg"
    armoured.write_text("".join(map(str, keys)))
    binary.write_bytes(b"".join(map(bytes, keys)))
    wanted = [key.fingerprint for key in keys]
    assert [key.fingerprint for key in read_keyring(armoured)] == wanted
    assert [key.fingerprint for key in read_keyring(binary)] == wanted


@pytest.mark.parametrize("content", [None, b"no key at all"])
def test_a_keyring_that_is_none_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "key"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ResolveError, match="the keyring cannot be read"):
        read_keyring(path)


def test_one_known_key_among_several_signers_is_enough() -> None:
    known, other = (Tsk.generate(f"{name} <{name}@example.org>") for name in ("known", "other"))
    signed = bytes(sign(known.signer(), b"text\n", mode=SignatureMode.CLEAR))
    keyring = [other.extract_certificate(), known.extract_certificate()]
    verified = verify_clear_signed(signed, keyring, where="InRelease")
    assert verified.text.rstrip() == "text"
    assert verified.expires is None


def test_an_inline_signed_message_that_is_not_clear_text_is_refused() -> None:
    key = Tsk.generate("a <a@example.org>")
    with pytest.raises(ResolveError, match="is not a signed file"):
        verify_clear_signed(b"plain", [key.extract_certificate()], where="InRelease")
