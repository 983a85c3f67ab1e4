"""[feeds.NAME.odbc] and [receivers.NAME.odbc]: a view that results are read from, a table that comments are written to."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from labbridge.rows import incoming, naming, outgoing

Column = Annotated[str, AfterValidator(naming.column)]
Table = Annotated[str, AfterValidator(naming.table)]
OptionalColumn = Annotated[str, AfterValidator(lambda text: text and naming.column(text))]
OptionalTable = Annotated[str, AfterValidator(lambda text: text and naming.table(text))]
_PASSWORD = re.compile(r"(?:^|;)\s*(?:pwd|password)\s*=", re.IGNORECASE)
_NUMBER = re.compile(r"[0-9]{1,18}", re.ASCII)


def _connection(text: str) -> str:
    if _PASSWORD.search(text):
        raise ValueError("the password does not belong here: write password_file, or set LABBRIDGE_..__ODBC__PASSWORD")
    if not re.match(r"\s*(?:dsn|driver|filedsn)\s*=", text, re.IGNORECASE) or not text.isprintable():
        raise ValueError("write DSN=NAME;UID=USER, or DRIVER={NAME};SERVER=HOST;DATABASE=NAME;UID=USER")
    return text.strip().rstrip(";")


def _zone(text: str) -> str:
    try:
        return text and ZoneInfo(text).key
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError("write an IANA time zone, for example Europe/Paris") from error


def _since(text: str) -> str:
    if not _NUMBER.fullmatch(text):
        try:
            datetime.fromisoformat(text or "2000-01-01")
        except ValueError:
            raise ValueError("write a day or a time as `changed` has them (2026-01-31), or its number") from None
    return text


class _OdbcSection(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    connection: Annotated[str, AfterValidator(_connection)] = Field(
        description="ODBC connection string without the password: `DSN=lis;UID=labbridge`, or `DRIVER={PostgreSQL"
        " Unicode};SERVER=...;DATABASE=...;UID=...`"
    )
    password: str = Field("", repr=False, description="password, from the environment; or password_file")
    password_file: str = Field("", description="file with the password, for the service's account alone (0600)")
    connect_timeout_s: int = Field(10, ge=1, le=600, description="how long a connection may take to come up")
    timeout_s: int = Field(30, ge=1, le=3600, description="how long a statement may run; then it is given up")

    @model_validator(mode="after")
    def _one_password(self) -> _OdbcSection:
        if self.password and self.password_file:
            raise ValueError("password and password_file: name one of the two")
        return self


class FeedOdbcSection(_OdbcSection):
    view: Table = Field(description="view (or table) that is read, with its schema: `lis.results_for_labbridge`")
    key: tuple[Column, ...] = Field(min_length=1, description="columns by which a row is told from any other")
    changed: Column = Field(
        description="column that grows with each insert and each change: a time, or a number (a sequence, a row version)"
    )
    changed_timezone: Annotated[str, AfterValidator(_zone)] = Field(
        "", description="zone of the times in `changed`; empty: the feed's"
    )
    number: OptionalColumn = Field("", description="column with a number that each new row has, for the list of gaps")
    together: tuple[Column, ...] = Field(
        (),
        description="columns that the rows of one report have in common (the order's number): all of its rows are read"
        " together; empty: each row is a report",
    )
    since: Annotated[str, AfterValidator(_since)] = Field(
        "", description="where the first reading begins, in `changed`; empty: with the first row of the view"
    )
    poll_s: float = Field(5.0, gt=0, le=3600, description="rest between two readings")
    window_s: float = Field(
        600.0,
        ge=1,
        le=604_800,
        description="longest that a transaction of the LIS stays open: so far back is read again",
    )
    recount_s: float = Field(
        86_400.0, ge=1, description="so often all is read again that came since the recount before the last one"
    )
    page_rows: int = Field(2000, ge=10, le=100_000, description="rows asked for in one statement")
    columns: dict[str, Column] = Field(
        {}, description="column by what it holds: " + ", ".join(f"`{one}`" for one in incoming.MEANINGS)
    )
    parts: dict[Column, str] = Field(
        {}, description="columns that each hold a result of their own: its local code by column"
    )

    @model_validator(mode="after")
    def _mapped(self) -> FeedOdbcSection:
        _known(self.columns, incoming.MEANINGS)
        if "code" in self.columns and "value" not in self.columns:
            raise ValueError("columns: code needs value, the column with the result")
        if "code" not in self.columns and not self.parts:
            raise ValueError("columns: name code and value, or name the columns that hold results in parts")
        return self

    @property
    def selected(self) -> tuple[str, ...]:
        """All columns that are read, each once."""
        number = (self.number,) if self.number else ()
        return tuple(
            dict.fromkeys((*self.key, *self.together, self.changed, *number, *self.columns.values(), *self.parts))
        )


class ReceiverOdbcSection(_OdbcSection):
    table: Table = Field(description="table that comments are written to, or, with procedure, where they are read back")
    procedure: OptionalTable = Field("", description="stored procedure that writes the row, in the place of an INSERT")
    arguments: tuple[str, ...] = Field(
        (), description="what the procedure is called with, in its order: names as in `columns`"
    )
    columns: dict[str, Column] = Field(
        description="column by what is written to it, `id` and `text` at least; `id` has to be unique: "
        + ", ".join(f"`{one}`" for one in outgoing.MEANINGS)
    )

    @model_validator(mode="after")
    def _mapped(self) -> ReceiverOdbcSection:
        _known(self.columns, outgoing.MEANINGS)
        _known(dict.fromkeys(self.arguments, ""), outgoing.MEANINGS)
        if missing := [one for one in ("id", "text") if one not in self.columns]:
            raise ValueError(
                f"columns: {' and '.join(missing)} must have a column: what is written is read back by them"
            )
        if bool(self.procedure) != bool(self.arguments):
            raise ValueError("procedure and arguments go together: name both or neither")
        if self.procedure and "id" not in self.arguments:
            raise ValueError("arguments: id is missing; without it a row could be written twice")
        if len(set(self.columns.values())) < len(self.columns):
            raise ValueError("columns: one column is named twice")
        return self


def _known(found: dict[str, str], meanings: dict[str, str]) -> None:
    for name in found:
        if name not in meanings:
            raise ValueError(f"{name} is nothing a column can be; known are {', '.join(meanings)}")
