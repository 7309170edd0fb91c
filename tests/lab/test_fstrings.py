"""f-strings and numbers that MicroPython's lexer takes and an older CPython's does not."""

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espnow.errors import ProgramSyntaxError
from espnow.lab.fstrings import rewrite_fstrings
from espnow.lab.program import compile_program
from espnow.testing import Bench

NAMES = 'd = {"a": 1.5, "b": "x"}; n = 3; w = 6; l = ["p", "q"]\n'

ROWS = [
    (r"""f"{d["a"]}" """, "1.5"),
    (r"""f'{d['a']}' """, "1.5"),
    (r"""f"a{d["a"]}b{n}c" """, "a1.5b3c"),
    (r"""f"{", ".join(l)}!" """, "p, q!"),
    (r"""f"{d["a"]:>{w}.1f}|" """, "   1.5|"),
    (r"""f"{d["b"]!r}" """, "'x'"),
    (r"""f"{d["b"]!r:>5}" """, "  'x'"),
    (r"""f"{d["a"]=}" """, 'd["a"]=1.5'),
    (r"""f"{d["a"] = }" """, 'd["a"] = 1.5'),
    (r"""f"{d["a"]==1.5}" """, "True"),
    (r"""f"{n!=d["a"]}" """, "True"),
    (r"""f"{{}}{d["b"]}}}{{" """, "{}x}{"),
    (r"""f"\t{d["b"]}\x41\N{BULLET}" """, "\txA\u2022"),
    (r"""fr"\t{d["b"]}" """, r"\tx"),
    (r"""F"{d["b"]}" """, "x"),
    (r"""f"{"a" if n else "b"}" """, "a"),
    (r"""f"{[x for x in l if x != "p"]}" """, "['q']"),
    (r"""f"{f"{d["b"]}{n}"}" """, "x3"),
    (r"""f"{(lambda x: x)("y")}" """, "y"),
    (r"""f"{"\n".join(l)}" """, "p\nq"),
    (r"""f"{d["b"]}" + f"{n}" """, "x3"),
    (r""""#" + f"{d["b"]}"  # f"{""", "#x"),
    (r"""'it\'s ' + f'{d['b']}' """, "it's x"),
]


@pytest.mark.parametrize(("expression", "value"), ROWS)
def test_an_expression_may_hold_the_quotes_of_its_string(expression, value):
    names = Bench().run(f"{NAMES}result = {expression}\n")
    assert names["result"] == value


@pytest.mark.parametrize(("expression", "value"), ROWS)
def test_lines_stay_and_what_stands_around_too(expression, value):
    text = f"# it's\n'a' ; b\"c\"\nx = {expression}\ny = f'{{x}}'\n"
    rewritten = rewrite_fstrings(text).split("\n")
    assert rewritten[:2] == text.split("\n")[:2]
    assert rewritten[3:] == text.split("\n")[3:]
    ast.parse(rewritten[2])


@pytest.mark.parametrize(
    "text",
    [
        "x = f'{a} {b:>{c}} {d!r}'",
        "f'{a[\"b\"]}'",
        "rb'{' b'\\'' u'x' # f'{",
        "f'''\n{a}\n'''",
        "iff = 1; of if 'x' else 1",
    ],
)
def test_what_needs_no_change_is_not_changed(text):
    assert rewrite_fstrings(text) == text


@given(st.text(alphabet="f'\"{}[]()!r:=\\\n#ab ", max_size=30))
def test_whatever_it_is_given_it_ends(text):
    try:
        rewrite_fstrings(text)
    except ValueError:
        pass


@pytest.mark.parametrize("text", ['f"{d["a"}"', "f'{", "f'{a", "x = f'{a[\n", "'abc", 'f"{a["b"]} \n', 'f"{d["a"]}" x'])
def test_what_is_no_python_stays_none(text):
    with pytest.raises(ProgramSyntaxError):
        compile_program(text, "x.py")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("(2023, 08, 05, 00, 010)", (2023, 8, 5, 0, 10)),
        ("'é08', 007 + 0_1", ("é08", 8)),
        ("0x0F, 0.05, 1e05, 00, '00:01'", (15, 0.05, 100000.0, 0, "00:01")),
        ("0x0F, 01, '00:01', 1.05", (15, 1, "00:01", 1.05)),
    ],
)
def test_zeros_may_stand_in_front_of_a_number(text, value):
    assert Bench().run(f"x = {text}")["x"] == value


def test_several_things_may_be_repaired_in_one_file():
    bench = Bench()
    bench.run("if 01:\n\td = {'a': 2}\n        y = f'{d['a']}'\nprint(y, '08', 08)")
    assert bench.output == "2 08 8\n"
