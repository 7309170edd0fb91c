"""MicroPython's language where it differs from CPython's, as far as programs rely on it.

Rules: a program's tree is changed in place, before it is compiled, and only where CPython would do something else; a
change is cheap and keeps the author's lines. What a changed program calls is in `espnow.micropython.builtins`. Sources:
MicroPython's page "MicroPython differences from CPython" and what its parser, compiler and `int` do.

- Expressions in f-strings may hold the string's own quotes (`espnow.lab.fstrings`), and decimal numbers zeros in front.
- Source is UTF-8 whatever it says; bytes that are none are replaced. Tabs stand for 8 columns, also mixed with blanks.
- ``X = const(...)`` that is not at module level is a constant of the rest of the file.
- Decorators ``@micropython.native``, ``viper`` and ``bytecode`` need no import and change nothing; viper's pointers
  index what they point to. Inline assembler cannot run.
- ``int.from_bytes`` takes any byte order, all but "little" meaning big, and a third argument that it ignores;
  ``to_bytes`` takes any byte order, too, and negative numbers.
- Hints of types are not evaluated, so that they may name what is nowhere (`FLAGS`).
- Names with two underscores in front belong to no class: what ``self.__x`` sets, ``thing.__x`` finds (`unmangled`).
- ``__del__`` of a program's class is a method as any other: nobody calls it when an object goes.
- Every exception that a handler has by name has ``errno`` and ``value``, its first argument.
- A dict or set may change inside a ``for`` over it.
- Bytes are joined with text (`espnow.lab.joined`), ``bytearray(text)`` and a bytearray's ``extend(text)`` take the
  text's bytes, ``bytes.fromhex`` takes digits as bytes, and bytes are searched for text: ``"text" in data``,
  ``data.startswith("text")``, ``data.endswith("text")``. ``b"...".format()`` gives text.
"""

from __future__ import annotations
import __future__

import ast
import operator
import re
from collections.abc import Callable
from typing import Any

from espnow.lab.fstrings import rewrite_fstrings
from espnow.lab.joined import join_bytes_with_text
from espnow.micropython.builtins import (
    AFFIXED,
    AS_BYTES,
    EXTEND,
    FROM_BYTES,
    FROM_HEX,
    SEARCHED,
    STEADY,
    TO_BYTES,
    TOLD,
)

__all__ = ["FLAGS", "adapt", "as_written", "decode_source", "parse"]

#: What `compile` is told: not to evaluate hints.
FLAGS = __future__.annotations.compiler_flag

#: What CPython would mangle in a class, and what it is called instead: a name that ends with underscores is left alone.
_PRIVATE = re.compile(r"__\w*[^\W_]_?")
_ENDING = "___"
_DEL = "__del__"
_RENAMED = re.compile(rf"\b(__\w*?[^\W_]_?){_ENDING}\b")

#: Fields of nodes that hold names.
_NAME_FIELDS = ("id", "attr", "name", "arg", "asname", "rest", "kwd_attrs", "names")

#: Zeros in front of a decimal number.
_ZEROS = re.compile(r"(?<![\w.])0[0_]*(?=[1-9])")

#: Methods that change a dict or a set.
_CHANGING = frozenset({"add", "clear", "discard", "pop", "popitem", "remove", "setdefault", "update"})

#: Expressions whose value may be text.
_MAYBE_TEXT = (ast.Name, ast.Attribute, ast.Subscript, ast.Call, ast.BinOp, ast.Constant, ast.JoinedStr)

_CODE_EMITTERS = frozenset({"native", "viper", "bytecode"})
_POINTERS = frozenset({"ptr8", "ptr16", "ptr32"})

_OPERATORS: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.LShift: operator.lshift,
    ast.RShift: operator.rshift,
    ast.BitOr: operator.or_,
    ast.BitAnd: operator.and_,
    ast.BitXor: operator.xor,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Invert: operator.invert,
}

#: A shift further than this is no constant of a program for a small board.
_MAX_SHIFT = 64


