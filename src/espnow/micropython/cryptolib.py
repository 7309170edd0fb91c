"""`cryptolib` of a board, as https://docs.micropython.org/en/latest/library/cryptolib.html describes it: AES alone.

Rules and error texts are those of ``extmod/modcryptolib.c``. The modes are the numbers 1 (ECB), 2 (CBC) and 6 (CTR); as
on a board there are no names for them. CTR is there, though few builds have it.
"""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING, Any

from espnow.api.base import buffer_bytes, writable_view
from espnow.board import Board
from espnow.micropython.absent import absent
from espnow.micropython.services import Services
from espnow.micropython.struct import to_int

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers import CipherContext

__all__ = ["build"]

_ECB = 1
_CBC = 2
_CTR = 6
_BLOCK = 16


class aes:
    """AES with one key, in one direction."""

    __slots__ = ("_context", "_encrypts", "_iv", "_key", "_mode")

    def __init__(self, key: Any, mode: int, IV: Any = None, /) -> None:
        """Make a cipher.

        Args:
            key: 16 or 32 bytes.
            mode: 1 (ECB), 2 (CBC) or 6 (CTR).
            IV: 16 bytes, for CBC and CTR.

        Raises:
            ValueError: names the argument that is wrong.
        """
        self._mode = to_int(mode)
        if self._mode not in (_ECB, _CBC, _CTR):
            raise ValueError("mode")
        self._key = buffer_bytes(key)
        if len(self._key) not in (16, 32):
            raise ValueError("key")
        self._iv = b"" if IV is None else buffer_bytes(IV)
        if len(self._iv) != _BLOCK and not (IV is None and self._mode == _ECB):
            raise ValueError("IV")
        self._context: CipherContext | None = None
        self._encrypts = True

    def encrypt(self, in_buf: Any, out_buf: Any = None, /) -> Any:
        """Encrypt what follows what was encrypted before.

        Args:
            in_buf: whole blocks of 16 bytes, except in CTR.
            out_buf: takes the result, and may be the same buffer.

        Returns:
            `out_buf`, or bytes without it.

        Raises:
            ValueError: a wrong length, or an object that has decrypted.
        """
        return self._process(in_buf, out_buf, encrypts=True)

    def decrypt(self, in_buf: Any, out_buf: Any = None, /) -> Any:
        """Decrypt; arguments, result and errors are those of `encrypt`."""
        return self._process(in_buf, out_buf, encrypts=False)

    def _process(self, in_buf: Any, out_buf: Any, *, encrypts: bool) -> Any:
        raw = buffer_bytes(in_buf)
        if self._mode != _CTR and len(raw) % _BLOCK:
            raise ValueError("blksize % 16")
        view = None if out_buf is None else writable_view(out_buf)
        if view is not None and len(view) < len(raw):
            raise ValueError("output too small")
        if self._context is None:
            self._context = self._start(encrypts)
            self._encrypts = encrypts
        elif self._encrypts != encrypts:
            raise ValueError("can't encrypt & decrypt")
        result = self._context.update(raw)
        if view is None:
            return result
        view[: len(result)] = result
        return out_buf

    def _start(self, encrypts: bool) -> CipherContext:
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

        mode = {_ECB: modes.ECB, _CBC: modes.CBC, _CTR: modes.CTR}[self._mode]
        cipher: Cipher[Any] = Cipher(algorithms.AES(self._key), mode() if self._mode == _ECB else mode(self._iv))
        return cipher.encryptor() if encrypts else cipher.decryptor()


_NAMES: dict[str, Any] = {
    "__getattr__": absent("cryptolib", {"MODE_ECB": "use 1", "MODE_CBC": "use 2", "MODE_CTR": "use 6"}),
    "aes": aes,
}


def build(_board: Board, _services: Services) -> ModuleType:
    """Return the module `cryptolib` of a board."""
    module = ModuleType("cryptolib", "Ciphers of this board.")
    vars(module).update(_NAMES)
    return module
