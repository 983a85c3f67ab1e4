"""What can be wrong with a database behind ODBC, as a closed list: what a log line, a metric and `labbridge odbc test` say.
A driver's own text is never passed on: it may quote a value."""

from __future__ import annotations

import re
from typing import NamedTuple

STOPS = True


class Kind(NamedTuple):
    """`stops`: a person has to change something before it can go on; else it is tried again."""

    text: str
    repair: str
    stops: bool = False


KINDS = {
    "package_missing": Kind("the Python package pyodbc is not installed", "pip install pyodbc"),
    "manager_missing": Kind("the driver manager is not installed", "apt-get install unixodbc"),
    "driver_missing": Kind("the driver is not installed", "install it; `odbcinst -q -d` lists those that are there"),
    "source_missing": Kind("there is no data source of this name", "write it into /etc/odbc.ini, or name the driver"),
    "server_away": Kind("the server does not answer", "look at its address, and whether it runs"),
    "sign_in_refused": Kind("the server refuses user or password", "look at UID, and at password_file"),
    "database_missing": Kind("there is no such database", "look at DATABASE in the connection"),
    "table_missing": Kind("there is no such table or view, or this user may not see it", "look at its name and schema",
        STOPS),
    "table_ambiguous": Kind("several tables have this name", "name the schema too", STOPS),
    "column_missing": Kind("there is no such column", "look at the names of the columns", STOPS),
    "column_retyped": Kind("the column holds another kind of value than before", "look at the view; then restart", STOPS),
    "column_zoned": Kind("the column is a time with a zone, and the driver drops the zone",
        "let the view give local time, or a text with its offset", STOPS),
    "changed_unfit": Kind("`changed` is neither a time nor a whole number", "let the view give one", STOPS),
    "key_empty": Kind("there are rows without a key or without `changed`", "let the view leave them out, or fill them",
        STOPS),
    "key_repeated": Kind("rows with the same key are there several times", "name all columns of the key", STOPS),
    "id_not_unique": Kind("nothing keeps `id` unique", "add a unique index on its column", STOPS),
    "rights_missing": Kind("this user may not do that", "grant SELECT on the view; on a table of comments INSERT too",
        STOPS),
    "timeout": Kind("the statement took too long", "add an index on `changed` and the key, or raise timeout_s"),
    "silent": Kind("the server has said nothing for too long", "look at the server"),
    "connection_lost": Kind("the connection was lost", "look at the server"),
    "unreadable": Kind("the driver cannot give a value of the row", "look at its kind and its characters", STOPS),
    "ended": Kind("the process that talks to the driver has ended", "look at the driver: a fault in it ends the process"),
    "row_refused": Kind("the table refuses the row", "look at its columns: their length, and what they must hold"),
    "procedure_missing": Kind("there is no such procedure, or this user may not see it", "look at its name and schema",
        STOPS),
    "other": Kind("the database refuses the statement", "look at its log"),
}  # fmt: skip
"""By code: what is so, and the repair."""

_SQLSTATE = {
    "IM002": "source_missing",
    "IM003": "driver_missing",
    "28000": "sign_in_refused",
    "28P01": "sign_in_refused",
    "3D000": "database_missing",
    "42S02": "table_missing",
    "42P01": "table_missing",
    "42S22": "column_missing",
    "42703": "column_missing",
    "42501": "rights_missing",
    "25006": "rights_missing",
    "HYT00": "timeout",
    "HYT01": "server_away",
    "57014": "timeout",
    "70100": "timeout",
    "08001": "server_away",
    "08004": "server_away",
    "08S01": "connection_lost",
    "08003": "connection_lost",
    "08006": "connection_lost",
    "08007": "connection_lost",
    "57P01": "connection_lost",
    "57P02": "connection_lost",
    "57P03": "server_away",
}
_NATIVE = {  # MariaDB and MySQL
    "1045": "sign_in_refused",
    "1044": "rights_missing",
    "1049": "database_missing",
    "1142": "rights_missing",
    "1143": "rights_missing",
    "1370": "rights_missing",
    "1146": "table_missing",
    "1054": "column_missing",
    "1205": "timeout",
    "1969": "timeout",
    "2002": "server_away",
    "2003": "server_away",
    "2005": "server_away",
    "2006": "connection_lost",
    "2013": "connection_lost",
    "1053": "connection_lost",
    "1048": "row_refused",
    "1062": "row_refused",
    "1264": "row_refused",
    "1292": "row_refused",
    "1364": "row_refused",
    "1366": "row_refused",
    "1406": "row_refused",
    "1452": "row_refused",
}
_WORDS = {  # drivers that give no code for it
    "can't open lib": "driver_missing",
    "no such table": "table_missing",
    "no such column": "column_missing",
    "readonly database": "rights_missing",
    "could not connect": "server_away",
    "connection refused": "server_away",
    "server closed the connection": "connection_lost",
    "constraint failed": "row_refused",
}
_NUMBER = re.compile(r"\((-?\d+)\)")


class OdbcFault(Exception):
    """`code`: one of KINDS. `name`: the table or column that it is about, or the SQLSTATE: never a value."""

    def __init__(self, code: str, name: str = "") -> None:
        super().__init__(code)
        self.code, self.name = code, name

    @property
    def stops(self) -> bool:
        return KINDS[self.code].stops

    @property
    def sentence(self) -> str:
        """What is wrong, with the repair, in a line."""
        kind = KINDS[self.code]
        named = f" ({self.name})" if self.name else ""
        return f"{kind.text}{named}: {kind.repair}"


def fault_of(error: BaseException) -> OdbcFault:
    """An error of the driver, by its SQLSTATE, its own number, or its words."""
    parts = [str(one) for one in error.args]
    state, text = (parts[0] if parts else ""), (parts[-1] if parts else "")
    numbers = _NUMBER.findall(text)
    by_words = next((code for words, code in _WORDS.items() if words in text.lower()), "")
    by_number = (
        next((_NATIVE[one] for one in numbers if one in _NATIVE), "") if "[ma-" in text or "[mysql]" in text else ""
    )
    by_class = "row_refused" if state[:2] in ("22", "23") else ""
    code = by_number or _SQLSTATE.get(state, "") or by_words or by_class or "other"
    if code == "server_away" and "database" in text and "does not exist" in text:
        code = "database_missing"
    if code == "server_away" and ("authentication failed" in text or ("role" in text and "does not exist" in text)):
        code = "sign_in_refused"
    return OdbcFault(code, state if code == "other" else "")
