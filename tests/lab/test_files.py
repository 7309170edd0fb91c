"""Files of boards in the lab: boot.py and main.py, what survives what, and modules that a program writes itself."""

import pytest

from espnow.errors import UserError
from espnow.lab import Lab


def write(folder, files):
    for path, content in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content)
    return folder


# What a board runs.


@pytest.mark.parametrize("given", ["folder", "main.py"])
def test_boot_then_main_in_one_namespace(lab, tmp_path, given):
    write(
        tmp_path,
        {
            "boot.py": "import time\nssid = 'net'\ndef connect(): return ssid + mark\nprint(__name__, __file__)",
            "main.py": "mark = '!'\nprint(connect(), time.ticks_ms() < 10, __name__, __file__)",
        },
    )
    board = lab.board(tmp_path if given == "folder" else tmp_path / "main.py")
    lab.run()
    assert board.lines == ["__main__ boot.py", "net! True __main__ main.py"]


@pytest.mark.parametrize(
    ("files", "printed"),
    [
        ({"main.py": "print('main')"}, ["main"]),
        ({"boot.py": "print('boot')"}, ["boot"]),
        ({"boot.py": "", "main.py": "print('main')"}, ["main"]),
        ({"boot.py": "print('boot')", "main.py": "print('main')", "other.py": "print('no')"}, ["boot", "main"]),
        ({"boot.py": "import sys\nprint('boot')\nsys.exit()", "main.py": "print('main')"}, ["boot"]),
    ],
)
def test_what_of_a_folder_runs(lab, tmp_path, files, printed):
    board = lab.board(write(tmp_path, files))
    lab.run()
    assert (board.lines, board.state) == (printed, "ended")


def test_a_boot_that_fails_keeps_main_from_running(lab, tmp_path):
    """As MicroPython's ESP32 port does since release 1.22."""
    board = lab.board(write(tmp_path, {"boot.py": "\n1 / 0", "main.py": "print('main')"}))
    lab.run()
    assert board.state == "failed"
    assert f'File "{tmp_path / "boot.py"}", line 2, in <module>' in board.output
    assert "main" not in board.output.replace("<module>", "")


def test_a_file_of_another_name_runs_alone(lab, tmp_path):
    write(tmp_path, {"boot.py": "print('boot')", "main.py": "print('main')", "sensor.py": "print('sensor')"})
    board = lab.board(tmp_path / "sensor.py")
    lab.run()
    assert board.output == "sensor\n"


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({}, "has neither"),
        ({"other.py": ""}, "has neither"),
        ({"main.py": "x ="}, "main.py, line 1"),
        ({"boot.py": "\nx =", "main.py": ""}, "boot.py, line 2"),
    ],
)
def test_a_folder_that_cannot_run_is_one_clear_line(lab, tmp_path, files, says):
    folder = tmp_path / "node"
    folder.mkdir()
    with pytest.raises(UserError) as caught:
        lab.board(write(folder, files))
    assert str(folder) in str(caught.value)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert lab.boards == []


def test_boards_are_named_after_their_folder(lab, tmp_path, monkeypatch):
    write(tmp_path, {"node/main.py": ""})
    monkeypatch.chdir(tmp_path / "node")
    assert [lab.board(tmp_path / "node").name, lab.board(".").name, lab.board("main.py").name] == [
        "node",
        "node-2",
        "main",
    ]


# What survives.

COUNT = """
import os, json
try:
    with open("count.json") as f:
        count = json.load(f)["n"]
except OSError:
    count = 0
with open("count.json", "w") as f:
    json.dump({"n": count + 1}, f)
print(count, os.getcwd(), os.listdir())
os.mkdir("d%d" % count)
os.chdir("d%d" % count)
"""


