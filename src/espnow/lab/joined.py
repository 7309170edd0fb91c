"""Bytes that a program joins with text: MicroPython takes the text's bytes, CPython refuses.

Rules: a sum is changed only where its left side may be bytes, as far as the program's text tells: a literal, what is
known to return bytes, or a name or attribute that is set to such somewhere. What is really there when the sum runs
decides, so that a guess too many costs a call and changes nothing. Source: ``py/objstr.c`` and ``py/objarray.c``, where
``+`` takes whatever is a buffer.
"""

from __future__ import annotations

import ast

from espnow.micropython.builtins import FITTING, JOINED

__all__ = ["join_bytes_with_text"]

#: Methods and functions that return bytes, whatever they belong to.
_GIVERS = frozenset(
    {"bytearray", "bytes", "digest", "encode", "encrypt", "fromhex", "hexlify", "pack", "readline", "to_bytes"}
    | {"unhexlify", "unique_id", "urandom"}
)

#: Methods that return whom a message is from, and the message.
_RECEIVERS = frozenset({"recv", "irecv", "arecv", "airecv"})


def join_bytes_with_text(module: ast.Module) -> None:
    """Change the sums of a program that may join bytes with text."""
    sums: list[ast.BinOp | ast.AugAssign] = []
    settings: list[tuple[list[ast.expr], ast.expr]] = []
    for node in ast.walk(module):
        if isinstance(node, ast.Assign):
            settings.append((node.targets, node.value))
        elif isinstance(node, (ast.BinOp, ast.AugAssign)) and isinstance(node.op, ast.Add):
            sums.append(node)
    if not sums:
        return
    known: set[str] = set()
    for targets, value in settings:
        for target in targets:
            known.update(_told_by(target, value))
    for node in sums:
        right = node.value if isinstance(node, ast.AugAssign) else node.right
        if isinstance(right, ast.Constant) and not isinstance(right.value, str):
            continue
        if isinstance(node, ast.AugAssign):
            if (set_to := _read_again(node.target)) and _name(set_to) in known:
                node.value = _call(FITTING, set_to, right)
        elif _may_be_bytes(node.left, known):
            node.left = _call(JOINED, node.left)


def _told_by(target: ast.expr, value: ast.expr) -> list[str]:
    """Return the names and attributes of an assignment's target that its value makes bytes."""
    if isinstance(target, ast.Tuple):
        is_message = isinstance(value, ast.Call) and _called(value) in _RECEIVERS
        return [name for element in target.elts if (name := _name(element))] if is_message else []
    name = _name(target)
    return [name] if name and _may_be_bytes(value, frozenset()) else []


def _may_be_bytes(node: ast.expr, known: set[str] | frozenset[str]) -> bool:
    if isinstance(node, ast.Constant):
        return isinstance(node.value, bytes)
    if isinstance(node, ast.Call):
        if _called(node) == "config":
            asked = node.args[0] if node.args else None
            return isinstance(asked, ast.Constant) and asked.value == "mac"
        return _called(node) in _GIVERS
    if isinstance(node, ast.BinOp):
        return isinstance(node.op, ast.Add) and _may_be_bytes(node.left, known)
    if isinstance(node, ast.Subscript):
        return isinstance(node.slice, ast.Slice) and _may_be_bytes(node.value, known)
    return _name(node) in known


def _read_again(target: ast.expr) -> ast.expr | None:
    """Return an expression that reads what is set, if that costs nothing and does nothing."""
    if isinstance(target, ast.Name):
        return ast.copy_location(ast.Name(target.id, ast.Load()), target)
    if isinstance(target, ast.Attribute) and (owner := _read_again(target.value)):
        return ast.copy_location(ast.Attribute(owner, target.attr, ast.Load()), target)
    return None


def _called(call: ast.Call) -> str:
    function = call.func
    return function.attr if isinstance(function, ast.Attribute) else _name(function)


def _name(node: ast.expr) -> str:
    """Return how a name or an attribute of anything is remembered; nothing for other expressions."""
    if isinstance(node, ast.Name):
        return node.id
    return f".{node.attr}" if isinstance(node, ast.Attribute) else ""


def _call(name: str, *arguments: ast.expr) -> ast.Call:
    call = ast.Call(ast.copy_location(ast.Name(name, ast.Load()), arguments[0]), list(arguments), [])
    return ast.copy_location(call, arguments[-1])
