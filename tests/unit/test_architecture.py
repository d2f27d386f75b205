"""The house rules, held: layers, sizes, one place for printing and connecting, documentation."""

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "djcli"
FILES = sorted(PACKAGE.rglob("*.py"))

LAYERS = [
    "cli",
    "project",
    "diagram",
    "migration",
    "populate",
    "tables",
    "catalog",
    "database",
    "sql",
    "algebra",
    "definition",
    "codecs",
    "settings",
    "names",
    "errors",
]
"""Imports go down this list only; the last three are leaves, of which settings may use the other two."""

LEAVES = {"version", "log", "forking"}

MAX_FILE_LINES = 420
MAX_FUNCTION_LINES = 62


def layer(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def imports(tree: ast.AST) -> list[tuple[str, int]]:
    """Return the modules imported with their lines; those for type checking alone are left out."""
    found: list[tuple[str, int]] = []
    skipped = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            found += [(alias.name, node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"relative import in line {node.lineno}"
            found.append((node.module or "", node.lineno))
    return found


@cache
def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def own_name(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def test_imports_go_down() -> None:
    faults: list[str] = []
    for path in FILES:
        own = own_name(path)
        if own == "__init__":
            continue
        for module, line in imports(parse(path)):
            other = layer(module)
            if module.split(".")[0] != "djcli" or other in LEAVES | {""} or other == own:
                continue
            down = own in LAYERS and other in LAYERS and LAYERS.index(other) > LAYERS.index(own)
            if not down:
                faults.append(f"{path.relative_to(ROOT)}:{line}: {own} imports {module}")
    assert not faults


def test_layers_do_not_know_what_they_must_not() -> None:
    unknown = {
        "cli": {"psycopg"},
        "project": {"psycopg"},
        "diagram": {"psycopg", "typer", "rich"},
        "migration": {"typer", "rich"},
        "populate": {"typer", "rich"},
        "tables": {"typer", "rich"},
        "algebra": {"psycopg", "typer", "rich"},
        "definition": {"psycopg", "typer", "rich", "numpy"},
    }
    faults = [
        f"{path.relative_to(ROOT)}:{line}: imports {module}"
        for path in FILES
        for module, line in imports(parse(path))
        if module.split(".")[0] in unknown.get(own_name(path), set()) | {"click"}
        or module.startswith("typer._")
    ]
    assert not faults


def test_files_and_functions_are_short() -> None:
    faults: list[str] = []
    for path in FILES:
        lines = path.read_text().count("\n")
        if lines > MAX_FILE_LINES:
            faults.append(f"{path.relative_to(ROOT)}: {lines} lines")
        for node in ast.walk(parse(path)):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                length = _code_lines(node)
                if length > MAX_FUNCTION_LINES:
                    faults.append(f"{path.relative_to(ROOT)}: {node.name} has {length} lines")
    assert not faults


def test_every_file_and_every_public_name_is_documented() -> None:
    faults: list[str] = []
    for path in FILES:
        tree = parse(path)
        if not ast.get_docstring(tree):
            faults.append(f"{path.relative_to(ROOT)}: no docstring in the first line")
        faults += [
            f"{path.relative_to(ROOT)}:{node.lineno}: {node.name} has no docstring"
            for node in _public(tree)
            if not ast.get_docstring(node)
        ]
    assert not faults


def test_printing_and_connecting_have_one_place() -> None:
    faults: list[str] = []
    for path in FILES:
        name = str(path.relative_to(PACKAGE))
        for node in ast.walk(parse(path)):
            called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            if called == "print" and name != "cli/console.py":
                faults.append(f"{name}:{node.lineno}: print")
            if (
                called.startswith("psycopg.")
                and called.endswith("connect")
                and not name.startswith("database/")
            ):
                faults.append(f"{name}:{node.lineno}: {called}")
    assert not faults


def test_no_loose_ends() -> None:
    words = ("TODO", "FIXME", "XXX")
    assert not [p for p in FILES if any(word in p.read_text() for word in words)]


def _code_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return the length of a function without its docstring."""
    assert node.end_lineno is not None
    length = node.end_lineno - node.lineno + 1
    first = node.body[0]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
        assert first.end_lineno is not None
        length -= first.end_lineno - first.lineno + 1
    return length


def _public(tree: ast.Module) -> list[ast.FunctionDef | ast.ClassDef]:
    """Return the public functions and classes of a module, and the public methods of these."""
    found: list[ast.FunctionDef | ast.ClassDef] = []
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_"):
            found.append(node)
            if isinstance(node, ast.ClassDef):
                found += [
                    item
                    for item in node.body
                    if isinstance(item, ast.FunctionDef)
                    and not item.name.startswith("_")
                    and "overload" not in map(ast.unparse, item.decorator_list)
                    and not any("setter" in ast.unparse(d) for d in item.decorator_list)
                ]
    return found


def test_modules_do_not_import_each_other_in_circles() -> None:
    graph: dict[str, set[str]] = {}
    names = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for path in FILES
    }
    for name, path in names.items():
        top_level = ast.Module(body=list(parse(path).body), type_ignores=[])
        graph[name] = {
            module for module, _ in imports(top_level) if module in names and module not in (name, "djcli")
        }
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " -> ".join((*trail, name))
        if name not in done:
            for other in graph[name]:
                visit(other, (*trail, name))
            done.add(name)

    for name in graph:
        visit(name, ())
