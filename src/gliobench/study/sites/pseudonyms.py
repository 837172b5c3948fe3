"""Patients' ids as keyed hashes, and the key, which stays in the run folder that it was made for."""

import hashlib
import hmac
import os
import secrets
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from gliobench.errors import GliobenchError

SALT = "export.salt"
SALT_BYTES, HEX_DIGITS = 32, 32  # 256 bits of key; 128 bits of hash tell any number of patients apart


class ExportError(GliobenchError, ValueError):
    """A run that cannot be exported; the message says why, and what to do."""


@dataclass(frozen=True)
class Pseudonyms:
    """Names for ids that nobody can trace back without the key: HMAC-SHA256 (RFC 2104), its first 128 bits."""

    key: bytes

    def of(self, id: str) -> str:
        """The pseudonym of an id, hexadecimal; the same for the same id and key."""
        return hmac.new(self.key, id.encode(), hashlib.sha256).hexdigest()[:HEX_DIGITS]


def pseudonyms(run: Path) -> Pseudonyms:
    """With the key of a run folder, which is made once, readable by its owner alone. Raises ExportError where it is
    damaged: with another key the same patients would be others."""
    path = run / SALT
    with suppress(FileExistsError), os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
        file.write(secrets.token_hex(SALT_BYTES))
    text = path.read_text(errors="replace").strip()
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != SALT_BYTES:
        raise ExportError(
            f"{path} is damaged: expected {2 * SALT_BYTES} hexadecimal digits, found {len(text)} characters. Put it "
            "back from a copy; or delete it, and patients of earlier exports cannot be matched with those of later ones"
        )
    return Pseudonyms(key)