def decode_source(source: str | bytes) -> str:
    """Return a program's text: UTF-8, without the mark that some editors put first and a backslash at the end."""
    text = source if isinstance(source, str) else source.decode("utf-8", "replace")
    text = text.removeprefix("\ufeff")
    ended = text.rstrip()
    return ended[:-1] if ended.endswith("\\") else text


def parse(text: str, filename: str, mode: str) -> ast.AST:
    """Return the tree of a program's text, also where CPython is stricter than MicroPython.

    Raises:
        SyntaxError: it is no Python for either.
    """
    refused: SyntaxError | None = None
    while True:
        try:
            tree: ast.AST = ast.parse(text, filename, mode)
            return tree
        except SyntaxError as error:
            refused = refused or error
            repaired = _repair(text, error)
            if repaired == text:
                raise refused from None
            text = repaired


def _repair(text: str, error: SyntaxError) -> str:
    """Return the text without what CPython refused, if MicroPython takes it; the same text if not."""
    if isinstance(error, TabError):
        return _expand_tabs(text)
    if error.msg.startswith("leading zeros"):
        lines = text.splitlines(keepends=True)
        number = (error.lineno or 1) - 1
        line, offset = lines[number], error.offset or 1  # in bytes in some versions, and so never too small
        found = [match for match in _ZEROS.finditer(line) if match.start() < offset]
        if found:
            lines[number] = line[: found[-1].start()] + line[found[-1].end() :]
        return "".join(lines)
    try:
        return rewrite_fstrings(text)
    except ValueError:
        return text


def _expand_tabs(source: str) -> str:
    """Return the text with the tabs that indent its lines as blanks, 8 columns a tab."""
    lines = []
    for line in source.splitlines(keepends=True):
        body = line.lstrip(" \t")
        lines.append(line[: len(line) - len(body)].expandtabs(8) + body)
    return "".join(lines)


def adapt(node: ast.AST) -> None:
    """Change one node of a program's tree so that CPython does with it what MicroPython does."""
    if isinstance(node, ast.Call):
        _adapt_call(node)
    elif isinstance(node, ast.For):
        if _may_change(node):
            node.iter = _call(STEADY, node.iter)
    elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        if node.decorator_list:
            _adapt_decorators(node)
    elif isinstance(node, ast.Compare):
        _adapt_comparison(node)
    elif isinstance(node, ast.ExceptHandler):
        if node.name is not None:
            _tell(node)
    elif isinstance(node, ast.Module):
        _search_for_named(node)
        join_bytes_with_text(node)
        _fold_constants(node)
    for field in _NAME_FIELDS:
        name = getattr(node, field, None)
        if isinstance(name, str):
            if name.startswith("__"):
                setattr(node, field, _unmangled(name))
        elif isinstance(name, list):
            name[:] = [_unmangled(each) if isinstance(each, str) else each for each in name]


def as_written(text: str) -> str:
    """Return text about a program with its names as its author wrote them."""
    return _RENAMED.sub(r"\1", text.replace(_DEL + _ENDING, _DEL)) if _ENDING in text else text


def _unmangled(name: str) -> str:
    return name + _ENDING if _PRIVATE.fullmatch(name) or name == _DEL else name


def _tell(handler: ast.ExceptHandler) -> None:
    """Let every exception have the attributes that a handler reads of it."""
    for statement in handler.body:
        for node in ast.walk(statement):
            if (
                isinstance(node, ast.Attribute)
                and node.attr in ("errno", "value")
                and isinstance(node.ctx, ast.Load)
                and isinstance(node.value, ast.Name)
                and node.value.id == handler.name
            ):
                node.value = _call(TOLD, node.value)


def _may_change(loop: ast.For) -> bool:
    """Return whether a loop's body contains what could change a dict or a set."""
    for statement in loop.body:
        for node in ast.walk(statement):
            if isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load):
                return True
            if isinstance(node, ast.Attribute) and node.attr in _CHANGING:
                return True
    return False


