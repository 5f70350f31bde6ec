"""The group `firstread project` from the terminal: the whole path, wrong use, and no identity in what is printed."""

import json
import os
import pty
import subprocess
import sys

import numpy as np
import pytest
from typer.testing import CliRunner

from firstread.cli import app
from firstread.core.errors import DataError, SettingError, StorageError
from project.hostile_archive import IDENTITIES, PASSPHRASE, make_project
from readers.dicom_files import save_series


@pytest.fixture
def base(tmp_path):
    save_series(tmp_path / "archive" / "CT", np.zeros((4, 8, 8), np.int16))
    (tmp_path / "passphrase.txt").write_text("four words of my own\n")
    return tmp_path


def call(*words):
    result = CliRunner().invoke(app, ["project", *map(str, words)])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def new(base, *more):
    return call(
        *("new", base / "liver", "--archive", base / "archive", "--vault", base / "vault"),
        *("--passphrase-file", base / "passphrase.txt", *more),
    )


def test_from_a_folder_to_an_index(base):
    made = new(base, "--question", "How large are metastases?")
    assert made.exit_code == 0
    assert "Recovery code" in made.output
    assert call("status", "-C", base / "liver").output.count("open") >= 3
    counted = json.loads(call("index", "-C", base / "liver", "--processes", 1, "--json").output)
    assert (counted["files"], counted["volumes"]) == (4, 1)
    status = json.loads(call("status", "-C", base / "liver", "--json").output)
    assert [row["state"] for row in status["steps"]][:3] == ["done", "open", "open"]
    assert (status["next"], status["audit_lines"]) == ("deidentify", 2)
    (base / "archive" / "more.txt").write_text("more")
    stale = call("status", "-C", base / "liver")
    assert stale.exit_code == 1
    assert "archive has changed since" in stale.output


def test_a_passphrase_is_asked_for_twice(base):
    words = ["project", "new", str(base / "p"), "--archive", str(base / "archive"), "--vault", str(base / "v")]
    asked = CliRunner().invoke(app, words, input="four words of my own\nfour words of my own\n")
    assert asked.exit_code == 0
    assert "four words" not in asked.output


def test_wrong_use_is_a_sentence(base):
    new(base)
    with pytest.raises(SettingError, match=r'--shard "2" is not possible.*I/N'):
        call("index", "-C", base / "liver", "--shard", "2")
    with pytest.raises(DataError, match="This folder is no project"):
        call("status", "-C", base / "archive")
    with pytest.raises(DataError, match="passphrase cannot be read"):
        call("new", base / "other", "--archive", base / "archive", "--passphrase-file", base / "none.txt")


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """A project on the hostile archive, indexed and de-identified by the commands; what they printed."""
    base = tmp_path_factory.mktemp("hostile")
    project = make_project(base)
    (base / "passphrase.txt").write_text(PASSPHRASE)
    said = [call("index", "-C", project.folder, "--processes", 1).output]
    words = ("-C", project.folder, "--processes", 1, "--passphrase-file", base / "passphrase.txt")
    said.append(call("deidentify", "--dry-run", *words).output)
    said.append(call("deidentify", *words).output)
    said.append(call("verify", "-C", project.folder, "--processes", 1).output)
    said.append(call("hold", "list", "-C", project.folder, "--files", "--json").output)
    said.append(call("hold", "list", "-C", project.folder).output)
    said.append(call("status", "-C", project.folder, "--json").output)
    return project, base, "\n".join(said)


def names_of(text):
    return [word for word in IDENTITIES if word in text.lower()]


def test_the_whole_path_says_numbers_and_no_identity(hostile):
    _, _, said = hostile
    for sentence in (
        "18 files of the archive, pseudonymous",
        "18 files: 8 written, 10 held back",
        "identity values: 0 found",
    ):
        assert sentence in said
    assert names_of(said) == []


def test_the_options_of_the_standard_are_in_the_help_and_exist():
    from firstread.cli.deidentification_commands import OPTIONS
    from firstread.deidentification.profile import OPTION_CODES

    assert {option.replace("-", "_") for option in OPTIONS} == set(OPTION_CODES)


def test_verify_ends_with_1_where_something_is_found(hostile):
    project, _, _ = hostile
    (project.folder / "notes.txt").write_text("ask Hiddena")
    found = call("verify", "-C", project.folder, "--processes", 1)
    (project.folder / "notes.txt").unlink()
    assert found.exit_code == 1
    assert "notes.txt" in found.output
    assert names_of(found.output) == []


def test_an_identity_is_shown_in_a_terminal_and_nowhere_else(hostile):
    project, base, _ = hostile
    pseudonym = next(path.name for path in (project.folder / "20-deidentified").iterdir() if path.name.startswith("P"))
    words = ("reidentify", pseudonym, "-C", project.folder, "--reason", "asked by the ethics board")
    with pytest.raises(SettingError, match="Identities are shown in a terminal only"):
        call(*words, "--passphrase-file", base / "passphrase.txt")
    command = [sys.executable, "-m", "firstread", "project", *map(str, words)]
    command += ["--passphrase-file", str(base / "passphrase.txt")]
    ours, theirs = pty.openpty()
    done = subprocess.run(command, stdout=theirs, stderr=subprocess.PIPE, check=True, timeout=120)
    os.close(theirs)
    shown = os.read(ours, 10_000).decode()
    os.close(ours)
    assert "PatientName: Hidden" in shown
    assert names_of(done.stderr.decode()) == []
    log = (project.folder / "audit.jsonl").read_text()
    assert pseudonym in log
    assert names_of(log) == []


