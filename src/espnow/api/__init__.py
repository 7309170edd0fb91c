"""What MicroPython documents, over one board: the modules `espnow`, `aioespnow` and `network`.

Rules: here arguments are checked and MicroPython's exceptions are made; everything else is asked of the board. The
module objects are built for one board, by its profile, and nothing here looks a board up. The words are the API's.
They follow MicroPython's library document of ``espnow`` (1.20 to 1.28), and the firmware where that is silent.
"""

from espnow.api.modules import API_MODULES, build_module

__all__ = ["API_MODULES", "build_module"]
