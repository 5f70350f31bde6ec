"""Decisions about what was held back, verification, withdrawal: on one archive with one of each trouble."""

import json
import os
import shutil

import pydicom
import pytest

from firstread.core.errors import DataError, SettingError
from firstread.core.patient_identity import patient_digest
from firstread.core.run import Run
from firstread.project.hold_decisions import Decisions
from firstread.project.holds import write_contact_sheets
from firstread.project.project import Project
from firstread.project.reidentification import find_pseudonyms, reidentify
from firstread.project.withdrawal import plan_withdrawal
from project.hostile_archive import IDENTITIES, PASSPHRASE, make_project

REASON = "seen at the console"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    base = tmp_path_factory.mktemp("holds")
    project = Project.open(make_project(base).folder)
    project.index()
    project.deidentify(passphrase=PASSPHRASE)
    return project


@pytest.fixture
def project(made, tmp_path):
    """A copy with the same archive and key."""
    shutil.copytree(made.folder, tmp_path / "liver")
    shutil.copytree(made.settings.vault, tmp_path / "vault")
    shutil.copytree(made.settings.archive, tmp_path / "archive", symlinks=True)
    text = (tmp_path / "liver" / "project.toml").read_text()
    text = text.replace(str(made.settings.archive.parent), str(tmp_path))
    (tmp_path / "liver" / "project.toml").write_text(text)
    return Project.open(tmp_path / "liver")


def only(project, rule, can=None):
    """Identifiers of a rule."""
    rows = project.holds().to_dict("records")
    return [row["id"] for row in rows if row["rule"] == rule and (can is None or can in row["can"])]


def outputs(project):
    return list(project.paths["deidentified"].glob("P*/T*/S*/I*.dcm"))


def patients(project):
    return {path.relative_to(project.paths["deidentified"]).parts[0] for path in outputs(project)}


def test_the_list_says_what_can_be_decided(made):
    rows = made.holds().to_dict("records")
    assert {row["rule"]: row["can"] for row in rows if row["id"] and row["id"][0] != "H"} == {
        "patient": "join, separate, drop",
        "pixels": "release, drop",
    }
    assert len(only(made, "same_uid", "keep")) == 2
    assert len(only(made, "patient", "join")) == 2
    assert len(made.holds(files=True)) == 10


def test_without_the_option_nobody_can_release_pixels(made):
    with pytest.raises(SettingError, match="Pixels are cleaned only with the option clean-pixel-data"):
        made.hold("release", only(made, "pixels")[0], reason=REASON)


@pytest.mark.slow
def test_a_class_that_was_looked_at_goes_on_and_the_decision_is_kept(project):
    pytest.importorskip("rapidocr")
    project.deidentify(passphrase=PASSPHRASE, options=("clean-pixel-data", "clean-descriptors"), replace=True)
    [name] = only(project, "pixels")
    [sheet] = write_contact_sheets(project)
    assert sheet.is_relative_to(project.settings.vault)
    held = project.holds(files=True)
    [key] = held[held["rule"] == "pixels"]["id"]
    assert key in (sheet.parent / "tiles.csv").read_text()
    assert project.hold("release", name, reason=REASON) == 1
    assert project.status()[1].reason == "decisions has changed since"
    assert set(project.holds()["decision"].dropna()) == {"release"}
    result = project.deidentify(passphrase=PASSPHRASE)
    assert result.counts["rules"].get("pixels", 0) == 0
    assert [status.state for status in project.status()][:2] == ["done", "done"]
    line = project.audit.read()[-2]
    assert (line["step"], line["action"]) == ("hold", f"release {name}: {REASON}")


def test_the_file_that_is_true_is_kept_and_the_other_stays_out(project):
    first, second = only(project, "same_uid", "keep")
    project.hold("keep", second, reason=REASON)
    rules = project.deidentify(passphrase=PASSPHRASE).counts["rules"]
    assert "same_uid" not in rules
    assert rules["dropped"] == 1
    project.hold("keep", first, reason="the other one after all")
    assert project.deidentify(passphrase=PASSPHRASE).counts["rules"]["dropped"] == 1


