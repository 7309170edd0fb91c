"""How programs are loaded: their files, their modules, their tracebacks."""

import sys
import time as host_time

import pytest

from espnow.errors import ProgramSyntaxError, UserError


def write(folder, files):
    for path, content in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content)


# Tracebacks.


def test_a_traceback_shows_the_programs_own_lines_and_their_numbers(lab, tmp_path):
    text = '''"""A program."""
import json

def outer(n):
    """With a docstring."""
    for _ in range(3):
        while True:
            inner(
                n,
            )

def inner(n):
    return json.loads("{")

class Thing:
    def __init__(self):
        outer(1)

Thing()
'''
    path = tmp_path / "main.py"
    path.write_text(text)
    board = lab.board(path)
    lab.run()
    assert board.state == "failed"
    assert board.exit_code == 1
    lines = board.lines
    assert lines[0] == "Traceback (most recent call last):"
    files = [line.strip() for line in lines if line.startswith("  File ")]
    assert files == [
        f'File "{path}", line 19, in <module>',
        f'File "{path}", line 17, in __init__',
        f'File "{path}", line 8, in outer',
        f'File "{path}", line 13, in inner',
    ]
    assert 'return json.loads("{")' in board.output
    assert lines[-1] == "ValueError: syntax error in JSON"


@pytest.mark.parametrize("line", [1, 2, 5])
def test_the_line_of_an_error_is_right_wherever_it_stands(lab, line):
    code = "\n" * (line - 1) + "def f():\n  return 1 / 0\nf()"
    board = lab.board(code=code)
    lab.run()
    assert f'File "<string>", line {line + 2}, in <module>' in board.output
    assert f'File "<string>", line {line + 1}, in f' in board.output
    assert board.lines[-1] == "ZeroDivisionError: division by zero"


def test_an_error_in_a_task_shows_no_line_of_asyncio(lab):
    board = lab.board(
        code="import asyncio\nasync def f():\n  await asyncio.wait_for(g(), 1)\nasync def g():\n  1/0\nasyncio.run(f())"
    )
    lab.run()
    assert board.state == "failed"
    files = [line.strip() for line in board.lines if line.strip().startswith("File ")]
    assert files == [f'File "<string>", line {n}, in {f}' for n, f in ((6, "<module>"), (3, "f"), (5, "g"))]


def test_causes_and_groups_show_the_programs_own_lines_only(lab):
    code = """
import json, asyncio
async def bad():
    try:
        json.loads("{")
    except ValueError as error:
        raise RuntimeError("here") from error
async def main():
    async with asyncio.TaskGroup() as group:
        group.create_task(bad())
asyncio.run(main())
"""
    board = lab.board(code=code)
    lab.run()
    assert "RuntimeError: here" in board.output
    assert "ValueError: syntax error in JSON" in board.output
    files = [line.split(", line")[0].split("File ")[1] for line in board.lines if "File " in line]
    assert len(files) >= 4
    assert set(files) == {'"<string>"'}


def test_a_program_beside_a_folder_named_like_ours_keeps_its_lines(lab):
    """Only files inside of the package are left out, not those whose path begins alike."""
    import espnow

    beside = espnow.__path__[0] + "-programs/main.py"
    namespace: dict[str, object] = {}
    exec(compile("def program():\n  1/0\n", beside, "exec"), namespace)
    board = lab.board(namespace["program"])
    lab.run()
    assert f'File "{beside}", line 2, in program' in board.output


# Syntax.


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("x = 1\nfor\n", 2, "invalid syntax"),
        ("def f():\n  return\n\nclass:\n", 4, "invalid syntax"),
        ("def f():\npass\n", 2, "expected an indented block"),
        ("return 1\n", 1, "'return' outside function"),
        ("\n\nbreak\n", 3, "'break' outside loop"),
        ("x = 'abc\n", 1, "unterminated string"),
    ],
)
def test_a_syntax_error_is_one_line_with_file_and_line(lab, tmp_path, text, line, says):
    path = tmp_path / "bad.py"
    path.write_text(text)
    with pytest.raises(ProgramSyntaxError) as caught:
        lab.board(path)
    message = str(caught.value)
    assert message.startswith(f"{path}, line {line}: ")
    assert says in message
    assert "\n" not in message
    assert isinstance(caught.value, UserError)
    assert lab.boards == []


