"""print, input, const and __import__ of a board."""

import builtins
import io

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st


def cpython_print(*values, **options):
    out = io.StringIO()
    print(*values, file=out, **options)
    return out.getvalue()


values = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary(), st.lists(st.integers())
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    values=st.lists(values, max_size=4),
    sep=st.none() | st.text(max_size=3),
    end=st.none() | st.text(max_size=3),
)
def test_print_formats_as_cpython_does(make_rig, values, sep, end):
    rig = make_rig()
    rig.builtins["print"](*values, sep=sep, end=end)
    assert rig.console.text == cpython_print(*values, sep=sep, end=end)


def test_print_into_a_stream(rig):
    rig.run(
        """
import sys, io
b = io.StringIO()
print(1, 2, file=b)
print(b.getvalue(), end="", file=sys.stdout, flush=True)
"""
    )
    assert rig.console.text == "1 2\n"


@pytest.mark.parametrize("options", [{"sep": 1}, {"end": 1}, {"sepp": ""}])
def test_print_refuses_what_cpython_refuses(rig, options):
    with pytest.raises(TypeError) as ours:
        rig.builtins["print"](1, 2, **options)
    with pytest.raises(TypeError) as theirs:
        cpython_print(1, 2, **options)
    if "sepp" not in options:
        assert str(ours.value) == str(theirs.value)
    assert rig.console.text == ""


def test_print_takes_time_and_lets_callbacks_run(rig):
    rig.clock.call_at(10, lambda: rig.board.schedule(lambda _: rig.builtins["print"]("callback"), None))
    rig.run("print('program')\nprint('next')")
    assert rig.lines == ["program", "callback", "next"]
    assert rig.clock.now_us == 60


def test_input(rig):
    rig.at(10, lambda: rig.console.type("Ann \r\n", ""))
    rig.run("print(repr(input('name? ')))")
    assert rig.console.text == "name? 'Ann '\n"
    with pytest.raises(EOFError):
        rig.run("input()")


def test_input_and_sys_share_what_was_typed(rig):
    rig.console.type("a\n", "b\n", "c\n")
    rig.run("print(input())\nimport sys\nprint(sys.stdin.read(1), input() == '', input())")
    assert rig.lines == ["a", "b True c"]


def test_const_and_import(rig):
    rig.run("X = const(5)\nimport utime\nprint(X, utime.ticks_ms())")
    assert rig.lines == ["5 0"]
    assert rig.builtins["__import__"] == rig.import_


def test_each_board_has_its_own_and_the_host_keeps_its(make_rig):
    before = dict(vars(builtins))
    first, second = make_rig(), make_rig()
    first.run("print('one')\n__builtins__['new'] = 1")
    second.run("print('two')")
    assert (first.console.text, second.console.text) == ("one\n", "two\n")
    assert "new" not in second.builtins
    assert dict(vars(builtins)) == before


def test_classes_and_exec_work(rig):
    rig.run("class A:\n  x = const(1)\nexec('print(A.x, const(2))')")
    assert rig.lines == ["1 2"]


@pytest.mark.parametrize("name", ["exit", "quit"])
def test_exit_ends_the_program_and_leaves_the_hosts_input_open(rig, name):
    with pytest.raises(SystemExit) as caught:
        rig.run(f"{name}(3)")
    assert caught.value.code == 3
    assert rig.builtins[name] is not vars(builtins).get(name)