def test_people_who_share_an_identifier_become_two_or_one(project):
    [name] = [one for one in only(project, "patient") if one.startswith("P")]
    before = patients(project)
    project.hold("separate", name, reason=REASON)
    project.deidentify(passphrase=PASSPHRASE)
    two = patients(project) - before
    assert len(two) == 2
    assert name not in two
    with_dates = {str(pydicom.dcmread(path).StudyDate) for path in outputs(project) if path.parts[-4] in two}
    assert len(with_dates) == 2
    project.hold("join", *sorted(two)[:1], reason="one person after all")
    project.deidentify(passphrase=PASSPHRASE)
    assert patients(project) - before == {name}


def test_a_file_of_nobody_is_given_to_a_patient(project):
    [name] = [one for one in only(project, "patient") if one.startswith("H")]
    patient = sorted(patients(project))[0]
    number = len(outputs(project))
    project.hold("join", name, patient, reason=REASON)
    project.deidentify(passphrase=PASSPHRASE)
    assert len(outputs(project)) == number + 1
    assert patient in patients(project)


def test_what_is_dropped_stays_out(project):
    patient = sorted(patients(project))[0]
    project.hold("drop", patient, reason=REASON)
    project.deidentify(passphrase=PASSPHRASE)
    assert patient not in patients(project)


@pytest.mark.parametrize(
    ("verb", "which", "message"),
    [
        ("release", "same_uid", "Only what waits for a person to look at its pixels"),
        ("keep", "pixels", "Only a file that shares its SOPInstanceUID"),
        ("separate", "pixels", "Only a patient can be several people"),
        ("join", "pixels", "Only patients can be one person"),
        ("destroy", "pixels", 'There is no decision "destroy"'),
    ],
)
def test_a_verb_that_does_not_fit_is_refused(made, verb, which, message):
    with pytest.raises(SettingError, match=message):
        made.hold(verb, only(made, which)[0], reason=REASON)


@pytest.mark.parametrize("reason", ["Hiddena asked", "id hid-00011", "born 21.03.1970", "h-i-d 00011", "HÍDDENA"])
def test_a_reason_that_names_somebody_is_refused(made, reason):
    with pytest.raises(SettingError, match="The reason holds a word that names somebody") as caught:
        made.hold("drop", only(made, "pixels")[0], reason=reason)
    assert not [word for word in IDENTITIES if word in str(caught.value).lower()]


def test_nothing_of_a_name_that_is_not_held_back(made):
    with pytest.raises(DataError, match="Nothing that is held back has this name"):
        made.hold("drop", "H0000", reason=REASON)
    with pytest.raises(SettingError, match="A reason is needed"):
        made.hold("drop", only(made, "pixels")[0], reason="  ")


def test_verification_finds_nothing_and_then_each_planted_value(project):
    assert project.verify().passed
    assert json.loads((project.folder / "20-deidentified" / "verification.json").read_text())["passed"]
    assert project.status()[2].state == "done"
    planted = {
        "note Hiddenb.txt": "nothing",
        "log.txt": "patient Hiddena^Harriet was here",
        "table.csv": "a,b\n1,HID-000-11\n",
        "page.html": "<p>H&#105;ddenc</p>",
        "escaped.json": '{"a": "\\u0048iddend"}',
    }
    for name, text in planted.items():
        (project.folder / name).write_text(text)
    os.mkfifo(project.folder / "Hiddena")
    planted["Hiddena"] = "a pipe"
    dataset = pydicom.dcmread(outputs(project)[0])
    dataset.StudyDescription, dataset.SeriesInstanceUID = "CT of Harriet", "1.2.0.2"
    dataset.save_as(outputs(project)[0])
    result = project.verify()
    assert {finding.file for finding in result.findings} >= set(planted)
    assert {finding.kind for finding in result.findings if finding.file.endswith(".dcm")} >= {"name"}
    assert not [word for word in IDENTITIES if word in repr(result).lower()]
    page = (project.folder / "20-deidentified" / "verification.html").read_text()
    assert "Hiddena^Harriet" not in page


