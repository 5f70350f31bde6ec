"""What leaves a class: tables and a report, under pseudonyms unless names are asked for."""

import re

import pandas as pd
import pytest

from firstread.classroom.database.forum import EncodedPicture, NewPost, add_post
from firstread.classroom.database.help_requests import request_help
from firstread.classroom.database.store import Store
from firstread.classroom.outcomes.export import class_tables, export_class
from firstread.classroom.outcomes.session_report import write_session_report
from firstread.lessons import find_lesson, find_lessons

from ..simulated_results import simulate_results

LESSON = find_lesson("hello-world")


def filled(tmp_path, lesson, people):
    store = Store(
        f"sqlite:///{tmp_path / 'class.sqlite'}", key=b"key", experiments=lesson.values.get("arms", {}), seed=3
    )
    store.create()
    if people:
        simulate_results(store, lesson, people, seed=1)
    return store


def test_everything_is_written_under_pseudonyms(tmp_path):
    store = filled(tmp_path, LESSON, 9)
    request_help(store, store.participants()[0].username, "my note")
    written = export_class(store, tmp_path / "out", lesson=LESSON)
    tables = ("participants", "events", "help", "forum", "quiz", "survey", "runs", "comparisons", "engagement")
    assert {file.name for file in written} == {
        "report.html",
        "record.html",
        *(f"{name}.{kind}" for name in tables for kind in ("csv", "parquet")),
    }
    everything = "".join(file.read_text() for file in written if file.suffix != ".parquet")
    assert not re.search(r"Person \d", everything)
    assert "my note" not in everything
    tables = {name: pd.read_parquet(tmp_path / "out" / f"{name}.parquet") for name in ("quiz", "survey", "runs")}
    assert "text" not in tables["survey"]
    assert "comment" not in set(tables["survey"]["statement"])
    assert set(tables["quiz"]["occasion"]) <= {"pre", "post", "retention"}
    assert set(tables["runs"].columns) >= {"participant", "assigned augmentation", "ran augmentation", "accuracy"}
    assert tables["runs"]["participant"].str.startswith("Participant").all()
    assert set(tables["runs"]["test_images"]) == {40}
    compared = pd.read_parquet(tmp_path / "out" / "comparisons.parquet")
    assert len(compared) == 2 * 3 * 2
    primary = compared[compared["role"] == "primary"]
    assert set(primary["outcome"]) == {"accuracy"}
    assert set(primary["analysis"]) == {"assigned"}
    assert set(primary["comparisons"]) == {2}
    store.engine.dispose()


def test_names_and_free_answers_only_where_asked_for(tmp_path):
    store = filled(tmp_path, LESSON, 9)
    tables = class_tables(store, lesson=LESSON, names=True)
    assert tables["quiz"]["participant"].str.startswith("Person").all()
    assert tables["survey"]["text"].notna().any()
    right = tables["quiz"][tables["quiz"]["right"]].iloc[0]
    assert right["answer"]
    assert right["concept"]
    kept = tables["survey"]["text"].dropna().iloc[0]
    for names in (False, True):
        export_class(store, tmp_path / f"{names}", lesson=LESSON, names=names)
        assert (kept in (tmp_path / f"{names}" / "report.html").read_text()) == names
    store.engine.dispose()


@pytest.mark.parametrize("people", [0, 1, 8])
@pytest.mark.parametrize("lesson", find_lessons(), ids=lambda info: info.name)
def test_the_report_is_one_file_of_numbers(tmp_path, lesson, people):
    store = filled(tmp_path, lesson, people)
    page = write_session_report(store, lesson, tmp_path / "report.html").read_text(encoding="utf-8")
    assert not re.search(r"""(src|href)=["']|@import|url\(|<script""", page), "nothing is fetched and nothing runs"
    assert "What this report does not show" in page
    assert "Time at each step" in page
    assert not re.search(r"\bnan\b", page)
    assert not re.search(r"Person \d", page)
    if people == 8:
        assert "NameError" in page or "No cell failed" in page
        for step in lesson.steps:
            assert step["title"].replace("'", "&#39;") in page
    store.engine.dispose()


def test_posts_of_the_forum_and_their_pictures_only_where_names_are_asked_for(tmp_path):
    store = filled(tmp_path, LESSON, 2)
    ana = store.participants()[0]
    picture = EncodedPicture("image/png", 4, 3, b"picture", b"preview")
    begun = add_post(store, ana.username, NewPost(key="key-00000001", text="my line", picture=picture))
    add_post(store, None, NewPost(key="key-00000002", text="my answer", parent_id=begun))
    written = export_class(store, tmp_path / "plain", lesson=LESSON)
    assert "my line" not in "".join(file.read_text() for file in written if file.suffix != ".parquet")
    assert not (tmp_path / "plain" / "forum").exists()
    table = pd.read_parquet(tmp_path / "plain" / "forum.parquet")
    assert list(table["participant"]) == [ana.pseudonym, "The instructor"]
    assert list(table["has_picture"]) == [True, False]
    assert table["answers"].isna().tolist() == [True, False]
    export_class(store, tmp_path / "named", lesson=LESSON, names=True)
    assert list(pd.read_csv(tmp_path / "named" / "forum.csv")["text"]) == ["my line", "my answer"]
    assert (tmp_path / "named" / "forum" / f"post-{begun}.png").read_bytes() == b"picture"
    store.engine.dispose()
