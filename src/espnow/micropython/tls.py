"""`tls` of a board: what its `ssl` is made of (``extmod/modtls_mbedtls.c``), for programs that import it themselves.

A context of a client checks certificates here until it is told not to; one of `ssl` does not until it is told to.
"""

from __future__ import annotations

from types import ModuleType

from espnow.board import Board
from espnow.micropython import BUILDERS
from espnow.micropython.services import Services
from espnow.micropython.ssl import CERT_REQUIRED

__all__ = ["build"]


def build(board: Board, services: Services) -> ModuleType:
    """Return the module `tls` of `board`."""
    names = vars(BUILDERS["ssl"](board, services))
    base = names["SSLContext"]
    module = ModuleType("tls", "TLS over sockets of a board.")
    vars(module).update({name: value for name, value in names.items() if name.isupper()})
    vars(module)["SSLContext"] = type(
        "SSLContext", (base,), {"_client_mode": CERT_REQUIRED, "__module__": "tls", "__doc__": base.__doc__}
    )
    return module
