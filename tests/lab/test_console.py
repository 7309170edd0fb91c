"""A board's console, and what of it goes to a person's terminal."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espnow.lab.console import LabConsole, for_terminal


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain\ttext", "plain\ttext"),
        ("\x1b[2J\x1b]0;title\x07", "\\x1b[2J\\x1b]0;title\\x07"),
        ("\x00\x08\x7f\x9b31m", "\\x00\\x08\\x7f\\x9b31m"),
        ("windows\r", "windows\r"),
        ("windows\r\n", "windows\r\n"),
        ("me: text\rother: lie", "me: text\\x0dother: lie"),
        ("a\r\r\n", "a\\x0d\r\n"),
        ("\x0b\x0c\x85", "\\x0b\\x0c\\x85"),
        ("äöü 漢字 🙂", "äöü 漢字 🙂"),
    ],
)
def test_nothing_on_a_terminal_is_moved_or_changed(text, shown):
    assert for_terminal(text) == shown


@given(st.text(st.characters(codec="utf-8")))
def test_no_control_passes(text):
    shown = for_terminal(text)
    for number, character in enumerate(shown):
        code = ord(character)
        if character == "\r":
            assert shown[number + 1 : number + 2] in ("", "\n")
        else:
            assert (code >= 32 and not 127 <= code < 160) or character in "\n\t"


@given(st.lists(st.text("ab\r\n\x0b\u2028", max_size=6)))
def test_typed_pieces_come_out_as_lines(pieces):
    pieces = [piece.replace("\r\n", "\n").replace("\r", "\n") for piece in pieces]
    console = LabConsole()
    for piece in pieces:
        console.type(piece)
    console.close()
    lines = []
    while line := console.read_line():
        lines.append(line)
    text = "".join(pieces)
    assert "".join(lines) == text
    assert all(line.endswith("\n") and line.count("\n") == 1 for line in lines[:-1])


def test_the_two_characters_of_a_line_end_may_be_typed_one_by_one():
    console = LabConsole()
    for piece in ("a\r", "\nb\r\n\r", "\r", "c"):
        console.type(piece)
    console.close()
    assert [console.read_line() for _ in range(6)] == ["a\n", "b\n", "\n", "\n", "c", ""]


def test_typing_and_closing_wake_the_reader():
    console = LabConsole()
    woken = []
    console.wake = lambda: woken.append(console.has_input())
    console.type("part")
    console.type("ial\n")
    console.close()
    assert woken == [False, True, True]
    assert console.read_line() == "partial\n"
    assert console.read_line() == console.read_line() == ""


def test_two_readers_of_one_input_both_get_their_line():
    """The input of `espnow run`: the first line goes to one program, and the other is woken for the next."""
    import os

    from espnow.lab import Lab
    from espnow.lab.host import HostInput

    reading, writing = os.pipe()
    with Lab() as lab:
        code = "print(input())"
        polling = "import sys, select\np = select.poll()\np.register(sys.stdin, 1)\np.poll(-1)\nprint(input())"
        boards = [lab.board(code=code), lab.board(code=code), lab.board(code=polling)]
        source = HostInput(reading, lab.clock, paced=True)
        for board in boards:
            board.console.source = source
        for line in (b"one\n", b"two\n", b"three\n"):
            lab.run()
            assert source.awaited
            os.write(writing, line)
            assert source.wait(1)
        lab.run()
        assert sorted(board.output for board in boards) == ["one\n", "three\n", "two\n"]
        assert not source.awaited
    os.close(reading)
    os.close(writing)


def test_an_input_that_was_closed_has_ended():
    import os

    from espnow.lab import Lab
    from espnow.lab.host import HostInput

    reading, writing = os.pipe()
    os.close(reading)
    os.close(writing)
    with Lab() as lab:
        board = lab.board(code="import sys\nprint(repr(sys.stdin.readline()))")
        board.console.source = HostInput(reading, lab.clock, paced=True)
        lab.run()
        assert board.lines == ["''"]


def test_a_program_that_reads_characters_gets_each_as_it_is_typed():
    from espnow.lab import Lab

    keys = """
import select, sys, time
keys = select.poll()
keys.register(sys.stdin, select.POLLIN)
while True:
    if keys.poll(0):
        key = sys.stdin.read(1)
        print(time.ticks_ms() // 1000, repr(key))
        if key == "q":
            print(repr(sys.stdin.readline()), repr(sys.stdin.readline(2)), sys.stdin.buffer.read(2))
    time.sleep_ms(10)
"""
    with Lab() as lab:
        board = lab.board(code=keys)
        for at_ms, text in enumerate(("w", "as", "\r", "qui", "t", "\n", "xyz", "0")):
            lab.at(1000 * (at_ms + 1) + 500, lambda text=text: board.type(text))
        lab.run(10_000)
        assert board.lines == ["1 'w'", "2 'a'", "2 's'", "3 '\\n'", "4 'q'", r"'uit\n' 'xy' b'z0'"]


def test_a_line_that_has_not_ended_is_no_line():
    console = LabConsole()
    console.type("one\ntw")
    assert not console.has_part()
    assert console.read_part() == ""
    assert console.read_line() == "one\n"
    assert console.has_part()
    assert not console.has_input()
    assert console.read_part() == "tw"
    console.type("o\r\n")
    assert console.read_line() == "o\n"


def test_objects_are_shown_at_addresses_of_the_board():
    """Where the computer keeps them differs from run to run."""
    from espnow.lab import Lab

    code = """
class Lamp: pass
def switch(): pass
lamp = Lamp()
print(lamp, [lamp], Lamp(), switch)
print("<Lamp object at 0x7f00>", "at 0x7f0012345678")
raise ValueError(lamp)
"""
    with Lab() as lab:
        boards = [lab.board(code=code) for _ in range(2)]
        lab.run(1_000)
        assert boards[0].lines == boards[1].lines
        first, plain, *_, error = boards[0].lines
        assert first.replace("]", "").replace("[", "").split("> ")[:3] == [
            "<Lamp object at 3ffe4000",
            "<Lamp object at 3ffe4000",
            "<Lamp object at 3ffe4020",
        ]
        assert first.endswith(" <function switch at 0x3ffe4040>")
        assert plain == "<Lamp object at 0x7f00> at 0x7f0012345678"
        assert error == "ValueError: <Lamp object at 3ffe4000>"
