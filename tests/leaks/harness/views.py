"""Every way in which a result or an error is shown, stored or handed on."""

from __future__ import annotations

import contextlib
import copy
import inspect
import io
import json
import pickle
import pprint
import traceback

from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from rich.traceback import Traceback


View = tuple[str, "str | bytes"]
_DEPTH = 8
_FOREIGN_DEPTH = 2
_MOST = 60
# rich 13.0 hides no names yet, and cannot be asked not to.
_DUNDERS: dict[str, Any] = (
    {"locals_hide_dunder": False}
    if "locals_hide_dunder" in inspect.signature(Traceback.extract).parameters
    else {}
)
_HOLDERS = {
    # An environment that a caller gave, which must be plain there; it shows and pickles nothing.
    "camsync.credentials.env._Given",
}


def views_of_result(value: object) -> Iterator[View]:
    """Yield how *value* looks to whoever prints, inspects, stores or sends it."""
    yield "repr", _repr(value)
    yield "str", str(value)
    yield "format", f"{value}"
    yield "ascii", f"{value!a}"
    yield "pprint", pprint.pformat(value)
    yield from ((f"attribute {path}", text) for path, text in walk(value))
    yield from _trying("asdict", lambda: pprint.pformat(_asdict(value)))
    yield from _trying("json", lambda: json.dumps(value, default=str))
    yield from _trying("json", lambda: json.dumps(value, default=vars))
    yield from _trying("json", lambda: json.dumps(_asdict(value), default=str))
    for protocol in (0, pickle.HIGHEST_PROTOCOL):
        yield from _trying("pickle", lambda protocol=protocol: pickle.dumps(value, protocol))
    yield from _trying("copy", lambda: _copied(copy.copy(value)))
    yield from _trying("copy", lambda: _copied(copy.deepcopy(value)))


def _asdict(value: object) -> object:
    if isinstance(value, (list, tuple)):
        return [_asdict(one) for one in value]
    return attrs.asdict(value)  # type: ignore[arg-type]


def _copied(value: object) -> str:
    return "\n".join([_repr(value), *(text for _, text in walk(value))])


def _trying(channel: str, make: Any) -> Iterator[View]:
    """Yield what *make* gives; it may refuse, but its refusal must not show anything, too."""
    try:
        yield channel, make()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is looked at
        yield f"{channel} (refused)", f"{error!r} {error}"


def _repr(value: object) -> str:
    try:
        return repr(value)
    except Exception as error:  # noqa: BLE001 - half-made objects stand in frames, too
        return f"<no repr: {error!r}>"


def walk(value: object) -> Iterator[tuple[str, str]]:
    """Yield path and repr of what *value* is made of, private attributes included.

    What has a method ``reveal`` is a holder of secrets: only its repr is looked at.
    """
    seen: set[int] = set()
    waiting = [("", value, 0)]
    while waiting:
        path, one, depth = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield path, _repr(one)
        if depth < _DEPTH and not _holds_secrets(one):
            step = 1 if _ours(one) else _DEPTH // _FOREIGN_DEPTH
            waiting += [(f"{path}.{name}", part, depth + step) for name, part in _parts(one)]


def _holds_secrets(value: object) -> bool:
    kind = type(value)
    named = f"{kind.__module__}.{kind.__qualname__}" in _HOLDERS
    working = kind.__module__.startswith("cryptography.")  # a cipher at work has to have its key
    return named or working or callable(getattr(kind, "reveal", None))


def _ours(value: object) -> bool:
    module = type(value).__module__
    return module.partition(".")[0] in {"camsync", "builtins", "leak_scenarios"}


def _parts(value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, (type, str, bytes, bytearray, memoryview, int, float)):
        return
    if isinstance(value, Mapping):
        for key, part in list(value.items())[:_MOST]:
            yield f"[{type(key).__name__}]", key
            yield f"[{str(key)[:20]}]", part
    elif isinstance(value, (list, tuple, set, frozenset)):
        yield from ((f"[{place}]", part) for place, part in enumerate(list(value)[:_MOST]))
    with contextlib.suppress(TypeError):
        yield from list(vars(value).items())
    for kind in type(value).__mro__:
        slots = kind.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if name not in {"__weakref__", "__dict__"} and hasattr(value, name):
                yield name, getattr(value, name)


def chain(error: BaseException) -> Iterator[BaseException]:
    """Yield *error* and everything behind it, contexts that are suppressed included."""
    seen: set[int] = set()
    waiting: list[object] = [error]
    while waiting:
        one = waiting.pop(0)
        if not isinstance(one, BaseException) or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        more = getattr(one, "exceptions", ())
        waiting += [one.__cause__, one.__context__, *one.args, *vars(one).values(), *more]


def views_of_error(error: BaseException) -> Iterator[View]:
    """Yield how *error* and what led to it look to a user, a log, a debugger, a crash reporter."""
    for one in chain(error):
        yield "error text", f"{one} {one!r}"
        yield "error attribute", f"{one.args!r} {vars(one)!r} {getattr(one, '__notes__', ())!r}"
        yield from ((f"error attribute {path}", text) for path, text in walk(vars(one)))
        yield from _trying("pickled error", lambda one=one: pickle.dumps(one))
        yield from (("local variable", text) for text in _locals(one))
        yield from _trying("traceback with locals", lambda one=one: _captured(one))
        yield from (("traceback of rich", text) for text in _rich(one))


def _locals(error: BaseException) -> Iterator[str]:
    for frame, _ in traceback.walk_tb(error.__traceback__):
        for name, value in list(frame.f_locals.items()):
            yield f"{frame.f_code.co_name}: {name} = {_repr(value)}"


def _captured(error: BaseException) -> str:
    whole = traceback.TracebackException(
        type(error), error, error.__traceback__, capture_locals=True
    )
    return "".join(whole.format())


def _rich(error: BaseException) -> Iterator[str]:
    """Yield what rich would show; its nodes are read, since drawing them is slow and cuts them."""
    trace = Traceback.extract(
        type(error),
        error,
        error.__traceback__,
        show_locals=True,
        locals_max_length=_MOST,
        locals_max_string=100_000,
        **_DUNDERS,
    )
    for stack in trace.stacks:
        yield f"{stack.exc_type}: {stack.exc_value}"
        for frame in stack.frames:
            for name, node in (frame.locals or {}).items():
                yield f"{name} = {node!s} {node.render(max_width=100_000)}"


def printed(error: BaseException) -> str:
    """Return what Python's own hook prints."""
    out = io.StringIO()
    traceback.print_exception(type(error), error, error.__traceback__, file=out)
    return out.getvalue()
