"""What the loader makes of a program: checks in what repeats, MicroPython's language, text that it compiles."""

import signal
import subprocess
import sys

import pytest

from espnow.errors import ProgramSyntaxError
from espnow.lab.program import STEP_US, compile_program
from espnow.testing import Bench

# Steps.

#: A program that takes N steps, more or less one; %d is N.
STEPPING = {
    "for": "for _ in range(%d): pass",
    "while": "n = 0\nwhile n < %d: n += 1",
    "for in a function": "def f(n):\n  for _ in range(n): pass\nf(%d)",
    "nested": "for _ in range(100):\n  for _ in range(%d // 100 - 1): pass",
    "continue": "n = 0\nwhile n < %d:\n  n += 1\n  continue",
    "else": "for _ in range(%d): pass\nelse: pass",
    "calls in C": "def f(x): return x\nlist(map(f, range(%d)))",
    "lambdas in C": "list(map(lambda x: x, range(%d)))",
    "list": "[n for n in range(%d)]",
    "set": "{n for n in range(%d)}",
    "dict": "{n: n for n in range(%d)}",
    "generator expression": "sum(n for n in range(%d))",
    "filtered": "[n for n in range(%d) if n < 0 if n > 0]",
    "two for": "[n for _ in range(100) for n in range(%d // 100 - 1)]",
    "inner": "[[n for n in range(%d // 100 - 1)] for _ in range(100)]",
    "generator": "def f(n):\n  while n:\n    n -= 1\n    yield n\nlist(f(%d))",
    "async for": "import asyncio\nasync def g(n):\n  for i in range(n): yield i\nasync def f(n):\n"
    "  async for _ in g(n): pass\nasyncio.run(f(%d // 2))",
    "async comprehension": "import asyncio\nasync def g(n):\n  for i in range(n): yield i\nasync def f(n):\n"
    "  return [_ async for _ in g(n)]\nasyncio.run(f(%d // 2))",
    "recursion": "def f(n):\n  if n: f(n - 1)\nfor _ in range(%d // 50): f(48)",
    "method": "class A:\n  def __call__(self): return None\na = A()\nfor _ in range(%d // 2): a()",
    "try": "for _ in range(%d):\n  try: 1 / 0\n  except ZeroDivisionError: pass",
    "exec": "exec('for _ in range(%d): pass')",
    "exec of bytes": "exec(b'for _ in range(%d): pass')",
    "eval": "eval('[n for n in range(%d)]')",
    "eval, each": "for _ in range(%d // 2): eval('(lambda: 1)()')",
    "compile": "exec(compile('for _ in range(%d): pass', 'x', 'exec'))",
}


@pytest.mark.parametrize("name", STEPPING)
@pytest.mark.parametrize("count", [2_000, 20_000])
def test_what_repeats_takes_its_time(name, count):
    bench = Bench()
    bench.run(STEPPING[name] % count)
    expected_us = count * STEP_US
    assert abs(bench.clock.now_us - expected_us) <= 32 + 0.02 * expected_us


ENDLESS = {
    "generator expression": "sum(1 for _ in iter(int, 1))",
    "list": "[0 for _ in iter(int, 1) if False]",
    "any": "any(x for x in iter(int, 1))",
    "lambda": "any(map(lambda x: False, iter(int, 1)))",
    "exec": "exec('while True: pass')",
    "eval": "eval('any(x for x in iter(int, 1))')",
    "module": "open('m.py', 'w').write('while True: pass')\nimport m",
    "execfile": "open('m.py', 'w').write('while True: pass')\nexecfile('m.py')",
    "class body": "class A:\n  while True: pass",
    "default": "def f(x=any(n for n in iter(int, 1))): pass",
    "caught": "while True:\n  try:\n    while True: pass\n  except: pass",
    "caught in a comprehension": "while True:\n  try:\n    [0 for _ in iter(int, 1) if 0]\n  except: pass",
}