def _adapt_call(node: ast.Call) -> None:
    function = node.func
    if isinstance(function, ast.Attribute):
        if function.attr == "format" and _is_bytes(function.value):
            function.value = _as_text(function.value)
            return
        if function.attr == "to_bytes":
            helper = TO_BYTES
        elif function.attr in AFFIXED and not isinstance(function.value, ast.Constant):
            if not node.args or node.keywords or _is_bytes(node.args[0]):
                return
            helper = AFFIXED[function.attr]
        elif function.attr == "extend":
            if len(node.args) != 1 or not isinstance(node.args[0], _MAYBE_TEXT):
                return
            helper = EXTEND
        elif function.attr == "fromhex" and isinstance(function.value, ast.Name):
            if function.value.id not in ("bytes", "bytearray") or len(node.args) != 1:
                return
            helper = FROM_HEX
        elif function.attr == "from_bytes" and isinstance(function.value, ast.Name) and function.value.id == "int":
            if (
                len(node.args) == 2
                and isinstance(node.args[1], ast.Constant)
                and node.args[1].value in ("big", "little")
            ):
                return
            helper = FROM_BYTES
        else:
            return
        node.func = ast.copy_location(ast.Name(helper, ast.Load()), function)
        node.args.insert(0, function.value)
    elif isinstance(function, ast.Name) and function.id == "bytearray" and len(node.args) == 1 and not node.keywords:
        argument = node.args[0]
        is_number = isinstance(argument, ast.Constant) and not isinstance(argument.value, str)
        if not is_number and not isinstance(argument, ast.Starred):
            node.args[0] = _call(AS_BYTES, argument)


def _adapt_comparison(node: ast.Compare) -> None:
    """Let text be searched in bytes."""
    if _is_text(node.left):
        _search(node)


def _search_for_named(module: ast.Module) -> None:
    """Let bytes be searched for text that has a name: one that is set to a literal, or goes through literals."""
    named: set[str] = set()
    searches: list[tuple[str, ast.Compare]] = []
    for node in ast.walk(module):
        if isinstance(node, ast.Assign):
            if _is_text(node.value):
                named.update(target.id for target in node.targets if isinstance(target, ast.Name))
        elif isinstance(node, (ast.For, ast.comprehension)):
            literals = node.iter.elts if isinstance(node.iter, (ast.Tuple, ast.List, ast.Set)) else []
            if isinstance(node.target, ast.Name) and any(map(_is_text, literals)):
                named.add(node.target.id)
        elif isinstance(node, ast.Compare) and isinstance(node.left, ast.Name):
            searches.append((node.left.id, node))
    for name, node in searches:
        if name in named:
            _search(node)


def _search(node: ast.Compare) -> None:
    place = node.comparators[0]
    is_search = len(node.ops) == 1 and isinstance(node.ops[0], (ast.In, ast.NotIn))
    if is_search and isinstance(place, (ast.Name, ast.Attribute, ast.Subscript, ast.Call)):
        node.comparators[0] = _call(SEARCHED, place)


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def _as_text(literal: ast.expr) -> ast.expr:
    assert isinstance(literal, ast.Constant)
    assert isinstance(literal.value, bytes)
    return ast.copy_location(ast.Constant(literal.value.decode("utf-8", "replace")), literal)


def _is_bytes(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, bytes)


def _call(name: str, argument: ast.expr) -> ast.Call:
    call = ast.Call(ast.copy_location(ast.Name(name, ast.Load()), argument), [argument], [])
    return ast.copy_location(call, argument)


