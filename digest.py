"""The digest of a file, as it stands in fingerprints and cards."""

from __future__ import annotations

import hashlib

_CHUNK = 1 << 20


def digest_of_file(path: str, salt: bytes = b"") -> str:
    """A file's "sha256:..." digest, read in pieces.

    Args:
        path: the file.
        salt: bytes that are put before its content.

    Raises:
        OSError, ValueError: when it cannot be read.
    """
    digest = hashlib.sha256(salt)
    with open(path, "rb") as file:
        for piece in iter(lambda: file.read(_CHUNK), b""):
            digest.update(piece)
    return "sha256:" + digest.hexdigest()
