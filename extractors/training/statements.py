"""What a module does, as text: its statements without comments and docstrings.

Features that a training keeps are named by the modules that they rest on, so that they are made anew when one of these
does something else, and not when it is explained better.
"""

from __future__ import annotations

import ast
from pathlib import Path
from types import ModuleType


def statements_of(*modules: ModuleType) -> list[str]:
    """The statements of each module, which must come from a file."""
    return [statements(Path(str(module.__file__))) for module in modules]


def statements(path: Path) -> str:
    """The statements of a file of Python, whatever their layout. Raises SyntaxError where it is none."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            node.body = [n for n in node.body if not _says_only(n)]
    return ast.dump(tree)


def _says_only(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
