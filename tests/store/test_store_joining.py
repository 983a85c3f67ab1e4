"""Rows of many units in one statement: what is written is what each would have written, in as few statements as may be."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st
from store_build import Store

from labbridge.model.work import AuditEvent, Count
from labbridge.store.audit import INSERT_AUDIT, audit_row
from labbridge.store.connection import Statement
from labbridge.store.joining import KEEP_PATIENT, NUMBER, ROWS, VALUES, joined
from labbridge.store.tally import COUNT_ALL, counted, params_of
from labbridge.store.units import LocalUnits
from labbridge.store.unmapped import SEEN_UNMAPPED

OTHER = "UPDATE tally SET count = count + ? WHERE name = ?"
NOW = datetime(2026, 11, 28, 4, 0, tzinfo=UTC)


def told(number: int) -> Statement:
    event = AuditEvent(at=NOW, actor="test", action="told", subject=f"M{number}", detail="")
    return Statement(INSERT_AUDIT, audit_row(event))


def counts(*named: str) -> Statement:
    return Statement(COUNT_ALL, tuple(params_of([Count(name, ("a", "b")) for name in named])))


def numbers(*of: str, message: int) -> Statement:
    return Statement(NUMBER, tuple(value for one in of for value in (one, "p:A|1", message)))


def nobody() -> Statement:
    return Statement(OTHER, (1, "nobody"), rows=1)


# ---------------------------------------------------------------- without a store


def test_what_is_no_row_of_its_own_keeps_its_order_and_comes_first() -> None:
    first, second = Statement(OTHER, (1, "x"), rows=1), Statement(OTHER, (2, "y"))
    assert joined([told(1), first, numbers("N", message=1), second])[:2] == [first, second]


def test_a_row_whose_number_is_guarded_is_left_alone() -> None:
    guarded = Statement(INSERT_AUDIT, told(1).params, rows=1)
    assert joined([guarded]) == [guarded]


def test_nothing_to_write_is_no_statement() -> None:
    assert joined([]) == joined([Statement(COUNT_ALL), Statement(NUMBER)]) == []


@given(st.lists(st.tuples(st.sampled_from(sorted(set(VALUES) - {COUNT_ALL})), st.integers(0, 3)), max_size=300))
def test_no_row_is_lost_or_moved_before_another_of_its_table(written: list[tuple[str, int]]) -> None:
    units, number = [], 0
    for sql, rows in written:
        units.append(Statement(sql, tuple(range(number, number + rows * VALUES[sql]))))
        number += rows * VALUES[sql]
    found = joined(units)
    for sql in VALUES:
        head = sql.split(" VALUES ")[0]
        mine = [one for one in found if one.sql.startswith(head)]
        assert [each for one in mine for each in one.params] == [
            each for one in units if one.sql == sql for each in one.params
        ]
        assert all(one.sql.count("?") == len(one.params) <= ROWS * VALUES[sql] for one in mine)
        assert all(len(one.params) == ROWS * VALUES[sql] for one in mine[:-1]), "as few as may be"


@given(st.lists(st.lists(st.sampled_from("abcde"), max_size=6), max_size=40))
def test_each_counter_stands_once_with_its_sum_in_one_order_for_all(units: list[list[str]]) -> None:
    found = joined(counts(*names) for names in units)
    every = [name for names in units for name in names]
    params = [each for one in found for each in one.params]
    assert params[0::3] == sorted(set(every))
    assert params[2::3] == [every.count(name) for name in sorted(set(every))]
    if every:
        assert [tuple(found[0])[:2]] == [counted([Count(name, ("a", "b")) for name in every])]


def test_each_code_that_no_table_names_stands_once_and_the_last_name_counts() -> None:
    def seen(code: str, name: str, may_be: str, message: int) -> Statement:
        return Statement(SEEN_UNMAPPED, ("lis", "L", code, "", name, "U/L", may_be, 1, f"t{message}", message, message))

    (found,) = joined([seen("Z", "last of all", "", 1), seen("A", "old", "CK", 2), seen("A", "new", "", 3)])
    assert found.params[:11] == ("lis", "L", "A", "", "new", "U/L", "CK", 2, "t3", 2, 3)
    assert found.params[11:] == ("lis", "L", "Z", "", "last of all", "U/L", "", 1, "t1", 1, 1)


# ---------------------------------------------------------------- in both stores


def test_a_batch_writes_what_its_units_would_alone(store: Store) -> None:
    units = [[told(n), counts("seen", "too"), numbers(f"N{n}", "both", message=n), told(n)] for n in range(200)]
    assert LocalUnits(store.writer).post(units)() == [True] * 200
    subjects = [f"M{n}" for n in range(200) for _twice in range(2)]
    assert [one for (one,) in store.rows("SELECT subject FROM audit WHERE actor = 'test' ORDER BY id")] == subjects
    assert store.rows("SELECT name, count FROM tally ORDER BY name") == [("seen", 200), ("too", 200)]
    assert store.rows("SELECT count(*) FROM numbers WHERE number = 'both'") == [(200,)]


def test_a_unit_that_is_undone_takes_its_rows_with_it_and_no_other(store: Store) -> None:
    units = [[told(n), counts("seen"), *([nobody()] if n % 5 == 0 else [])] for n in range(20)]
    assert LocalUnits(store.writer).post(units)() == [n % 5 != 0 for n in range(20)]
    left = [f"M{n}" for n in range(20) if n % 5]
    assert [one for (one,) in store.rows("SELECT subject FROM audit WHERE actor = 'test' ORDER BY id")] == left
    assert store.rows("SELECT count FROM tally WHERE name = 'seen'") == [(16,)]


def test_two_units_that_keep_one_patient_leave_what_the_later_knows(store: Store) -> None:
    """PostgreSQL changes no row twice in a statement: there each unit is written alone."""
    units = [[Statement(KEEP_PATIENT, ("A", "1", body))] for body in (b"as before", b"after")]
    assert LocalUnits(store.writer).post(units)() == [True, True]
    assert store.rows("SELECT CAST(length(body) AS INTEGER) FROM patients") == [(len(b"after"),)]