def test_a_wrong_passphrase_may_be_typed_again_twice(hostile):
    project, _, _ = hostile
    words = ["project", "deidentify", "-C", str(project.folder), "--processes", "1"]
    again = CliRunner().invoke(app, words, input=f"not my words at all\n{PASSPHRASE}\n")
    assert again.exit_code == 0
    assert again.output.count("The passphrase does not open the key") == 1
    assert PASSPHRASE not in again.output
    wrong = CliRunner().invoke(app, words, input="one wrong phrase\ntwo wrong phrases\nthree wrong ones\n")
    assert isinstance(wrong.exception, SettingError)
    assert wrong.output.count("The passphrase does not open the key") == 2


def test_the_recovery_code_opens_the_key(base):
    made = new(base)
    code = made.output.split("apart from this computer: ")[1].split()[0]
    call("index", "-C", base / "liver", "--processes", 1)
    words = ["project", "deidentify", "-C", str(base / "liver"), "--processes", "1"]
    assert CliRunner().invoke(app, words, input=f"{code}\n").exit_code == 0


def test_no_passphrase_stands_among_the_arguments_of_a_process(hostile):
    """`ps` shows arguments to everybody; there is no option that takes a passphrase itself."""
    for words in (("new",), ("deidentify",), ("reidentify",), ("withdraw",)):
        text = call(*words, "--help").output
        assert "--passphrase-file" in text
        assert "--passphrase " not in text


def test_a_log_that_was_cut_stops_every_step(hostile):
    project, _, _ = hostile
    log = project.folder / "audit.jsonl"
    kept = log.read_bytes()
    try:
        log.write_bytes(b"".join(kept.splitlines(keepends=True)[:-1]))
        for words in (("status",), ("hold", "drop", "P0", "--reason", "x"), ("index", "--processes", 1)):
            with pytest.raises(DataError, match=r"audit log ends before line|has this name"):
                call(*words, "-C", project.folder)
        log.write_bytes(kept.replace(b'"done"', b'"gone"', 1))
        with pytest.raises(DataError, match="The audit log is broken in line"):
            call("status", "-C", project.folder)
    finally:
        log.write_bytes(kept)


def test_the_vault_of_another_project_is_refused(hostile, base):
    project, _, _ = hostile
    new(base)
    description = base / "liver" / "project.toml"
    description.write_text(description.read_text().replace(str(base / "vault"), str(project.settings.vault)))
    for words in (("index", "--processes", 1), ("deidentify", "--passphrase-file", base / "passphrase.txt")):
        with pytest.raises(DataError, match=r"This vault belongs to another project|is not indexed"):
            call(*words, "-C", base / "liver")


def test_a_project_in_the_archive_and_a_vault_in_a_git_tree_are_refused(base):
    words = ("--archive", base / "archive", "--passphrase-file", base / "passphrase.txt")
    with pytest.raises(SettingError, match="project and the archive would lie within one another"):
        call("new", base / "archive" / "liver", "--vault", base / "vault", *words)
    with pytest.raises(SettingError, match="vault and the archive would lie within one another"):
        call("new", base / "p", "--vault", base / "archive" / "vault", *words)
    (base / "code" / ".git").mkdir(parents=True)
    with pytest.raises(SettingError, match="The vault would lie in a git tree"):
        call("new", base / "p", "--vault", base / "code" / "vault", *words)
    (base / "file").write_text("")
    with pytest.raises(StorageError, match=r"A file stands where a folder is needed|cannot be written"):
        call("new", base / "p", "--vault", base / "file" / "vault", *words)
    assert not (base / "p").exists()
    with pytest.raises(SettingError, match="A project needs an archive"):
        call("new", base / "p")


def test_phantoms_are_written_beside_the_project_and_kept_when_it_is_started_again(base, monkeypatch):
    import firstread.phantoms.archive as archive

    calls = []
    write_archive = archive.write_archive
    monkeypatch.setattr(
        archive,
        "write_archive",
        lambda folder, **settings: calls.append(settings) or write_archive(folder, **settings, matrix=32, slices=8),
    )
    words = ("new", base / "demo", "--phantoms", 1, "--vault", base / "vault", "--processes", 1)
    made = call(*words, "--passphrase-file", base / "passphrase.txt")
    assert made.exit_code == 0
    assert f"Archive: {base / 'demo-archive' / 'dicom'}" in made.output
    assert calls[0] == {"patients": 1, "processes": 1}
    truth = base / "demo-archive" / "truth" / "actions.parquet"
    stamp = truth.stat().st_mtime_ns
    words = ("new", base / "second", "--phantoms", 1, "--archive", base / "demo-archive", "--vault", base / "vault2")
    assert call(*words, "--passphrase-file", base / "passphrase.txt").exit_code == 0
    assert truth.stat().st_mtime_ns == stamp


def test_withdrawal_from_the_terminal(tmp_path):
    project = make_project(tmp_path, images=1)
    (tmp_path / "passphrase.txt").write_text(PASSPHRASE)
    call("index", "-C", project.folder, "--processes", 1)
    words = ("-C", project.folder, "--passphrase-file", tmp_path / "passphrase.txt")
    call("deidentify", "--processes", 1, *words)
    pseudonym = next(path.name for path in (project.folder / "20-deidentified").iterdir() if path.name.startswith("P"))
    planned = call("withdraw", pseudonym, "--dry-run", "--json", *words)
    assert json.loads(planned.output)["files"] >= 1
    assert (project.folder / "20-deidentified" / pseudonym).is_dir()
    done = call("withdraw", pseudonym, "--reason", "consent withdrawn", *words)
    assert "originals stay in the archive, which firstread opens read-only" in done.output
    assert names_of(done.output) == []
    assert not (project.folder / "20-deidentified" / pseudonym).exists()
