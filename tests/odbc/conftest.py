"""Each database once for all tests here: a file of SQLite, a server of PostgreSQL, one of MariaDB."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

try:
    from tests.odbc.servers import Database, MariaDb, Postgres, Sqlite
except ImportError:  # pip install pyodbc; apt-get install unixodbc
    if os.environ.get("LABBRIDGE_REQUIRE") == "all":
        raise
    collect_ignore_glob = ["test_*.py"]

KINDS = ("SQLite", "PostgreSQL", "MariaDB")


@pytest.fixture(scope="session")
def databases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Database]]:
    """Those that were asked for so far, by name."""
    found: dict[str, Database] = {}
    yield found
    for one in found.values():
        one.close()


@pytest.fixture
def database(
    request: pytest.FixtureRequest, databases: dict[str, Database], tmp_path_factory: pytest.TempPathFactory
) -> Database:
    """The database of a test; by default each of the three in turn."""
    name = request.param
    if name not in databases:
        databases[name] = (
            Sqlite(tmp_path_factory.mktemp("lis"))
            if name == "SQLite"
            else {"PostgreSQL": Postgres, "MariaDB": MariaDb}[name]()
        )
    return databases[name]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "database" in metafunc.fixturenames:
        names = getattr(metafunc.function, "databases", KINDS)
        metafunc.parametrize("database", names, indirect=True)
