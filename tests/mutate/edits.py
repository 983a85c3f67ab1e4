"""Single edits of a module: operators, comparisons, constants, conditions, returns. Docstrings and annotations are left."""

from __future__ import annotations

import ast
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
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
ARITHMETIC = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv, ast.Mod: ast.Add}


class Edit(msgspec.Struct, frozen=True):
    """One edit: where, what, the function it is in (where its code begins; 0 outside of all), the module after it."""

    line: int
    what: str
    function: int
    source: str


def edits(source: str) -> Iterator[Edit]:
    """Every edit of a module, in order of its places."""
    for place in range(places(source)):
        found = edit(source, place)
        if found is not None:
            yield found


def places(source: str) -> int:
    """How many places of a module can be edited."""
    return len(_places(ast.parse(source)))


def edit(source: str, place: int) -> Edit | None:
    """The edit of a place; None where it changes nothing."""
    tree = ast.parse(source)
    node = _places(tree)[place]
    function = _function(tree, node)
    what = _apply(node)
    return Edit(node.lineno, what, function, ast.unparse(ast.fix_missing_locations(tree))) if what else None


def _function(tree: ast.Module, node: ast.AST) -> int:
    """The line the code of the innermost function begins on, its decorators with it; 0 for code of the module."""
    around = [one for one in ast.walk(tree) if isinstance(one, FUNCTIONS) and any(node is it for it in ast.walk(one))]
    starts = [min(part.lineno for part in (one, *one.decorator_list)) for one in around]
    return max(starts, default=0)


def _places(tree: ast.Module) -> list[ast.expr | ast.stmt]:
    """The nodes that can be edited, in the order they stand."""
    skipped = {id(inner) for node in ast.walk(tree) for part in _left_alone(node) for inner in ast.walk(part)}
    return [node for node in ast.walk(tree) if id(node) not in skipped and _editable(node)]  # type: ignore[misc]


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
    if isinstance(node, ast.Return):
        return node.value is not None and not (isinstance(node.value, ast.Constant) and node.value.value is None)
    return isinstance(node, ast.BoolOp | ast.If | ast.IfExp)


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
