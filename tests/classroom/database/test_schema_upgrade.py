"""A class of yesterday opens today with everything in it, however many processes open it at once."""

import multiprocessing
import sqlite3
import threading
from datetime import UTC, datetime

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, inspect, text

from firstread.classroom.database.schema import Base
from firstread.classroom.database.schema_upgrade import HEAD_REVISION, alembic_config, upgrade
from firstread.classroom.database.store import Store
from firstread.core.errors import DataError

#: of a class made before there were steps
FIRST_TABLES = ("class", "participant", "event", "help", "broadcast")


def test_the_steps_lead_to_the_tables_that_the_code_uses(store):
    with store.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []
        assert ScriptDirectory.from_config(alembic_config(connection)).get_current_head() == HEAD_REVISION


def test_a_class_made_before_there_were_steps_keeps_everything(url):
    old = create_engine(url)
    Base.metadata.create_all(old, tables=[Base.metadata.tables[name] for name in FIRST_TABLES])
    with old.begin() as connection:
        connection.execute(text("alter table class drop column numbers"))
        connection.execute(text("insert into class (id, door, pauses_seconds) values (1, 'closed', 0.0)"))
        moment = datetime(2026, 11, 1, tzinfo=UTC)
        person = {"id": 1, "username": "p1-x", "number": 1, "name": "Ana", "resume_mark": "m", "arms": {}}
        connection.execute(Base.metadata.tables["participant"].insert().values(**person, joined=moment, seen=moment))
    old.dispose()
    store = Store(url, key=b"key")
    store.create()
    assert store.state().door == "closed"
    assert [person.name for person in store.participants()] == ["Ana"]
    store.set_door("open")
    assert store.join("Bea")[0].number == 2
    assert {"quiz_answer", "survey_answer", "forum_post", "session_event", "alembic_version"} <= set(
        inspect(store.engine).get_table_names()
    )
    store.engine.dispose()


def test_the_tables_of_a_newer_version_are_left_alone(store):
    with store.engine.begin() as connection:
        connection.execute(text("update alembic_version set version_num = '9999'"))
    with pytest.raises(DataError, match="newer version"):
        upgrade(store.engine)


def create(url, begin, failed):
    store = Store(url, key=b"key")
    begin.wait()
    try:
        store.create()
    except Exception as error:
        failed.put(repr(error))
    store.engine.dispose()


def test_several_processes_may_make_a_class_at_once(url):
    spawned = multiprocessing.get_context("spawn")
    begin, failed = spawned.Barrier(4), spawned.Queue()
    processes = [spawned.Process(target=create, args=(url, begin, failed)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0] * 4
    assert failed.empty(), failed.get()
    store = Store(url, key=b"key")
    assert store.state().door == "open"
    store.engine.dispose()


def test_opening_waits_for_another_process_that_makes_the_same_sqlite_file(tmp_path):
    path = tmp_path / "class.sqlite"
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("create table t (x)")
    other.execute("BEGIN IMMEDIATE")  # SQLite refuses a change of the journal at once then, whatever its busy_timeout
    release = threading.Timer(0.3, other.execute, ["COMMIT"])
    release.start()
    store = Store(f"sqlite:///{path}", key=b"key")
    with store.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
    store.engine.dispose()
    release.join()
    other.close()
