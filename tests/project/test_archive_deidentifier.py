"""Step deidentify: the same bytes whoever did it and whenever it was stopped; held back with a reason; no identity."""

import hashlib
import os
import shutil
import subprocess
import sys
import time

import pyarrow.parquet as pq
import pydicom
import pytest

from firstread.core.errors import DataError, SettingError, StorageError
from firstread.deidentification import PseudonymKeys
from firstread.project.archive_deidentifier import DeidentificationSettings, deidentify_archive
from firstread.project.index import index_archive
from firstread.project.locks import file_lock
from firstread.project.project import Project
from firstread.project.shards import SHARD_SIZE
from project.hostile_archive import IDENTITIES, PASSPHRASE, contents, make_project, person, write

RULES = {"copy": 1, "file": 3, "patient": 3, "pixels": 1, "same_uid": 2}


def run(project, **settings):
    return deidentify_archive(project, PASSPHRASE, DeidentificationSettings(**settings))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    base = tmp_path_factory.mktemp("base")
    project = make_project(base)
    index_archive(project)
    return project, run(project)


def again(made, tmp_path):
    """A second project on the same archive with the same key."""
    folder = tmp_path / "liver"
    shutil.copytree(made[0].settings.vault, tmp_path / "vault")
    shutil.rmtree(tmp_path / "vault" / "deidentified")
    shutil.copytree(made[0].folder, folder)
    shutil.rmtree(folder / "20-deidentified")
    text = (folder / "project.toml").read_text().replace(str(made[0].settings.vault), str(tmp_path / "vault"))
    (folder / "project.toml").write_text(text)
    return Project.open(folder)


def test_counts_and_files(made):
    project, counts = made
    assert (counts["files"], counts["written"], counts["held"]) == (18, 8, 10)
    assert counts["rules"] == RULES
    outputs = sorted((project.folder / "20-deidentified").glob("P*/T*/S*/I*.dcm"))
    assert len(outputs) == 8
    assert all(str(pydicom.dcmread(path).PatientName).startswith("P") for path in outputs)


def test_nothing_in_the_folder_names_anybody(made):
    for name, data in contents(made[0].folder).items():
        assert not [word for word in IDENTITIES if word in name.lower()]
        assert not [word for word in IDENTITIES if word.encode() in data.lower()], name
    for path in made[0].folder.rglob("*.parquet"):
        text = str(pq.read_table(path).to_pylist()).lower()
        assert not [word for word in IDENTITIES if word in text], path.name


def test_the_table_of_what_was_held_back(made):
    table = pq.read_table(made[0].folder / "20-deidentified" / "held-back.parquet")
    assert table.column_names == [
        *("held", "review_class", "rule", "reason", "score", "decision", "decided_by", "decided_at", "patient"),
    ]
    assert len(set(table["held"].to_pylist())) == 10
    assert [row["review_class"] for row in table.to_pylist() if row["rule"] == "pixels"] == [
        "US Ultrasound Image Storage, 2 x 2, without regions"
    ]


def test_the_table_of_actions_names_outputs_and_rules_only(made):
    folder = made[0].folder / "20-deidentified"
    rows = pq.read_table(folder / "actions.parquet").to_pylist()
    assert {row["file"] for row in rows} == {
        path.relative_to(folder).as_posix() for path in folder.glob("P*/T*/S*/I*.dcm")
    }
    assert sum(row["count"] for row in rows if row["rule"] == "E.1-1 (0010,0010) Z") == 8
    assert [row["file"] for row in rows] == sorted(row["file"] for row in rows)


def test_the_page_says_method_reasons_and_rules(made):
    page = (made[0].folder / "20-deidentified" / "report.html").read_text()
    for words in (
        "18 files: 8 out, 10 held back",
        "Pseudonymous",
        "113107",
        "One PatientID with different birth dates",
    ):
        assert words in page
    assert "US" in page


def test_a_second_run_makes_nothing_anew(made):
    folder = made[0].folder / "20-deidentified"
    before = {path: path.stat().st_mtime_ns for path in folder.glob("P*/T*/S*/I*.dcm")}
    tables = {name: data for name, data in contents(folder).items() if name.endswith(".parquet")}
    assert run(made[0]) == made[1]
    assert {path: path.stat().st_mtime_ns for path in folder.glob("P*/T*/S*/I*.dcm")} == before
    assert {name: data for name, data in contents(folder).items() if name.endswith(".parquet")} == tables


