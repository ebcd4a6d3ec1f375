"""Migrations only add: the program of the version before works on the tables while the new one is rolled out."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import orgbridge.store.migrations.versions as versions

_FILES = sorted(Path(versions.__path__[0]).glob("m*.py"))
#: Whatever else changes what an older program reads or writes.
_ALLOWED = {"add_column", "create_table", "create_index", "execute", "bulk_insert", "get_bind"}
#: Made before there was a program that could have run on the tables before them.
_BEFORE_THE_FIRST = {"0001", "0002", "0005"}
_WORDS = ("DROP ", "ALTER ", "RENAME ", "DELETE FROM", "TRUNCATE ")


def faults(source: str) -> list[str]:
    """Return what a migration's upgrade does that an older program could not live with."""
    tree = ast.parse(source)
    found: list[str] = []
    made: set[str] = set()
    upgrade = next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "upgrade")
    calls = [node for node in ast.walk(upgrade) if isinstance(node, ast.Call)]
    made = {_text(call.args[0]) for call in calls if _operation(call) == "create_table"}
    for call in calls:
        match _operation(call):
            case "add_column":
                found += _column(call, tree)
            case "create_index" if _flag(call, "unique") and _text(call.args[1]) not in made:
                found.append(f"makes rows of {_text(call.args[1])} unique")
            case str(name) if name not in _ALLOWED:
                found.append(f"uses op.{name}")
    statements = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and _is_sql(node.value)]
    down = next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "downgrade")
    taken_back = {node.value for node in ast.walk(down) if isinstance(node, ast.Constant)}
    return found + [f"executes {text[:40]!r}" for text in statements if text not in taken_back]


def _operation(call: ast.Call) -> str | None:
    function = call.func
    if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name) and function.value.id == "op":
        return function.attr
    return None


def _text(node: ast.expr) -> str:
    return str(node.value) if isinstance(node, ast.Constant) else ast.unparse(node)


def _flag(call: ast.Call, name: str) -> bool:
    return any(word.arg == name and isinstance(word.value, ast.Constant) and word.value.value for word in call.keywords)


def _is_sql(value: object) -> bool:
    return isinstance(value, str) and value.upper().startswith(_WORDS)


def _column(call: ast.Call, tree: ast.Module) -> list[str]:
    """Return that a column must be given and has no default; columns may be made by a function of the module."""
    column = call.args[1]
    text = ast.unparse(column)
    if isinstance(column, ast.Call) and isinstance(column.func, ast.Name):
        name = column.func.id
        text += "".join(ast.unparse(n) for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == name)
    if "nullable=False" in text and "server_default=" not in text:
        return [f"adds a column to {_text(call.args[0])} that older programs do not fill"]
    return []


@pytest.mark.parametrize(
    "path", [p for p in _FILES if p.name[1:5] not in _BEFORE_THE_FIRST], ids=lambda path: path.stem
)
def test_a_migration_takes_nothing_from_older_programs(path: Path) -> None:
    """It drops, renames and tightens nothing that was there before."""
    assert faults(path.read_text()) == []


@pytest.mark.parametrize(
    ("statement", "word"),
    [
        ('op.drop_column("loads", "soql")', "drop_column"),
        ('op.alter_column("loads", "soql", nullable=False)', "alter_column"),
        ('op.rename_table("loads", "jobs2")', "rename_table"),
        ('op.add_column("loads", sa.Column("tag", sa.Text, nullable=False))', "do not fill"),
        ('op.create_index("uq", "loads", ["org"], unique=True)', "unique"),
        ('op.create_unique_constraint("uq", "loads", ["org"])', "create_unique_constraint"),
        ('op.execute("ALTER TABLE loads DROP COLUMN soql")', "executes"),
    ],
)
def test_what_older_programs_could_not_live_with_is_found(statement: str, word: str) -> None:
    """Each kind of loss is named."""
    (found,) = faults(f"def upgrade():\n    {statement}\ndef downgrade():\n    pass\n")
    assert word in found


def test_revisions_are_numbers_in_order() -> None:
    """Older and newer can be told apart by their names, which is how a program knows tables that are ahead of it."""
    numbers = [path.name[1:5] for path in _FILES]
    assert numbers == sorted(set(numbers))
    assert all(f'revision = "{number}"' in path.read_text() for number, path in zip(numbers, _FILES, strict=True))