def test_verification_of_anonymous_outputs_searches_for_everybody(project):
    project.deidentify(anonymous=True, options=("clean-descriptors",), replace=True)
    assert project.verify().passed
    dataset = pydicom.dcmread(outputs(project)[0])
    dataset.StudyDescription = "CT of Hiddenc"
    dataset.save_as(outputs(project)[0])
    assert [finding.kind for finding in project.verify().findings] == ["name"]


def test_who_is_behind_a_pseudonym(made):
    pseudonym = sorted(patients(made))[0]
    found = reidentify(made, PASSPHRASE, pseudonym, reason=REASON)
    assert found.values["PatientName"].endswith("^Harriet")
    assert "Harriet" not in repr(found)
    assert made.audit.read()[-1]["action"] == f"{pseudonym}: {REASON}"
    assert find_pseudonyms(made, PASSPHRASE, found.values["PatientID"].lower(), reason=REASON) == [pseudonym]
    with pytest.raises(DataError, match="The vault knows nobody of this pseudonym"):
        reidentify(made, PASSPHRASE, "P0", reason=REASON)
    with pytest.raises(SettingError, match="passphrase does not open the key"):
        reidentify(made, "four words of another", pseudonym, reason=REASON)


def test_whoever_withdraws_is_gone_everywhere_and_stays_gone(project, tmp_path, monkeypatch):
    names = {
        one: reidentify(project, PASSPHRASE, one, reason=REASON).values["PatientName"] for one in patients(project)
    }
    [pseudonym] = [one for one, name in names.items() if name == "Hiddenc^Harriet"]
    monkeypatch.setenv("FIRSTREAD_HOME", str(tmp_path / "home"))
    for run, parent, seen in (("one", None, [pseudonym]), ("child", "one", ["P-other"]), ("other", None, ["P-other"])):
        folder = tmp_path / "home" / "runs" / run
        folder.mkdir(parents=True)
        Run(folder, {}, [], [], id=run, parent=parent, patients=[patient_digest(one) for one in seen]).save()
    (project.folder / "30-cohort").mkdir()
    (project.folder / "30-cohort" / "table1.csv").write_text(f"patient,age\n{pseudonym},50\nP2,60\n")
    (project.folder / "30-cohort" / f"{pseudonym}.png").write_bytes(b"")
    planned = plan_withdrawal(project, pseudonym)
    result = project.withdraw(pseudonym, passphrase=PASSPHRASE, reason="consent withdrawn")
    assert result.runs == ("child", "one") == planned.runs
    assert result.originals >= 2
    assert result.files >= 3
    assert pseudonym not in patients(project)
    assert (project.folder / "30-cohort" / "table1.csv").read_text() == "patient,age\nP2,60\n"
    left = [path for path in project.settings.vault.rglob("*") if path.is_file()]
    assert not [path for path in left if b"Hiddenc" in path.read_bytes()]
    named = [path for path in project.folder.rglob("*") if path.is_file() and path.name != "audit.jsonl"]
    assert not [path for path in named if pseudonym.encode() in path.read_bytes()]
    assert [status.state for status in project.status()][:3] == ["done", "done", "open"]
    project.index()
    project.deidentify(passphrase=PASSPHRASE)
    assert pseudonym not in patients(project)
    with pytest.raises(DataError, match="Nobody in this project has this pseudonym"):
        project.withdraw(pseudonym, passphrase=PASSPHRASE, reason="once more")
    assert project.check_audit() == len(project.audit.read())


def test_decisions_of_a_patient_who_withdrew_are_gone_too(project):
    [held] = [one for one in only(project, "patient") if one.startswith("H")]
    patient = sorted(patients(project))[0]
    project.hold("join", held, patient, reason=REASON)
    project.deidentify(passphrase=PASSPHRASE)
    project.withdraw(patient, passphrase=PASSPHRASE, reason="consent withdrawn")
    assert Decisions.read(project.vault.folder).all == ()
    project.index()
    project.deidentify(passphrase=PASSPHRASE)
    assert patient not in patients(project)
    assert held not in set(project.holds(files=True)["id"])