@pytest.mark.parametrize("processes", [1, 3])
def test_other_processes_and_parts_make_the_same_bytes(made, tmp_path, monkeypatch, processes):
    import firstread.project.archive_deidentifier as step

    plan = step.ShardPlan
    monkeypatch.setattr(step, "ShardPlan", lambda *args, **more: plan(*args, size=4, **more))
    project = again(made, tmp_path)
    for part in (3, 1):
        assert run(project, processes=processes, part=(part, 3))["shards_left"]
    counts = run(project, processes=processes, part=(2, 3))
    assert counts == made[1]
    assert contents(project.paths["deidentified"]) == contents(made[0].paths["deidentified"])


def test_parts_that_start_at_the_same_moment_make_the_same_bytes(made, tmp_path):
    """Three jobs of an array on a project where nothing was done yet, and one that comes late."""
    project = again(made, tmp_path)
    (project.folder / "profile.toml").unlink()
    (tmp_path / "passphrase").write_text(PASSPHRASE)
    jobs = [start(project, tmp_path / "passphrase", "1", "--shard", f"{number}/3", "--json") for number in (1, 2, 3)]
    said = [job.communicate(timeout=200) for job in jobs]
    assert [job.returncode for job in jobs] == [0, 0, 0], said
    assert contents(project.paths["deidentified"]) == contents(made[0].paths["deidentified"])
    assert [status.state for status in project.status()][:2] == ["done", "done"]
    assert run(project, part=(3, 3)) == made[1]


def start(project, passphrase, processes="2", *more):
    words = [sys.executable, "-m", "firstread", "project", "deidentify", "-C", str(project.folder)]
    words += ["--passphrase-file", str(passphrase), "--processes", processes, *more]
    environment = {**os.environ, "FIRSTREAD_PROGRESS": "off"}
    return subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.slow
@pytest.mark.parametrize("moment", range(10))
def test_kill_at_any_moment_gives_the_same_bytes(made, tmp_path, moment):
    """The run is killed after so many outputs, from before the first to after the last, with whatever else it does."""
    project = again(made, tmp_path)
    (tmp_path / "passphrase").write_text(PASSPHRASE)
    process = start(project, tmp_path / "passphrase", processes=str(1 + moment % 2))
    folder, deadline = project.folder / "20-deidentified", time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        is_ending = (folder / "actions.parquet").exists()  # the last moment is that in which the tables are written
        if len(list(folder.glob("P*/T*/S*/*.dcm"))) >= moment or is_ending:
            break
        time.sleep(0.001)
    process.kill()
    process.communicate()
    assert run(project) == made[1]
    assert contents(folder) == contents(made[0].paths["deidentified"])


def test_what_a_killed_run_left_is_removed(made, tmp_path):
    project = again(made, tmp_path)
    run(project)
    folder = project.paths["deidentified"]
    one = next(folder.glob("P*/T*/S*/I*.dcm"))
    (one.parent / f".{one.name}.0123.dcm").write_bytes(b"half")
    orphan = folder / "PX" / "TX" / "SX" / "IX.dcm"
    write(pydicom.dcmread(one), orphan)
    run(project)
    assert contents(folder) == contents(made[0].paths["deidentified"])
    assert not orphan.parent.exists()


def test_an_output_that_was_taken_away_is_written_again(made, tmp_path):
    project = again(made, tmp_path)
    run(project)
    next(project.paths["deidentified"].glob("P*/T*/S*/I*.dcm")).unlink()
    run(project)
    assert contents(project.paths["deidentified"]) == contents(made[0].paths["deidentified"])


def test_a_changed_archive_is_refused_until_it_is_indexed(tmp_path):
    project = make_project(tmp_path)
    with pytest.raises(DataError, match=r'The step "index" is not done yet.*firstread project index'):
        run(project)
    index_archive(project)
    before = run(project)
    changed = tmp_path / "archive" / "Hiddena^Harriet" / "HID-0.dcm"
    write(person("a", 0, PixelData=bytes(8)), changed)
    with pytest.raises(DataError, match='The step "index" is stale: archive has changed since'):
        run(project)
    index_archive(project)
    assert run(project) == before
    pixels = {pydicom.dcmread(path).PixelData for path in project.paths["deidentified"].glob("P*/T*/S*/I*.dcm")}
    assert bytes(8) in pixels


def test_who_turns_90_later_is_90_in_every_output(tmp_path):
    project = make_project(tmp_path)
    index_archive(project)
    run(project)
    write(person("a", 30, PatientAge="092Y"), tmp_path / "archive" / "late.dcm")
    index_archive(project)
    run(project)
    keys = PseudonymKeys.from_secret(project.vault.open(PASSPHRASE))
    folder = project.paths["deidentified"] / keys.patient("|hid~00011")
    ages = {pydicom.dcmread(path).PatientAge for path in project.paths["deidentified"].glob("P*/T*/S*/I*.dcm")}
    assert "090Y" in ages
    assert {str(pydicom.dcmread(path).PatientAge) for path in folder.rglob("*.dcm")} <= {"090Y"}


