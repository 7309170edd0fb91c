"""The exceptions: what catches them, and what they say."""

import traceback

import pytest

from espnow import errors
from espnow.errors import (
    ENOENT,
    ETIMEDOUT,
    BoardOSError,
    BoardOSValueError,
    BoardValueTypeError,
    EspNowCode,
    EspNowError,
    FrameError,
    LinkError,
    LinkFull,
    NodeError,
    ProgramSyntaxError,
    UserError,
)

CODES = {
    "NOT_INIT": 12389,
    "ARG": 12390,
    "NO_MEM": 12391,
    "FULL": 12392,
    "NOT_FOUND": 12393,
    "INTERNAL": 12394,
    "EXIST": 12395,
    "IF": 12396,
    "CHAN": 12397,
}

INNER = {FrameError, LinkError, LinkFull, NodeError, UserError, ProgramSyntaxError}
BOARD = {BoardOSError, BoardOSValueError, BoardValueTypeError}


def test_the_codes_are_those_of_esp_now_h():
    assert {code.name: int(code) for code in EspNowCode} == CODES
    assert CODES["NOT_INIT"] == 0x3000 + 100 + 1 == 0x3065


@pytest.mark.parametrize("code", EspNowCode)
def test_every_code_has_its_name_and_makes_an_error(code):
    assert code.esp_name == f"ESP_ERR_ESPNOW_{code.name}"
    error = NodeError(code)
    assert error.code is code
    assert str(error) == code.esp_name
    assert isinstance(error, EspNowError)


@pytest.mark.parametrize(
    ("kind", "caught_as"),
    [
        (FrameError, {EspNowError, ValueError}),
        (LinkError, {EspNowError}),
        (LinkFull, {EspNowError, LinkError}),
        (NodeError, {EspNowError}),
        (UserError, {EspNowError}),
        (ProgramSyntaxError, {EspNowError, UserError}),
        (BoardOSError, {OSError}),
        (BoardOSValueError, {OSError, BoardOSError, ValueError}),
        (BoardValueTypeError, {ValueError, TypeError}),
    ],
)
def test_what_catches_what(kind, caught_as):
    families = {EspNowError, OSError, ValueError, TypeError, SyntaxError, *INNER, *BOARD}
    assert {family for family in families if issubclass(kind, family)} == caught_as | {kind}
    assert issubclass(kind, Exception)


def test_the_tree_is_whole():
    named = {getattr(errors, name) for name in errors.__all__ if isinstance(getattr(errors, name), type)}
    exceptions = {kind for kind in named if issubclass(kind, BaseException)}
    assert INNER | BOARD | {EspNowError} <= exceptions
    assert all(issubclass(kind, EspNowError) != (kind in BOARD) for kind in exceptions)


@pytest.mark.parametrize(
    ("args", "number", "text"),
    [
        ((-12389, "ESP_ERR_ESPNOW_NOT_INIT"), -12389, "(-12389, 'ESP_ERR_ESPNOW_NOT_INIT')"),
        ((ETIMEDOUT,), 116, "[Errno 116] ETIMEDOUT"),
        ((ENOENT,), 2, "[Errno 2] ENOENT"),
        ((869,), 869, "869"),
        (("AP required",), "AP required", "AP required"),
        ((), None, ""),
    ],
)
@pytest.mark.parametrize("kind", [BoardOSError, BoardOSValueError])
def test_an_os_error_of_a_board_is_micropythons(kind, args, number, text):
    with pytest.raises(OSError) as caught:
        raise kind(*args)
    error = caught.value
    assert type(error) is kind  # CPython would make FileNotFoundError of OSError(2, "...")
    assert (error.args, error.errno, str(error)) == (args, number, text)


@pytest.mark.parametrize("code", EspNowCode)
def test_a_code_as_a_program_sees_it(code):
    error = BoardOSError(-int(code), code.esp_name)
    assert error.args == (-int(code), f"ESP_ERR_ESPNOW_{code.name}")
    assert error.errno == error.args[0] == -CODES[code.name]
    assert str(error) == f"({-int(code)}, 'ESP_ERR_ESPNOW_{code.name}')"


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (BoardOSError(-12393, "ESP_ERR_ESPNOW_NOT_FOUND"), "OSError: (-12393, 'ESP_ERR_ESPNOW_NOT_FOUND')"),
        (BoardOSValueError(ETIMEDOUT), "OSError: [Errno 116] ETIMEDOUT"),
        (BoardValueTypeError("can't convert str to int"), "ValueError: can't convert str to int"),
    ],
)
def test_a_traceback_names_them_as_micropython_does(error, line):
    assert traceback.format_exception_only(error) == [line + "\n"]
    assert type(error).__name__ in ("OSError", "ValueError")
