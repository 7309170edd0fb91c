"""Python callables as programs: a function of the host that runs as if it were the board's own."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from types import FunctionType, ModuleType
from typing import Any

from espnow.lab.importer import Importer

__all__ = ["adopt", "takes_argument"]


def adopt(function: Callable[..., Any], importer: Importer) -> Callable[..., Any]:
    """Return a callable that imports and uses the modules of a board; what is no plain function is returned as it is.

    It gets a snapshot of its globals, in which import and the modules that a board has are this board's, and so do the
    functions of its own file that it calls.
    """
    if not isinstance(function, FunctionType):
        return function
    namespace = dict(function.__globals__)
    namespace["__builtins__"] = importer.builtins
    for name, value in namespace.items():
        if isinstance(value, ModuleType) and importer.knows(value.__name__):
            namespace[name] = importer.import_(value.__name__, fromlist=("*",))
        elif isinstance(value, FunctionType) and value.__globals__ is function.__globals__:
            namespace[name] = _rebind(value, namespace)
    return _rebind(function, namespace)


def _rebind(function: FunctionType, namespace: dict[str, Any]) -> FunctionType:
    """Return the same function with other globals."""
    bound = FunctionType(function.__code__, namespace, function.__name__, function.__defaults__, function.__closure__)
    bound.__kwdefaults__ = function.__kwdefaults__
    bound.__dict__.update(function.__dict__)
    return bound


def takes_argument(function: Callable[..., Any]) -> bool:
    """Return whether a callable must be called with an argument."""
    parameters: Sequence[inspect.Parameter] = ()
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        pass
    return any(
        parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
        and parameter.default is parameter.empty
        for parameter in parameters
    )