def test_other_options_are_refused_until_they_are_to_replace(made, tmp_path):
    project = again(made, tmp_path)
    run(project)
    with pytest.raises(SettingError, match=r"outputs of another profile.*--replace"):
        run(project, options=("retain-full-dates",))
    run(project, options=("retain-full-dates", "retain-uids"), replace=True)
    output = pydicom.dcmread(next(project.paths["deidentified"].glob("P*/T*/S*/I*.dcm")))
    assert (output.StudyDate, output.StudyInstanceUID[:4]) == ("20240331", "1.2.")
    assert 'options = ["retain_full_dates", "retain_uids"]' in (project.folder / "profile.toml").read_text()
    assert run(project)["written"] == 8  # as before, without saying it again


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("retain-fulldates",), 'There is no option "retain-fulldates".*retain-full-dates'),
        (("retain-full-dates", "retain-dates-shifted"), "Dates cannot be kept and shifted at once"),
        (("none", "retain-uids"), "The option none stands alone"),
    ],
)
def test_options_that_cannot_be(made, options, message):
    with pytest.raises(SettingError, match=message):
        run(made[0], options=options)


def test_anonymous_outputs_have_no_dates_and_nobody_leads_back(tmp_path):
    project = make_project(tmp_path)
    index_archive(project)
    counts = deidentify_archive(project, None, DeidentificationSettings(anonymous=True))
    assert counts["written"] == 8
    first = contents(project.paths["deidentified"])
    output = pydicom.dcmread(next(project.paths["deidentified"].glob("P*/T*/S*/I*.dcm")))
    assert output.StudyDate in ("", "19000101")
    assert not list(project.records(project.vault.open(PASSPHRASE)).records())
    assert not (project.vault_outcomes / "parts").exists()
    vault = b"".join(path.read_bytes() for path in project.vault_outcomes.rglob("*") if path.is_file())
    assert not [name for name in first if name.endswith(".dcm") and name.split("/")[0].encode() in vault]
    deidentify_archive(project, None, DeidentificationSettings())
    second = contents(project.paths["deidentified"])
    assert not {name for name in first if name.startswith("P")} & {name for name in second if name.startswith("P")}


def test_anonymous_outputs_in_parts_or_with_dates_are_refused(made):
    with pytest.raises(SettingError, match="cannot be made in parts"):
        deidentify_archive(made[0], None, DeidentificationSettings(anonymous=True, part=(1, 2)))
    with pytest.raises(SettingError, match="neither dates nor UIDs"):
        deidentify_archive(made[0], None, DeidentificationSettings(anonymous=True, options=("retain-full-dates",)))


def test_two_runs_at_once_are_refused_and_parts_are_not(made):
    lock = made[0].folder / ".deidentify.lock"
    with file_lock(lock), pytest.raises(StorageError, match="Another firstread is at work"):
        run(made[0])
    with file_lock(lock, shared=True):
        run(made[0], part=(1, 2))


def test_a_full_disk_ends_the_run_with_a_sentence(made, tmp_path):
    """The limit of the size of files stands for a full disk: the system answers both in the same way."""
    project = again(made, tmp_path)
    (tmp_path / "passphrase").write_text(PASSPHRASE)
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, 1_000));"
        "from pathlib import Path; import sys;"
        "from firstread.project.shards import ShardPlan, ShardWork, run_shards;"
        "from firstread.cli import main;"
        "sys.argv = ['firstread', 'project', 'deidentify', '-C', sys.argv[1], '--passphrase-file', sys.argv[2]]; main()"
    )
    words = [sys.executable, "-c", code, str(project.folder), str(tmp_path / "passphrase")]
    ended = subprocess.run(words, check=False, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 1
    assert "The disk is full" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert [status.state for status in project.status()][:3] == ["done", "open", "open"]
    assert run(project) == made[1]


def test_outputs_in_the_place_of_a_link_are_refused(made, tmp_path):
    project = again(made, tmp_path)
    (tmp_path / "elsewhere").mkdir()
    (project.folder / "20-deidentified").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StorageError, match="is a link"):
        run(project)


def test_originals_are_as_they_were(made):
    archive = made[0].settings.archive
    digest = hashlib.sha256((archive / "us.dcm").read_bytes()).hexdigest()
    stamp = (archive / "us.dcm").stat().st_mtime_ns
    run(made[0])
    assert hashlib.sha256((archive / "us.dcm").read_bytes()).hexdigest() == digest
    assert (archive / "us.dcm").stat().st_mtime_ns == stamp
    assert SHARD_SIZE == 2_000
