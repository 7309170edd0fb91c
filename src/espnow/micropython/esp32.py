"""`esp32`: wake sources, non-volatile storage, temperature and partitions of an ESP32.

It follows https://docs.micropython.org/en/latest/library/esp32.html and MicroPython's ``ports/esp32/modesp32.c``,
``esp32_nvs.c`` and ``esp32_partition.c``. As the document says of NVS, what is not committed is lost at the next reset.
`ULP` and `CAN` do not exist here. An ESP8266 has no such module.

Assumed: the chip is at 40 degrees Celsius; heaps have constant sizes; there is one application partition.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any, ClassVar, Self

from espnow.board import Board, WakePins, WakeReason
from espnow.board.ports import TOUCH
from espnow.errors import ENOENT, BoardOSError
from espnow.micropython.services import Services

__all__ = ["CELSIUS", "build"]

#: Numbers of ESP-IDF's ``nvs.h``.
_NVS_NOT_FOUND = (-0x1102, "ESP_ERR_NVS_NOT_FOUND")
_NVS_INVALID_NAME = (-0x1106, "ESP_ERR_NVS_INVALID_NAME")
_NVS_KEY_TOO_LONG = (-0x1109, "ESP_ERR_NVS_KEY_TOO_LONG")
_NVS_INVALID_LENGTH = (-0x110C, "ESP_ERR_NVS_INVALID_LENGTH")

_NVS_LONGEST = 15

#: The classes that have their own file.
_CLASSES = {"PCNT": "esp32_pcnt", "RMT": "esp32_rmt"}

#: The temperature of the chip, in degrees Celsius. Assumed.
CELSIUS = 40


class _Esp32(ModuleType):
    WAKEUP_ALL_LOW = False
    WAKEUP_ANY_HIGH = True
    HEAP_DATA = 4
    HEAP_EXEC = 1

    def __init__(self, board: Board) -> None:
        super().__init__("esp32", "Functions of an ESP32.")
        self._board = board
        self._pending: dict[tuple[str, str], int | bytes | None] = {}

    def __getattr__(self, name: str) -> Any:
        """Make the classes on demand."""
        if name == "NVS":
            found: type = type("NVS", (_Nvs,), {"_board": self._board, "_pending": self._pending})
        elif name == "Partition":
            found = Partition
        elif name in _CLASSES and (name != "PCNT" or self._board.ports.chip.counters):
            base = getattr(importlib.import_module(f"espnow.micropython.{_CLASSES[name]}"), name)
            found = importlib.import_module("espnow.micropython.machine.binding").bind(
                self._board, name, base, module="esp32"
            )
        else:
            raise AttributeError(f"module 'esp32' has no attribute '{name}'")
        setattr(self, name, found)
        return found

    # What ends sleeps.

    def wake_on_ext0(self, pin: object = None, level: bool = False) -> None:
        """Let one pin end sleeps while it has a level; None for none.

        Raises:
            ValueError: it cannot, or touch does so already.
        """
        wakes = self._board.power.wake_pins
        if "touch" in wakes:
            raise ValueError("no resources")
        if pin is None:
            wakes.pop("ext0", None)
        else:
            wakes["ext0"] = WakePins((self._rtc_pin(pin),), int(level))
            self._board.ports.ext0_light = True

    def wake_on_ext1(self, pins: Sequence[object] | None = None, level: bool = False) -> None:
        """Let several pins end sleeps: all of them low, or any of them high."""
        self._wake_on("ext1", pins, self._rtc_pin, level, reason=WakeReason.EXT1, every=not level)

    def wake_on_gpio(self, pins: Sequence[object] | None = None, level: bool = False) -> None:
        """Let any of several pins end a light sleep while it has a level."""
        self._wake_on("gpio", pins, self._pin, level, reason=WakeReason.GPIO, deep=False)

    def wake_on_touch(self, wake: object, /) -> None:
        """Let a touch of any pad that the program reads end sleeps.

        Raises:
            ValueError: a pin does so already.
        """
        wakes = self._board.power.wake_pins
        if "ext0" in wakes:
            raise ValueError("no resources")
        if wake:
            pads = tuple(TOUCH + pin for pin in self._board.ports.touch_pads)
            wakes["touch"] = WakePins(pads, 1, reason=WakeReason.TOUCHPAD)
        else:
            wakes.pop("touch", None)

    def wake_on_ulp(self, wake: object, /) -> None:
        """Accept, and do nothing: no program of the ULP runs here.

        Raises:
            ValueError: a pin ends sleeps already.
        """
        if "ext0" in self._board.power.wake_pins:
            raise ValueError("no resources")

    def gpio_deep_sleep_hold(self, enable: object, /) -> None:
        """Hold pads in deep sleep that the RTC does not hold by itself."""
        self._board.ports.holds_all = bool(enable)

    def _wake_on(
        self, key: str, pins: Sequence[object] | None, number: Callable[[object], int], level: bool, **how: Any
    ) -> None:
        wakes = self._board.power.wake_pins
        before = wakes.get(key)
        numbers = tuple(map(number, pins)) if pins is not None else before.pins if before is not None else ()
        if numbers:
            wakes[key] = WakePins(numbers, int(level), **how)
        else:
            wakes.pop(key, None)

    def _pin(self, pin: object) -> int:
        number: int = importlib.import_module("espnow.micropython.machine.pin").find_pin(self._board, pin).number
        return number

    def _rtc_pin(self, pin: object) -> int:
        number = self._pin(pin)
        if number not in self._board.ports.chip.rtc:
            raise ValueError("invalid pin")
        return number

    # What the chip knows of itself.

    def raw_temperature(self) -> int:
        """Return the temperature of the chip in degrees Fahrenheit."""
        self._board.look()
        return round(CELSIUS * 9 / 5 + 32)

    def mcu_temperature(self) -> int:
        """Return the temperature of the chip in degrees Celsius."""
        self._board.look()
        return CELSIUS

    def hall_sensor(self) -> int:
        """Return the magnetic field around the chip: none."""
        self._board.look()
        return 0

    def idf_heap_info(self, capabilities: int, /) -> list[tuple[int, int, int, int]]:
        """Return total, free, largest free and least free bytes of each heap of ESP-IDF: constants."""
        return (
            [(113_840, 60_000, 55_000, 50_000)] if capabilities == self.HEAP_DATA else [(15_072, 10_000, 9_000, 9_000)]
        )


class _Nvs:
    """A namespace of the non-volatile storage."""

    __slots__ = ("_name",)

    _board: ClassVar[Board]

    #: What was set and not committed, of all namespaces; None for an erased key.
    _pending: ClassVar[dict[tuple[str, str], int | bytes | None]]

    def __init__(self, namespace: str, /) -> None:
        if not 0 < len(namespace) <= _NVS_LONGEST:
            raise BoardOSError(*_NVS_INVALID_NAME)
        self._name = namespace

    def __repr__(self) -> str:
        return "<NVS namespace>"

    def set_i32(self, key: str, value: int, /) -> None:
        """Set a key to an integer of 32 bits.

        Raises:
            OverflowError: it has more.
        """
        if not -(1 << 31) <= value < 1 << 31:
            raise OverflowError("overflow converting long int to machine word")
        self._set(key, int(value))

    def get_i32(self, key: str, /) -> int:
        """Return the integer of a key.

        Raises:
            OSError: it has none.
        """
        value = self._get(key)
        if not isinstance(value, int):
            raise BoardOSError(*_NVS_NOT_FOUND)
        return value

    def set_blob(self, key: str, value: Any, /) -> None:
        """Set a key to bytes."""
        self._set(key, value.encode() if isinstance(value, str) else bytes(memoryview(value)))

    def get_blob(self, key: str, buffer: Any, /) -> int:
        """Copy the bytes of a key into a buffer, and return how many they are.

        Raises:
            OSError: it has none, or the buffer is too small.
        """
        value = self._get(key)
        if not isinstance(value, bytes):
            raise BoardOSError(*_NVS_NOT_FOUND)
        view = memoryview(buffer).cast("B")
        if len(view) < len(value):
            raise BoardOSError(*_NVS_INVALID_LENGTH)
        view[: len(value)] = value
        return len(value)

    def erase_key(self, key: str, /) -> None:
        """Erase a key.

        Raises:
            OSError: there is none such.
        """
        self._get(key)
        self._pending[self._name, key] = None

    def commit(self) -> None:
        """Write to the flash what was set and erased."""
        stored = self._board.ports.nvs
        for key, value in self._pending.items():
            if value is None:
                stored.pop(key, None)
            else:
                stored[key] = value
        self._pending.clear()

    def _set(self, key: str, value: int | bytes) -> None:
        if len(key) > _NVS_LONGEST:
            raise BoardOSError(*_NVS_KEY_TOO_LONG)
        self._pending[self._name, key] = value

    def _get(self, key: str) -> int | bytes:
        where = (self._name, key)
        value = self._pending[where] if where in self._pending else self._board.ports.nvs.get(where)
        if value is None:
            raise BoardOSError(*_NVS_NOT_FOUND)
        return value


class Partition:
    """The partition of the firmware, the only one there is."""

    BOOT = 0
    RUNNING = 1
    TYPE_APP = 0
    TYPE_DATA = 1

    def __init__(self, id: int | str = RUNNING, block_size: int = 4096, /) -> None:
        if id not in (self.BOOT, self.RUNNING, "factory"):
            raise BoardOSError(ENOENT)

    def __repr__(self) -> str:
        return "<Partition type=0, subtype=0, address=65536, size=2031616, label=factory, encrypted=0>"

    @classmethod
    def find(cls, type: int = TYPE_APP, subtype: int = 0xFF, label: str | None = None) -> list[Self]:
        """Return the partitions of this kind: at most the one."""
        found = type == cls.TYPE_APP and subtype in (0, 0xFF) and label in (None, "factory")
        return [cls()] if found else []

    @classmethod
    def mark_app_valid_cancel_rollback(cls) -> None:
        """Say that the firmware works."""

    def info(self) -> tuple[int, int, int, int, str, bool]:
        """Return type, subtype, address, size, label, and whether it is encrypted."""
        return 0, 0, 0x10000, 0x1F0000, "factory", False

    def get_next_update(self) -> Self:
        """Fail: there is none for updates.

        Raises:
            OSError: always.
        """
        raise BoardOSError(ENOENT)


def build(board: Board, _services: Services) -> ModuleType:
    """Return the module `esp32` of `board`.

    Raises:
        ImportError: it is an ESP8266.
    """
    if board.profile.esp8266:
        raise ImportError("no module named 'esp32'", name="esp32")
    return _Esp32(board)
