"""A configured table of comments looked at once, for `labbridge odbc test`: nothing is written."""

from __future__ import annotations

from contextlib import closing

from labbridge.delivery.odbc_link import Staging
from labbridge.odbc.catalogue import Table, is_unique, look_up, procedure
from labbridge.odbc.connecting import Access, Session, connect
from labbridge.odbc.faults import OdbcFault


def examine(access: Access, staging: Staging) -> str:
    """What there is, in a line. OdbcFault with what is in the way."""
    with closing(connect(access)) as session:
        table = look_up(session, staging.table, staging.columns.values())
        by = staging.columns["id"]
        session.rows(f"SELECT {table.column(session, by)} FROM {table.quoted} WHERE 1 = 0")  # noqa: S608
        if not is_unique(session, table, by):
            raise OdbcFault("id_not_unique", f"{staging.table}.{by}")
        if staging.procedure:
            procedure(session, staging.procedure)
            return f"{session.name}: {staging.procedure} is there, and {staging.table} can be read back"
        return f"{session.name}: {staging.table} can be read back{_written(session, table)}"


def _written(session: Session, table: Table) -> str:
    """Whether this user may insert, where the database tells without doing so."""
    if not session.dialect.explains:
        return "; whether it can be written was not tried"
    names = ", ".join(session.quoted(one) for one in table.columns.values())
    nothing = ", ".join(["NULL"] * len(table.columns))
    session.rows(f"EXPLAIN INSERT INTO {table.quoted} ({names}) VALUES ({nothing})")  # noqa: S608
    return " and written"