@pytest.mark.parametrize("name", ENDLESS)
@pytest.mark.timeout(20)
def test_nothing_of_a_program_holds_the_lab_up(lab, name):
    board = lab.board(code=ENDLESS[name])
    other = lab.board(code="import time\ntime.sleep_ms(5)\nprint(time.ticks_ms())")
    lab.run(for_ms=20)
    assert lab.now_ms == 20
    assert other.output == "5\n"
    assert board.state == "running", board.output
    # And the person at the host gets it back.
    lab.clock.call_at(lab.clock.now_us + 1000, lab.clock.interrupt)
    with pytest.raises(KeyboardInterrupt):
        lab.run()
    lab.interrupt()
    assert board.finished


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", ["list", "caught", "caught in a comprehension", "exec"])
def test_ctrl_c_ends_the_command(tmp_path, name):
    (tmp_path / "busy.py").write_text("print('ready')\n" + ENDLESS[name])
    command = [sys.executable, "-m", "espnow", "run", "--quiet", "busy.py"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=40)
    assert process.returncode == 130
    assert "espnow" not in err


@pytest.mark.timeout(60)
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere Python alone handles signals")
def test_a_second_ctrl_c_ends_the_command_inside_a_call_of_c(tmp_path):
    (tmp_path / "busy.py").write_text("print('ready')\nsum(range(10**12))")
    command = [sys.executable, "-m", "espnow", "run", "--quiet", "busy.py"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        for _ in range(2):
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(0.3)  # it computes
            process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
    assert process.returncode == -signal.SIGINT


def test_callbacks_run_in_comprehensions_and_text_that_is_executed():
    bench = Bench()
    bench.run(
        "import micropython\nran = []\ndef f(x): ran.append(x)\n"
        "micropython.schedule(f, 1)\n[n for n in range(100)]\nprint(ran)\n"
        "micropython.schedule(f, 2)\nexec('for _ in range(100): pass')\nprint(ran)"
    )
    assert bench.output == "[1]\n[1, 2]\n"


def test_an_exception_thrown_at_a_step_leaves_the_next_one_whole():
    bench = Bench()
    bench.run(
        "import micropython\ndef f(x): raise SystemExit\nfor _ in range(10):\n"
        "  micropython.schedule(f, 1)\n  for _ in range(100): pass\nprint('end')"
    )
    assert bench.output.endswith("end\n")


@pytest.mark.parametrize(
    "code",
    [
        "x = lambda: 1 / 0\nx()",
        "x = [\n  1 / 0\n  for _ in range(3)\n]",
        "def f(x):\n  return (\n    x for x in range(3)\n    if 1 / 0\n  )\nlist(f(1))",
        "def f():\n  '''Doc.'''\n  1 / 0\nf()",
        "import micropython\n@micropython.viper\ndef f(b: ptr8):\n  return 1 / 0\nf(b'')",
        "if True:\n\tx = 1\n        \n\ty = (1).to_bytes(2,\n\t  'big')\n\t1 / 0",
    ],
)
def test_tracebacks_keep_the_authors_lines(lab, code):
    board = lab.board(code=code)
    lab.run()
    plain = code.replace("\t", " " * 8).split("\n")
    line = next(number for number, text in enumerate(plain, 1) if "1 / 0" in text)
    numbers = [int(text.split("line ")[1].split(",")[0]) for text in board.lines if text.startswith("  File ")]
    assert numbers[-1] == line
    assert "__tick__" not in board.output


# The language.

ROWS = [
    # what, program, what it prints
    ("from_bytes, big by default", "print(int.from_bytes(b'\\1\\0'))", "256"),
    (
        "from_bytes, any other word is big",
        "print(int.from_bytes(b'\\1\\0', 'LITTLE'), int.from_bytes(b'\\1\\0', 'x'))",
        "256 256",
    ),
    (
        "from_bytes, little",
        "print(int.from_bytes(b'\\1\\0', 'little'), int.from_bytes(b'\\1\\0', byteorder='little'))",
        "1 1",
    ),
    (
        "from_bytes, third argument",
        "print(int.from_bytes(b'\\xff', 'little', True), int.from_bytes(b'\\xff', 'big', False))",
        "255 255",
    ),
    ("from_bytes, signed", "print(int.from_bytes(b'\\xff', 'big', signed=True))", "-1"),
    ("from_bytes, variable", "order = 'LITTLE'\nprint(int.from_bytes(bytearray(b'\\1\\0'), order))", "256"),
    ("from_bytes, memoryview", "print(int.from_bytes(memoryview(b'\\1\\0')[:1], 'LITTLE'))", "1"),
    (
        "from_bytes of others",
        "class A:\n  @staticmethod\n  def from_bytes(*a): return a\nprint(A.from_bytes(1, 2, 3))",
        "(1, 2, 3)",
    ),
    (
        "int of one's own",
        "class int:\n  @staticmethod\n  def from_bytes(*a): return a\nprint(int.from_bytes(1, 'L', 3))",
        "(1, 'L', 3)",
    ),
    (
        "to_bytes",
        "print((258).to_bytes(2, 'big'), (258).to_bytes(2, 'little'), (1).to_bytes(1))",
        r"b'\x01\x02' b'\x02\x01' b'\x01'",
    ),
    (
        "to_bytes, any other word is big",
        "n = 258\nprint(n.to_bytes(2, 'LITTLE'), n.to_bytes(length=2, byteorder='B'))",
        r"b'\x01\x02' b'\x01\x02'",
    ),
    ("to_bytes, negative", "print((-1).to_bytes(2, 'big'), (-2).to_bytes(1, 'little'))", r"b'\xff\xff' b'\xfe'"),
    ("to_bytes, bool", "print(True.to_bytes(1, 'big'))", r"b'\x01'"),
    ("to_bytes, too large", "try: (256).to_bytes(1, 'big')\nexcept OverflowError: print('no')", "no"),
    (
        "to_bytes of others",
        "class A:\n  def to_bytes(self, a=3): return a\nprint(A().to_bytes(), A().to_bytes(a=4))",
        "3 4",
    ),
    ("to_bytes of subclasses", "class I(int):\n  def to_bytes(self): return 'own'\nprint(I(3).to_bytes())", "own"),
    ("const", "X = const(5)\n_Y = const(X + 1)\nprint(X, _Y)", "5 6"),
    (
        "const in a class",
        "class A:\n  X = const(1 << 3)\n  Y = const(X | 1)\n  def f(self): return X + Y, A.X, self.Y\nprint(A().f())",
        "(17, 8, 9)",
    ),
    (
        "const in a function",
        "def f():\n  _N = const(-3)\n  return _N\ndef g(): return [_N for _ in range(2)]\nprint(f(), g())",
        "-3 [-3, -3]",
    ),
    (
        "const, imported",
        "import micropython\nclass A:\n  X = micropython.const(2)\n  def f(self): return X\nprint(A().f())",
        "2",
    ),
    ("const of text", "class A:\n  X = const('t')\n  def f(self): return X\nprint(A().f())", "t"),
    ("const that is shadowed", "class A:\n  X = const(1)\ndef f(X): return X\nprint(f(2))", "2"),
    ("const twice", "X = 1\nclass A:\n  X = const(2)\ndef f(): return X\nprint(f())", "1"),
    (
        "const, read above its line",
        "def f(): return X\nclass A:\n  X = const(1)\ntry: f()\nexcept NameError: print('no')",
        "no",
    ),
    (
        "errno and value of every exception",
        (
            "try: raise ValueError(3, 4)\nexcept Exception as e: print(e.errno, e.value, e.args)\n"
            "try: raise KeyError\nexcept Exception as e: print(e.errno)\n"
            "try: open('none')\nexcept Exception as e: print(e.errno)\n"
            "class E(Exception): errno = 7\ntry: raise E(1)\nexcept E as e: print(e.errno)"
        ),
        "3 3 (3, 4)\nNone\n2\n7",
    ),
    (
        "native without an import",
        "@micropython.native\ndef f(x): return x\n@micropython.bytecode\ndef g(x): return x\nprint(f(1), g(2))",
        "1 2",
    ),
    ("viper", "@micropython.viper\ndef f(a: int, b: uint) -> int: return a + b\nprint(f(1, 2))", "3"),
    (
        "viper, ptr8",
        "@micropython.viper\ndef f(b: ptr8, n: int):\n  '''Doc.'''\n  b[0] = n\nb = bytearray(2)\nf(b, 7)\nprint(b)",
        r"bytearray(b'\x07\x00')",
    ),
    (
        "viper, ptr16 and ptr32",
        "@micropython.viper\ndef f(a: ptr16, b: ptr32): return a[1] + b[0]\nprint(f(b'abcde', bytes(4)) == 0x6463)",
        "True",
    ),
    (
        "viper, cast",
        "@micropython.viper\ndef f(b):\n  p = ptr8(b)\n  return int(p[1])\nprint(f(b'ab'), uint(-1))",
        "98 4294967295",
    ),
    (
        "assembler",
        "@micropython.asm_thumb\ndef f(r0):\n  mov(r0, r1)\ntry: f(1)\nexcept NotImplementedError: print('no')",
        "no",
    ),
    ("assembler with hints", "@micropython.asm_xtensa\ndef f(a2: uint) -> uint:\n  nop()\nprint('there')", "there"),
    ("bytes literal + text", "s = 'b'\nprint(b'a' + s, b'a' + bytes(1))", r"b'ab' b'a\x00'"),
    (
        "bytearray of text",
        "s = 'ab'\nprint(bytearray(s), bytearray('c'), bytearray(2), bytearray(b'x'))",
        r"bytearray(b'ab') bytearray(b'c') bytearray(b'\x00\x00') bytearray(b'x')",
    ),
    (
        "text in bytes",
        (
            "m = b'LED on'\nprint('LED' in m, 'OFF' not in m, 'x' in bytearray(m), f'{1}' in m, 97 in [m][0])\n"
            "print('a' in {'a': 1}, 'b' in ['a'], 'c' in 'abc', 'on' in m.decode())"
        ),
        "True True False False False\nTrue False True True",
    ),
    (
        "text with a name in bytes",
        (
            "ID = 'LED'\nm = b'LED on'\ndef f(m):\n  for word in ('off', 'on'):\n    if word in m: return word\n"
            "print(ID in m, f(m), any(w not in m for w in ['x']), ID in {'LED': 1})"
        ),
        "True on True True",
    ),
    ("bytes literals that format", "print(b'|{}|{:02d}'.format('a', 3))", "|a|03"),
    (
        "bytes that start or end with text",
        (
            "m, w = b'LED on', 'LED'\nprint(m.startswith('LED'), m.startswith(w), m.endswith('on'), m.endswith(b'x'))\n"
            "print(m.startswith('on', 4), 'ab'.startswith('a'), w.endswith('D'), w.startswith(('A', 'L')))\n"
            "class A:\n  def startswith(self, x): return x\nprint(A().startswith('own'))"
        ),
        "True True True False\nTrue True True True\nown",
    ),
    ("text in text of another kind is refused", "try: 'abc'.startswith(b'a')\nexcept TypeError: print('no')", "no"),
    ("text + bytes is refused", "try: 'a' + b'b'\nexcept TypeError: print('no')", "no"),
    ("floats in full", "print(1 / 3, 0.1 + 0.2)", "0.3333333333333333 0.30000000000000004"),
    ("formats", "print('%d %5.2f %s' % (1, 2.5, b'x'), f'{3:03d}', '{!r}'.format('x'))", "1  2.50 b'x' 003 'x'"),
    ("walrus and match", "if (n := 3) > 2: print(n)\nmatch n:\n  case 3: print('three')", "3\nthree"),
    ("names", "print(__name__)", "__main__"),
    (
        "value of StopIteration",
        "def g():\n  yield 1\n  return 5\ni = g(); next(i)\ntry: next(i)\nexcept StopIteration as e: print(e.value)",
        "5",
    ),
    ("errno", "try: open('none')\nexcept OSError as e: print(e.errno, e.args[0], e)", "2 2 [Errno 2] ENOENT"),
    (
        "print_exception",
        "import sys\ntry: 1/0\nexcept Exception as e: sys.print_exception(e)",
        (
            'Traceback (most recent call last):\n  File "<program>", line 2, in <module>\n'
            "ZeroDivisionError: division by zero"
        ),
    ),
    (
        "help",
        "help()",
        "Welcome to MicroPython!\n\nFor online docs please visit http://docs.micropython.org/",
    ),
    ("gc is there", "import gc\ngc.collect()\nprint('ok')", "ok"),
    ("async without an import", "async def f(): return 1\nprint(type(f).__name__)", "function"),
    ("tabs and blanks mixed", "if True:\n\tx = 1\n        y = 2\n\tprint(x + y)", "3"),
    ("tabs in text stay", "if True:\n\tx = 1\n        y = 2\nprint(repr('a\tb'))", "'a\\tb'"),
    ("a byte order mark", "\ufeffprint(1)", "1"),
    ("lines that end with CRLF", "if True:\r\n  print(1)\r\nprint('''a\r\nb''')\r\n", "1\na\nb"),
    ("a backslash at the end", "print(1)\n\\", "1"),
    (
        "hints are not evaluated",
        "x: Nowhere = 1\ndef f(a: List[Nil], *b: 1 / 0) -> Nada:\n  y: None_[3] = a\n  return y\nprint(x, f(2))",
        "1 2",
    ),
    (
        "private names, from outside",
        (
            "class A:\n  __c = 1\n  def __init__(self): self.__x = 2\n  def __f(self): return self.__x\n"
            "a = A()\nprint(a.__x, A.__c, a.__f())"
        ),
        "2 1 2",
    ),
    (
        "private names, in a subclass",
        (
            "class A:\n  def __init__(self): self.__x = 2\n"
            "class B(A):\n  def f(self):\n    self.__x += 1\n    return self.__x\nprint(B().f())"
        ),
        "3",
    ),
    (
        "private names of all kinds",
        (
            "import sys as __s\ndef __f(__a, *, __b=2): return __a + __b\nclass A:\n  def f(self):\n"
            "    global __g\n    __g = __f(1, __b=3)\n    try: 1 / 0\n"
            "    except Exception as __e: return type(__e).__name__\nprint(A().f(), __g, __s.platform)"
        ),
        "ZeroDivisionError 4 esp32",
    ),
    (
        "special names",
        (
            "class A:\n  __slots__ = ('_',)\n  def __len__(self): return 3\n  def __enter__(self): return self\n"
            "  def __exit__(self, *a): pass\nwith A() as a: print(len(a), A.__name__, __name__)"
        ),
        "3 A __main__",
    ),
    (
        "underscores alone",
        "_, __, ___ = 1, 2, 3\nclass A:\n  def f(self): return _, __, ___\nprint(A().f())",
        "(1, 2, 3)",
    ),
    (
        "a dict that shrinks in a loop",
        "d = {1: 1, 2: 2, 3: 3, 4: 4}\nfor k in d:\n  if k % 2: del d[k]\nprint(d)",
        "{2: 2, 4: 4}",
    ),
    (
        "a dict that loses what comes later",
        "d = {1: 2, 2: 3, 3: 4}\nfor k, v in d.items():\n  d.pop(v, None)\n  print(k, v)",
        "1 2\n3 4",
    ),
    (
        "a dict that grows in a loop",
        "d = {1: 1}\nfor v in d.values():\n  d[v + 1] = 5\nfor k in d.keys(): d.pop(k)\nprint(d)",
        "{}",
    ),
    ("a set that shrinks in a loop", "s = {1, 2, 3}\nfor x in s:\n  s.discard(x)\nprint(s)", "set()"),
    ("a list that shrinks in a loop", "l = [1, 2, 3, 4]\nfor x in l: l.remove(x)\nprint(l)", "[2, 4]"),
    (
        "a list that is filled in a loop",
        "l = [0, 0]\nfor i in range(2): l[i] = i\nfor i, x in enumerate(l): l[i] += x\nprint(l)",
        "[0, 2]",
    ),
    ("a dict of one's own", "class D(dict): pass\nd = D(a=1)\nfor k in d: d[k] = 2\nprint(d)", "{'a': 2}"),
    ("a coding that is none", "# -*- coding: nonsense -*-\nprint('é')", "é"),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_the_language(row):
    _, program, printed = row
    bench = Bench()
    bench.run(program)
    assert bench.output == printed + "\n"


def test_tracebacks_have_the_names_that_the_author_wrote(lab):
    code = "class A:\n  def __work(self): return self.__missing\n  def f(self): self.__work()\nA().f()"
    board = lab.board(code=code)
    lab.run()
    assert "line 2, in __work\n" in board.output
    assert "no attribute '__missing'" in board.output
    assert "___" not in board.output


@pytest.mark.parametrize(
    ("content", "printed"),
    [
        (b"# caf\xe9\nprint(1)", "1\n"),
        (b"print('caf\xe9')", "caf\ufffd\n"),
        (b"\xef\xbb\xbfprint('\xc3\xa9')", "\u00e9\n"),
        (b"# coding: latin-1\nprint('\xc3\xa9')", "\u00e9\n"),
    ],
)
def test_source_is_utf8_whatever_it_says(lab, tmp_path, content, printed):
    (tmp_path / "p.py").write_bytes(content)
    board = lab.board(tmp_path / "p.py")
    lab.run()
    assert board.output == printed


def test_what_needs_no_change_is_not_changed():
    """The fast paths stay fast: calls that CPython does alike are compiled as they stand."""
    text = "int.from_bytes(b, 'big')\nint.from_bytes(b, 'little')\nbytearray(3)\nb'a' + b'b'\nx in y\n'a' in ('a', z)"
    code = compile_program(text, "x")
    assert not [name for name in code.co_names if name.startswith("__")]


@pytest.mark.parametrize("text", ["for", "x =", "\\x", "def f(:", "(" * 300, "x = " + "-" * 5000 + "1"])
def test_no_python_is_one_line(text):
    with pytest.raises(ProgramSyntaxError) as caught:
        compile_program(text, "name.py")
    assert str(caught.value).startswith("name.py")
    assert "\n" not in str(caught.value)


# Text that a program compiles.


def both(program):
    """Run a program on a board and in CPython; return what each printed."""
    bench = Bench()
    bench.run(program)
    printed = []
    namespace = {"print": lambda *values: printed.append(" ".join(map(str, values)) + "\n"), "__name__": "__main__"}
    exec(compile(program, "x", "exec"), namespace)
    return bench.output, "".join(printed)


@pytest.mark.parametrize(
    "program",
    [
        "x = 1\nexec('x += 1; y = x')\nprint(x, y)",
        "print(eval(' 1 + 1'), eval(b'2 * 3'))",
        "def f(a):\n  return eval('a + 1')\nprint(f(1))",
        "def f(a):\n  exec('print(a)')\nf(3)",
        "def f(a):\n  exec('a += 1; print(a)')\n  return a\nprint(f(3))",
        "n = {}\nexec('a = 1\\ndef f(): return a', n)\nprint(n['a'], n['f']())",
        "g, l = {'a': 1}, {}\nexec('b = a + 1', g, l)\nprint(l, 'b' in g)",
        "print(eval('a + b', {'a': 1}, {'b': 2}))",
        "class A:\n  x = 1\n  exec('y = x + 1')\nprint(A.y)",
        "c = compile('1 + 2', 'f', 'eval')\nprint(eval(c))",
        "c = compile(b'z = 5', 'f', 'exec')\nexec(c)\nprint(z)",
        "exec('def f(n): return n and f(n - 1)')\nprint(f(3))",
        "exec('import math')\nprint(math.floor(1.5))",
        "try: exec('x =')\nexcept SyntaxError: print('no')",
        "try: eval('x = 1')\nexcept SyntaxError: print('no')",
        "try: exec(5)\nexcept TypeError: print('no')",
        "try: eval('nosuch')\nexcept NameError as e: print(e)",
        "exec('class A:\\n  def f(self): return [self.n for _ in range(2)]\\n  n = 1\\nprint(A().f())')",
        "f = eval('lambda a, b=2: a + b')\nprint(f(1), f(1, 3))",
        "exec(bytearray(b'print(7)'))",
        "exec(memoryview(b'print(8)'))",
    ],
)
def test_text_that_is_executed_acts_as_in_cpython(program):
    ours, theirs = both(program)
    assert ours == theirs
    assert ours


def test_in_a_function_text_assigns_to_the_globals_as_on_a_board():
    bench = Bench()
    bench.run(
        "def on_message(text):\n  exec(text)\nspeed = 1\non_message(b'speed = 5\\nnew = speed + 1')\nprint(speed, new)"
    )
    bench.run("def f(a):\n  exec('del b; del a')\nb = 1\nf(2)\nprint('b' in globals())")
    assert bench.output == "5 6\nFalse\n"


def test_text_with_globals_of_its_own_has_the_boards_builtins():
    bench = Bench()
    bench.run("n = {}\nexec('import time\\nprint(const(3))\\nfor _ in range(64): pass', n)\nprint('time' in n)")
    assert bench.output == "3\nTrue\n"


def test_a_file_that_is_executed_finds_the_callers_names(tmp_path):
    (tmp_path / "other.py").write_text("y = x + 1\nprint(__name__)")
    bench = Bench(folder=tmp_path)
    bench.run("x = 1\nexecfile('other.py')\nprint(y)")
    assert bench.output == "__main__\n2\n"


@pytest.mark.parametrize("builtins", ["{}", "None", "{'print': print}"])
def test_text_has_all_builtins_whatever_its_globals_say_of_them(lab, builtins):
    text = "for n in range(2):\n  try:\n    x\n  except NameError:\n    print(n, max(map(lambda n: n, (1, 2))))"
    board = lab.board(
        code=f"exec({text!r}, {{'__builtins__': {builtins}}})\n"
        f"print(eval('max(map(lambda n: n, (1, 2)))', {{'__builtins__': {builtins}}}))"
    )
    lab.run()
    assert board.lines == ["0 2", "1 2", "2"]
