"""AES-128 as HLS uses it: each segment by itself, in CBC mode with PKCS#7 padding."""

from __future__ import annotations

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.padding import PKCS7

from ..._secret import Secret
from ...errors import CorruptMediaError


KEY_SIZE = 16


def vector(number: int) -> bytes:
    """Return the initialisation vector of a segment that names none."""
    return number.to_bytes(KEY_SIZE, "big")


class Decryptor:
    """Decrypts one segment piece by piece.

    Args:
        key: The 16 bytes as hexadecimal digits.
    """

    def __init__(self, key: Secret, iv: bytes) -> None:
        self._cipher = Cipher(AES(bytes.fromhex(key.reveal())), CBC(iv)).decryptor()
        self._padding = PKCS7(AES.block_size).unpadder()

    def update(self, data: memoryview) -> bytes:
        """Return what can be told of the plain bytes so far; the padding is held back."""
        return self._padding.update(self._cipher.update(data))

    def finish(self) -> bytes:
        """Return the rest.

        Raises:
            CorruptMediaError: The padding is wrong: so are the key or the bytes.
        """
        try:
            return self._padding.update(self._cipher.finalize()) + self._padding.finalize()
        except ValueError:
            pass
        msg = "a segment cannot be decrypted: its bytes, or the key, are not the right ones"
        raise CorruptMediaError(msg, retryable=True)
