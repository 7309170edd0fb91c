"""`logging` of a board: the part of CPython's that micropython-lib has (https://github.com/micropython/micropython-lib).

The host's module would mix the boards' loggers with each other and with the host's, print to the host, and stamp
records with the host's time. Here loggers are the board's, what they say goes to its console, and time is its own.
"""

from __future__ import annotations

import sys
import traceback
from types import ModuleType
from typing import Any

from espnow.board import Board
from espnow.micropython import BUILDERS
from espnow.micropython.files import make_open
from espnow.micropython.services import Services

__all__ = ["build"]

_LEVELS = {"CRITICAL": 50, "ERROR": 40, "WARNING": 30, "INFO": 20, "DEBUG": 10, "NOTSET": 0}

_FORMAT = "%(levelname)s:%(name)s:%(message)s"


def build(board: Board, services: Services) -> ModuleType:
    """Return the module `logging` of `board`."""
    time = BUILDERS["time"](board, services)
    stderr = BUILDERS["sys"](board, services).stderr
    open_file = make_open(services.flash)
    level_names = {number: name for name, number in _LEVELS.items()}
    loggers: dict[str, Logger] = {}

    class LogRecord:
        """One thing that was logged."""

        def __init__(self, name: str, level: int, message: str) -> None:
            self.name = name
            self.levelno = level
            self.levelname = level_names.get(level, f"Level {level}")
            self.message = message
            self.ct = time.time()
            self.msecs = board.clock.now_us // 1000 % 1000
            self.asctime: str | None = None

    class Formatter:
        """Makes text of a record with a %-format of name, message, msecs, asctime, levelname and levelno."""

        def __init__(self, fmt: str | None = None, datefmt: str | None = None) -> None:
            self.fmt = _FORMAT if fmt is None else fmt
            self.datefmt = datefmt

        def usesTime(self) -> bool:
            """Return whether the format holds the time."""
            return "asctime" in self.fmt

        def formatTime(self, datefmt: str | None, record: LogRecord) -> str:
            """Return the time of a record; every `datefmt` gives ``2000-01-01 00:00:00``."""
            year, month, day, hour, minute, second = time.localtime(record.ct)[:6]
            return f"{year}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}"

        def format(self, record: LogRecord) -> str:
            """Return the text of a record."""
            if self.usesTime():
                record.asctime = self.formatTime(self.datefmt, record)
            return self.fmt % vars(record)

    plain = Formatter()

    class Handler:
        """What takes records; derived classes have `emit`."""

        def __init__(self, level: int = 0) -> None:
            self.level = level
            self.formatter: Formatter | None = None

        def setLevel(self, level: int) -> None:
            """Take only records of this level and above."""
            self.level = level

        def setFormatter(self, formatter: Formatter) -> None:
            """Use another formatter."""
            self.formatter = formatter

        def format(self, record: LogRecord) -> str:
            """Return the text of a record."""
            return (self.formatter or plain).format(record)

        def emit(self, record: LogRecord) -> None:
            """Do nothing with a record."""

        def flush(self) -> None:
            """Do nothing."""

        def close(self) -> None:
            """Do nothing."""

    class StreamHandler(Handler):
        """Writes records to a stream, the console by default."""

        def __init__(self, stream: Any = None) -> None:
            super().__init__()
            self.stream = stderr if stream is None else stream
            self.terminator = "\n"

        def emit(self, record: LogRecord) -> None:
            """Write a record of sufficient level."""
            if record.levelno >= self.level:
                self.stream.write(self.format(record) + self.terminator)

    class FileHandler(StreamHandler):
        """Writes records into a file of the board."""

        def __init__(self, filename: str, mode: str = "a", encoding: str = "UTF-8") -> None:
            super().__init__(open_file(filename, mode, encoding=encoding))

        def close(self) -> None:
            """Close the file."""
            self.stream.close()

    class Logger:
        """What a program logs with."""

        def __init__(self, name: str, level: int = 0) -> None:
            self.name = name
            self.level = level
            self.handlers: list[Any] = []

        def setLevel(self, level: int) -> None:
            """Let only records of this level and above through."""
            self.level = level

        def isEnabledFor(self, level: int) -> bool:
            """Return whether a record of this level comes through."""
            return level >= self.getEffectiveLevel()

        def getEffectiveLevel(self) -> int:
            """Return the level of this logger, or of the root."""
            return self.level or getLogger().level or _LEVELS["WARNING"]

        def log(self, level: int, msg: Any, *args: Any) -> None:
            """Log ``msg % args``."""
            if not self.isEnabledFor(level):
                return
            if args:
                msg = str(msg) % (args[0] if isinstance(args[0], dict) else args)
            record = LogRecord(self.name, level, str(msg))
            for handler in self.handlers or getLogger().handlers:
                handler.emit(record)

        def debug(self, msg: Any, *args: Any) -> None:
            """Log at level DEBUG."""
            self.log(_LEVELS["DEBUG"], msg, *args)

        def info(self, msg: Any, *args: Any) -> None:
            """Log at level INFO."""
            self.log(_LEVELS["INFO"], msg, *args)

        def warning(self, msg: Any, *args: Any) -> None:
            """Log at level WARNING."""
            self.log(_LEVELS["WARNING"], msg, *args)

        def error(self, msg: Any, *args: Any) -> None:
            """Log at level ERROR."""
            self.log(_LEVELS["ERROR"], msg, *args)

        def critical(self, msg: Any, *args: Any) -> None:
            """Log at level CRITICAL."""
            self.log(_LEVELS["CRITICAL"], msg, *args)

        def exception(self, msg: Any, *args: Any, exc_info: Any = True) -> None:
            """Log at level ERROR, and the exception that is being handled with it."""
            self.error(msg, *args)
            error = exc_info if isinstance(exc_info, BaseException) else sys.exc_info()[1]
            if error is not None:
                self.error("%s", "".join(traceback.format_exception_only(error)).rstrip("\n"))

        def addHandler(self, handler: Any) -> None:
            """Let a handler take what comes through."""
            if handler not in self.handlers:
                self.handlers.append(handler)

        def removeHandler(self, handler: Any) -> None:
            """Close a handler and forget it."""
            if handler in self.handlers:
                handler.close()
                self.handlers.remove(handler)

        def hasHandlers(self) -> bool:
            """Return whether it has handlers of its own."""
            return bool(self.handlers)

    def root() -> Logger:
        logger = loggers.get("root")
        if logger is None:
            logger = loggers["root"] = Logger("root")
        return logger

    def getLogger(name: str | None = None) -> Logger:
        """Return the logger of a name, or the root, which has a handler from then on."""
        if name is None or name == "root":
            logger = root()
            if not logger.handlers:
                basicConfig()
            return logger
        if name not in loggers:
            loggers[name] = Logger(name)
        return loggers[name]

    def basicConfig(
        *,
        filename: str | None = None,
        filemode: str = "a",
        format: str | None = None,
        datefmt: str | None = None,
        level: int = _LEVELS["WARNING"],
        stream: Any = None,
        encoding: str = "UTF-8",
        force: bool = False,
        handlers: Any = None,
    ) -> None:
        """Give the root logger its level and handlers, if it has none yet or `force` is true.

        Raises:
            ValueError: more than one of `filename`, `stream` and `handlers`.
        """
        if (filename is not None) + (stream is not None) + (handlers is not None) > 1:
            raise ValueError("can only set one of 'filename', 'stream' or 'handlers'")
        logger = root()
        if force:
            for handler in tuple(logger.handlers):
                logger.removeHandler(handler)
        if logger.handlers:
            return
        if handlers is None:
            handlers = [FileHandler(filename, filemode, encoding) if filename is not None else StreamHandler(stream)]
        for handler in handlers:
            if handler.formatter is None:
                handler.setFormatter(Formatter(format, datefmt))
            logger.addHandler(handler)
        logger.setLevel(level)

    def shutdown() -> None:
        """Close the handlers, and forget the loggers."""
        for logger in loggers.values():
            for handler in logger.handlers:
                handler.close()
        loggers.clear()

    def addLevelName(level: int, name: str) -> None:
        """Name a level."""
        level_names[level] = name

    module = ModuleType("logging", "Logging of this board.")
    names = vars(module)
    for name in ("debug", "info", "warning", "error", "critical", "exception", "log"):
        names[name] = _of_root(getLogger, name)
    names.update(
        _LEVELS,
        FileHandler=FileHandler,
        Formatter=Formatter,
        Handler=Handler,
        LogRecord=LogRecord,
        Logger=Logger,
        StreamHandler=StreamHandler,
        addLevelName=addLevelName,
        basicConfig=basicConfig,
        getLogger=getLogger,
        shutdown=shutdown,
    )
    return module


def _of_root(get_logger: Any, name: str) -> Any:
    def method(*args: Any, **options: Any) -> None:
        getattr(get_logger(), name)(*args, **options)

    method.__name__ = name
    method.__doc__ = f"Call ``{name}`` of the root logger."
    return method