@pytest.mark.parametrize("content", [b"x = 1\0", b"\xff\xfe"])
def test_bytes_that_are_no_program_are_one_line(lab, tmp_path, content):
    path = tmp_path / "bad.py"
    path.write_bytes(content)
    with pytest.raises(ProgramSyntaxError) as caught:
        lab.board(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_syntax_error_in_a_module_is_the_programs_own(lab, tmp_path):
    write(tmp_path, {"main.py": "try:\n  import bad\nexcept SyntaxError as e:\n  print('no', e)", "bad.py": "\nx =\n"})
    board = lab.board(tmp_path / "main.py")
    lab.run()
    assert board.output.startswith("no ")
    assert f"{tmp_path / 'bad.py'}, line 2" in board.output


def test_deep_and_long_programs_compile(lab):
    chain = "x = 599\nif x == 0: pass\n" + "".join(f"elif x == {n}: print({n})\n" for n in range(1, 600))
    board = lab.board(code=chain + "y = " + " + ".join(["'a'"] * 900) + "\nprint(len(y))")
    lab.run()
    assert board.lines == ["599", "900"]


def test_warnings_of_the_compiler_are_not_shown(lab):
    board = lab.board(code="x = '\\d'\nif x is '\\d': pass\nprint(x)")  # warnings are errors in this suite
    lab.run()
    assert board.output == "\\d\n"


@pytest.mark.parametrize(
    "code",
    [
        '"""Doc."""\nfrom __future__ import annotations\nprint(__doc__)',
        'def f():\n  "Doc."\nprint(f.__doc__)',
        'class A:\n  def f(self):\n    "Doc."\n    return 1\nprint(A.f.__doc__)',
    ],
)
def test_docstrings_and_futures_survive_the_checks(lab, code):
    board = lab.board(code=code)
    lab.run()
    assert board.output == "Doc.\n"


def test_globals_and_nonlocals_survive_the_checks(lab):
    code = """
count = 0
def f():
    global count
    count += 1
    def g():
        nonlocal_ = 1
        def h():
            nonlocal nonlocal_
            nonlocal_ += 1
            return nonlocal_
        return h()
    return g()
class A:
    __step = 3
    def f(self):
        for _ in range(1): pass
        return self.__step
print(f(), count, A().f(), __name__, __file__)
"""
    board = lab.board(code=code)
    lab.run()
    assert board.output == "2 1 3 __main__ <string>\n"


# Modules.


def test_two_boards_hold_different_modules_of_one_name(lab, tmp_path):
    for name in ("a", "b"):
        write(tmp_path, {f"{name}/main.py": "import config\nconfig.x += 1\nprint(config.NAME, config.x)"})
        write(tmp_path, {f"{name}/config.py": f"NAME = {name!r}\nx = 0\nprint('loading')"})
    boards = [lab.board(tmp_path / name / "main.py") for name in ("a", "b", "a")]
    lab.run()
    assert [board.lines for board in boards] == [["loading", f"{name} 1"] for name in "aba"]
    assert "config" not in sys.modules


def test_packages_and_relative_imports(lab, tmp_path):
    files = {
        "main.py": """
import pkg.sub.deep as deep
import pkg.one
from pkg import one, VALUE
from pkg.sub import *
from pkg.two import back
print(deep.who, pkg.one.NAME, one is pkg.one, VALUE, star, back())
import sys
print(sorted(name for name in sys.modules if name.startswith("pkg")))
""",
        "pkg/__init__.py": "VALUE = 5\nfrom . import one",
        "pkg/one.py": "NAME = __name__\nfrom . import two",
        "pkg/two.py": "from . import one\ndef back(): return one.NAME",  # one and two import each other
        "pkg/sub/__init__.py": "star = 'star'\n_hidden = 1",
        "pkg/sub/deep.py": "from .. import VALUE\nfrom ..one import NAME\nfrom . import star\nwho = VALUE, NAME, star",
    }
    write(tmp_path, files)
    board = lab.board(tmp_path / "main.py")
    lab.run()
    assert board.lines == [
        "(5, 'pkg.one', 'star') pkg.one True 5 star pkg.one",
        "['pkg', 'pkg.one', 'pkg.sub', 'pkg.sub.deep', 'pkg.two']",
    ]


def test_an_own_package_with_the_name_of_a_library_keeps_its_submodules(lab, tmp_path):
    write(
        tmp_path,
        {
            "main.py": "from html import template\nimport html.page\nprint(template.X, html.page.X)",
            "html/__init__.py": "",
            "html/template.py": "X = 1",
            "html/page.py": "X = 2",
        },
    )
    board = lab.board(tmp_path / "main.py")
    lab.run()
    assert board.output == "1 2\n"


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("import nosuch", "nosuch"),
        ("import nosuch.inner", "nosuch"),
        ("from nosuch import x", "nosuch"),
        ("import subprocess", "subprocess"),
        ("import socketserver", "socketserver"),
        ("import threading", "threading"),
        ("import espnow.lab", "espnow.lab"),
        ("import json.nosuch", "json.nosuch"),
        ("from time import nosuch", "nosuch"),
        ("from os import path", "path"),  # the host's sys.modules has os.path
        ("from asyncio import base_events", "base_events"),  # and asyncio.base_events
        ("from . import x", "parent package"),
    ],
)
def test_an_import_that_fails_names_the_module(lab, statement, named):
    board = lab.board(code=f"try:\n  {statement}\nexcept ImportError as error:\n  print(error)")
    lab.run()
    assert board.state == "ended", board.output
    assert named in board.output
    assert len(board.lines) == 1


def test_the_hosts_modules_stay_untouched(lab, tmp_path):
    write(
        tmp_path,
        {
            "main.py": "import time, sys, random, asyncio, os, helper\ntime.mine = 1\nsys.path.append('x')\n"
            "sys.modules['json'] = None\nimport espnow, network, aioespnow\nespnow.mine = 1\nrandom.seed(1)",
            "helper.py": "",
        },
    )
    before, path, modules = dict(sys.modules), list(sys.path), {name: sys.modules[name] for name in ("time", "json")}
    state = __import__("random").getstate()
    board = lab.board(tmp_path / "main.py")
    lab.run()
    assert board.state == "ended", board.output
    assert "helper" not in sys.modules
    assert sys.path == path
    assert {name: sys.modules[name] for name in modules} == modules
    assert not hasattr(host_time, "mine")
    assert __import__("random").getstate() == state
    new = {name for name in sys.modules if name not in before}
    assert not any(name in new for name in ("helper", "main", "machine", "micropython"))


def test_a_module_that_fails_is_tried_again(lab, tmp_path):
    write(
        tmp_path,
        {
            "main.py": "for _ in range(2):\n  try:\n    import bad\n  except ZeroDivisionError:\n    print('again')",
            "bad.py": "print('loading')\n1/0",
        },
    )
    board = lab.board(tmp_path / "main.py")
    lab.run()
    assert board.lines == ["loading", "again"] * 2
