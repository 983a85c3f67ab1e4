"""Single edits of a module: operators, comparisons, constants, conditions, returns. Docstrings and annotations are left."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator

import msgspec

COMPARE = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
ARITHMETIC = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv, ast.Mod: ast.Add}


class Edit(msgspec.Struct, frozen=True):
    """One edit: where, what, and the whole module after it."""

    line: int
    what: str
    source: str


def edits(source: str) -> Iterator[Edit]:
    """Every edit of a module, in order of its places."""
    tree = ast.parse(source)
    _mark(tree)
    for place in range(getattr(tree, "places", 0)):
        changed = copy.deepcopy(tree)
        node = next(one for one in ast.walk(changed) if getattr(one, "place", None) == place)
        what = _apply(node)
        if what:
            yield Edit(node.lineno, what, ast.unparse(ast.fix_missing_locations(changed)))  # type: ignore[attr-defined]


def _mark(tree: ast.AST) -> None:
    """Number the nodes that can be edited, in the order they stand."""
    skipped = {id(inner) for node in ast.walk(tree) for part in _left_alone(node) for inner in ast.walk(part)}
    place = 0
    for node in ast.walk(tree):
        if id(node) not in skipped and _editable(node):
            node.place = place  # type: ignore[attr-defined]
            place += 1
    tree.places = place  # type: ignore[attr-defined]


def _left_alone(node: ast.AST) -> Iterator[ast.AST]:
    """Docstrings, annotations, imports, type checks and what only names things."""
    has_body = isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
    first = node.body[0] if has_body and node.body else None  # type: ignore[attr-defined]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
        yield first
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        yield from filter(None, (node.returns, *(argument.annotation for argument in node.args.args)))
        yield from node.decorator_list
    if isinstance(node, ast.AnnAssign):
        yield node.annotation
    if isinstance(node, ast.ClassDef):
        yield from node.keywords
    if isinstance(node, ast.Import | ast.ImportFrom | ast.Assert | ast.Raise):
        yield node
    if isinstance(node, ast.Assign) and any(
        isinstance(one, ast.Name) and one.id.startswith("__") for one in node.targets
    ):
        yield node


def _editable(node: ast.AST) -> bool:
    if isinstance(node, ast.Compare):
        return type(node.ops[0]) in COMPARE
    if isinstance(node, ast.BinOp):
        return type(node.op) in ARITHMETIC and not isinstance(node.left, ast.JoinedStr)
    if isinstance(node, ast.Constant):
        return isinstance(node.value, bool | int)
    return isinstance(node, ast.BoolOp | ast.If | ast.Return | ast.IfExp) and getattr(node, "value", True) is not None


def _apply(node: ast.AST) -> str:
    """Make the edit on the node; what was done."""
    if isinstance(node, ast.Compare):
        before = node.ops[0]
        node.ops[0] = COMPARE[type(before)]()
        return f"{type(before).__name__} -> {type(node.ops[0]).__name__}"
    if isinstance(node, ast.BinOp):
        before_op = node.op
        node.op = ARITHMETIC[type(before_op)]()
        return f"{type(before_op).__name__} -> {type(node.op).__name__}"
    if isinstance(node, ast.Constant):
        value = node.value
        node.value = (not value) if isinstance(value, bool) else int(value) + 1  # type: ignore[call-overload]
        return f"{value} -> {node.value}"
    if isinstance(node, ast.BoolOp):
        node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        return "and <-> or"
    if isinstance(node, ast.If | ast.IfExp):
        node.test = ast.UnaryOp(ast.Not(), node.test)
        return "condition turned round"
    if isinstance(node, ast.Return):
        node.value = ast.Constant(None)
        return "returns None"
    return ""