@pytest.mark.parametrize("end", ["machine.soft_reset()", "machine.reset()", "machine.deepsleep(100)"])
def test_files_survive(lab, end, tmp_path):
    write(tmp_path, {"main.py": COUNT + f"import machine\nif count < 2: {end}"})
    board = lab.board(tmp_path)
    lab.run()
    assert board.lines == [
        "0 / ['count.json', 'main.py']",
        "1 / ['count.json', 'd0', 'main.py']",
        "2 / ['count.json', 'd0', 'd1', 'main.py']",
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["main.py"]  # the computer's stays as it was


def test_files_survive_a_loss_of_power(lab, tmp_path):
    board = lab.board(write(tmp_path, {"main.py": COUNT}))
    lab.run()
    board.power_off()
    board.power_on()
    lab.run()
    assert [line.split()[0] for line in board.lines] == ["0", "1"]


def test_two_boards_of_one_folder_have_files_of_their_own(lab, tmp_path):
    write(tmp_path, {"main.py": COUNT})
    boards = [lab.board(tmp_path) for _ in range(2)]
    lab.run()
    assert [board.lines[0].split()[0] for board in boards] == ["0", "0"]


def test_a_folder_of_its_own_keeps_files_over_labs(tmp_path):
    write(
        tmp_path,
        {
            "node/main.py": "from lib.helper import *\n" + COUNT,
            "node/lib/helper.py": "import json",
            "flash/count.json": '{"n": 7}',
        },
    )
    printed = []
    for _ in range(2):
        with Lab() as lab:
            board = lab.board(tmp_path / "node", flash=tmp_path / "flash")
            lab.run()
            printed.append(board.lines[0].split()[0])
    assert printed == ["7", "8"]
    assert (tmp_path / "flash/count.json").read_text() == '{"n": 9}'
    assert (tmp_path / "flash/d8").is_dir()


def test_an_update_over_the_air_runs_after_the_reset(lab, tmp_path):
    write(
        tmp_path,
        {
            "main.py": "print('old')\nimport machine\n"
            "with open('main.py', 'w') as f: f.write('import config\\nprint(\"new\", config.N)\\n1/0')\n"
            "with open('config.py', 'w') as f: f.write('N = 2')\nmachine.reset()"
        },
    )
    board = lab.board(tmp_path)
    lab.run()
    assert board.lines[:2] == ["old", "new 2"]
    assert "line 3, in <module>" in board.output
    assert "old" in (tmp_path / "main.py").read_text()


@pytest.mark.parametrize(
    ("change", "printed"),
    [
        ("os.remove('main.py')", ["first"]),
        ("os.rename('main.py', 'x.py')", ["first"]),
        ("open('main.py', 'w').close()", ["first"]),
        ("open('boot.py', 'w').write('print(\"boot\")\\nraise SystemExit')", ["first", "boot"]),
    ],
)
def test_a_program_that_changes_what_the_board_runs(lab, tmp_path, change, printed):
    write(tmp_path, {"main.py": f"import os, machine\nprint('first')\n{change}\nmachine.reset()"})
    board = lab.board(tmp_path)
    lab.run()
    assert (board.lines, board.state) == (printed, "ended")


def test_an_update_that_is_no_python_is_a_syntax_error_of_the_board(lab, tmp_path):
    write(tmp_path, {"main.py": "import machine\nopen('main.py', 'w').write('x =')\nmachine.reset()"})
    board = lab.board(tmp_path)
    lab.run()
    assert board.state == "failed"
    assert "SyntaxError" in board.output
    assert "main.py, line 1" in board.output


# Modules.


def test_modules_come_from_the_flash_along_the_path(lab, tmp_path):
    write(
        tmp_path,
        {
            "main.py": """
import sys, os
print(sys.path)
import a, driver
print(a.__file__, driver.__file__, driver.NAME)
sys.path.append("/more")
import b
print(b.__file__)
sys.path.insert(0, "/first")
import c
print(c.WHO, c.__file__)
import pkg.inner, space.inner
print(pkg.inner.X, space.inner.X, pkg.__file__, pkg.__path__)
try:
    import lost
except ImportError as e:
    print(e, e.name, type(e) is ImportError)
""",
            "a.py": "",
            "lib/driver.py": "NAME = __name__",
            "more/b.py": "",
            "first/c.py": "WHO = 'first'",
            "c.py": "WHO = 'root'",
            "pkg/__init__.py": "",
            "pkg/inner.py": "X = 1",
            "space/inner.py": "X = 2",
        },
    )
    board = lab.board(tmp_path)
    lab.run()
    assert board.lines == [
        "['', '.frozen', '/lib']",
        "a.py /lib/driver.py driver",
        "/more/b.py",
        "first /first/c.py",
        "1 2 pkg/__init__.py ['/pkg']",
        "no module named 'lost' lost True",
    ]


def test_a_program_writes_a_module_and_imports_it(lab):
    board = lab.board(
        code="""
import os, sys
os.mkdir("/gen")
with open("/gen/made.py", "w") as f: f.write("def f(x):\\n  return x * 2\\n")
sys.path.append("/gen")
import made
print(made.f(4))
with open("/gen/made.py", "w") as f: f.write("def f(x): return x * 3")
import made
print(made.f(4))
del sys.modules["made"]
import made
print(made.f(4))
os.chdir("/gen")
with open("near.py", "w") as f: f.write("\\n1 / 0")
import near
""",
    )
    lab.run()
    assert board.lines[:3] == ["8", "8", "12"]
    assert 'File "/gen/near.py", line 2, in <module>' in board.output


def test_a_compiled_module_is_refused_in_words(lab, tmp_path):
    write(tmp_path, {"main.py": "try: import driver\nexcept ImportError as e: print(e, e.name)", "lib/driver.mpy": "M"})
    board = lab.board(tmp_path)
    lab.run()
    assert board.output == "/lib/driver.mpy is compiled, and cannot run here: driver.py is needed driver\n"


def test_a_built_in_module_wins_over_a_file(lab, tmp_path):
    write(tmp_path, {"main.py": "import time\nprint(hasattr(time, 'sleep_ms'))", "time.py": "1 / 0"})
    board = lab.board(tmp_path)
    lab.run()
    assert board.output == "True\n"


def test_what_a_program_cannot_reach(lab, tmp_path):
    write(tmp_path, {"secret.txt": "s", "secret.py": "x = 1", "node/main.py": ""})
    (tmp_path / "node/main.py").write_text(
        f"""
import sys
for name in ("../secret.txt", "/../secret.txt", {str(tmp_path / "secret.txt")!r}, "/etc/hostname"):
    try: open(name)
    except OSError as e: print(e.errno)
sys.path += ["..", "/..", {str(tmp_path)!r}]
try: import secret
except ImportError: print("no")
"""
    )
    board = lab.board(tmp_path / "node")
    lab.run()
    assert board.lines == ["2", "2", "2", "2", "no"]


def test_a_log_file_of_a_program_that_is_killed_is_whole(lab):
    board = lab.board(
        code="import time\nf = open('log.txt', 'a')\nfor n in range(1000):\n  f.write('%d\\n' % n)\n  time.sleep_ms(1)"
    )
    lab.run(for_ms=10.5)
    board.power_off()
    assert board.files.read("/log.txt") == b"".join(b"%d\n" % n for n in range(11))