def _adapt_decorators(node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
    for decorator in list(node.decorator_list):
        named = decorator.func if isinstance(decorator, ast.Call) else decorator
        if not (isinstance(named, ast.Attribute) and isinstance(named.value, ast.Name)):
            continue
        if named.value.id != "micropython":
            continue
        if named.attr in _CODE_EMITTERS:
            node.decorator_list.remove(decorator)
            if named.attr == "viper":
                _point(node)
        elif named.attr.startswith("asm_"):
            node.decorator_list.remove(decorator)
            refuse = ast.parse("raise NotImplementedError('inline assembler cannot run here')").body
            for part in ast.walk(refuse[0]):
                ast.copy_location(part, node.body[0])
            node.body[:] = refuse
            node.returns = None
            for argument in node.args.args:
                argument.annotation = None


def _point(node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
    """Make pointers of the arguments that a viper function declares as such."""
    first = node.body[0]
    made = []
    for argument in node.args.args:
        hint = argument.annotation
        if isinstance(hint, ast.Name) and hint.id in _POINTERS:
            value = ast.Call(ast.Name(hint.id, ast.Load()), [ast.Name(argument.arg, ast.Load())], [])
            statement = ast.Assign([ast.Name(argument.arg, ast.Store())], value)
            for part in ast.walk(statement):
                ast.copy_location(part, first)
            made.append(statement)
    has_docstring = ast.get_docstring(node, clean=False) is not None
    node.body[has_docstring:has_docstring] = made


def _fold_constants(module: ast.Module) -> None:
    """Put the values of constants that are not at module level where their names are read."""
    found: dict[str, list[ast.Assign]] = {}
    stored: dict[str, int] = {}
    for node in ast.walk(module):
        if isinstance(node, ast.Assign) and _is_const(node.value):
            target = node.targets[0]
            if len(node.targets) == 1 and isinstance(target, ast.Name):
                found.setdefault(target.id, []).append(node)
        elif isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            stored[node.id] = stored.get(node.id, 0) + 1
        elif isinstance(node, ast.arg):
            stored[node.arg] = stored.get(node.arg, 0) + 1
    if not found:
        return
    at_top = {id(node) for node in module.body}
    values: dict[str, Any] = {}
    folded = False
    for name, nodes in found.items():
        if len(nodes) != 1 or stored.get(name) != 1:
            continue
        assert isinstance(nodes[0].value, ast.Call)
        try:
            values[name] = _evaluate(nodes[0].value.args[0], values)
        except (LookupError, TypeError, ValueError, ArithmeticError):
            continue
        if id(nodes[0]) in at_top:
            continue
        folded = True
    if folded:
        inner = {name: values[name] for name in values if id(found[name][0]) not in at_top}
        _replace(module, inner, {name: found[name][0].lineno for name in inner})


def _is_const(node: ast.expr) -> bool:
    return (
        isinstance(node, ast.Call)
        and len(node.args) == 1
        and (
            (isinstance(node.func, ast.Name) and node.func.id == "const")
            or (isinstance(node.func, ast.Attribute) and node.func.attr == "const")
        )
    )


def _evaluate(node: ast.expr, known: dict[str, Any]) -> Any:
    """Return the value of a constant expression; LookupError if it is none."""
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name):
        return known[node.id]
    if isinstance(node, ast.UnaryOp):
        return _OPERATORS[type(node.op)](_evaluate(node.operand, known))
    if isinstance(node, ast.BinOp):
        left, right = _evaluate(node.left, known), _evaluate(node.right, known)
        if isinstance(node.op, ast.LShift) and right > _MAX_SHIFT:
            raise LookupError
        return _OPERATORS[type(node.op)](left, right)
    raise LookupError


def _replace(module: ast.Module, values: dict[str, Any], lines: dict[str, int]) -> None:
    """Replace the names that are read after their line by their values, without recursion."""
    for node in list(ast.walk(module)):
        for field, value in ast.iter_fields(node):
            if isinstance(value, list):
                for index, item in enumerate(value):
                    if _is_read(item, values, lines):
                        value[index] = ast.copy_location(ast.Constant(values[item.id]), item)
            elif _is_read(value, values, lines):
                setattr(node, field, ast.copy_location(ast.Constant(values[value.id]), value))


def _is_read(node: Any, values: dict[str, Any], lines: dict[str, int]) -> bool:
    return (
        isinstance(node, ast.Name)
        and node.id in values
        and isinstance(node.ctx, ast.Load)
        and node.lineno > lines[node.id]
    )
