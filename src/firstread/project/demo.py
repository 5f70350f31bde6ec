"""A demonstration project: invented patients, from their archive to a trained and measured network, and a page.

Every step is the one that a department's own project runs; nothing is prepared. The patients are invented, so the
passphrase may lie in a file.
"""

import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow.dataset as ds
import pyarrow.parquet as pq

from firstread.core.cohort import Cohort
from firstread.core.files import read_json, translate_os_errors, write_json, write_text
from firstread.core.predictions import Predictions
from firstread.core.report import Report
from firstread.datasets.organ_slices import OrganSlices, cut_organ_slices
from firstread.project.archive_names import locate
from firstread.project.project import Project
from firstread.project.project_folder import check_new_folder
from firstread.project.step_states import StepStatus

if TYPE_CHECKING:
    from firstread.evaluation.evaluation import Evaluation

ELIGIBILITY = """\
# Who is in: read from top to bottom, this file is the flow diagram.
title = "Liver lesions on portal venous CT"
planned = "a priori"
unit = "patient"

[[include]]
name = "CT, axial slices as they were measured"
needs = "imaging"
where = "series.modality == 'CT' and series.kind == 'original' and series.plane == 'axial'"
why = "index test"

[[include]]
name = "Portal venous phase"
needs = "imaging"
where = "series.phase == 'venous' and series.phase_confidence >= 0.8"
why = "metastases are seen best in it"

[[exclude]]
name = "Under 18 years"
needs = "clinical"
where = "study.age_years < 18"
why = "the network is for adults"
missing = "include"

[target]
name = "lesion"
where = "clinical.lesions > 0"
"""
#: training, validation, test: so many are tested that intervals can be read
FRACTIONS = (0.6, 0.15, 0.25)
QUESTION = "Is there a lesion in a slice of the liver?"
SLICES = OrganSlices()
_REASON = "The demonstration measures its network once"
_MODEL = "60-model"
_MAX_RECORD_BYTES = 100_000


@dataclass(frozen=True)
class DemoSettings:
    """How large the demonstration is.

    Attributes:
        patients: invented ones.
        slices: of each phase of their CT.
        epochs: of training.
        processes: workers.
        seed: of patients, split and training.
    """

    patients: int = 60
    slices: int = 48
    epochs: int = 8
    processes: int = 1
    seed: int = 0


@dataclass(frozen=True)
class _Done:
    """A step that was done: what came out of it, in words, and the seconds that it took now."""

    step: str
    words: str
    seconds: float


def run_demo(folder: str | Path, settings: DemoSettings | None = None) -> Path:
    """Go through a whole project on invented patients. Started again, it goes on where it was stopped.

    Args:
        folder: of the project; beside it come `NAME-archive`, the invented originals, and `NAME-vault`.
        settings: how large it is.

    Returns:
        The page, `demo.html` in the folder.

    Raises:
        DataError: the folder holds something else, or too few patients are left to divide.
        StorageError: the disk is full.
    """
    settings, folder = settings or DemoSettings(), Path(folder).expanduser().resolve()
    if not (folder / "project.toml").is_file():
        check_new_folder(folder)
    originals = folder.with_name(f"{folder.name}-archive")
    begun = time.monotonic()
    _write_archive(originals, settings)
    words = f"{settings.patients} invented patients, with faults as archives hold them"
    done = [_Done("archive", words, time.monotonic() - begun)]
    project, passphrase = _open_project(folder, originals / "dicom")
    done += [
        _run_step(project, step, run, words) for step, run, words in _steps(project, originals, passphrase, settings)
    ]
    begun = time.monotonic()
    evaluation, words = _measure(project, settings)
    done.append(_Done("train and test", words, time.monotonic() - begun))
    return _write_page(project, done, evaluation)


def _steps(
    project: Project, originals: Path, passphrase: str, settings: DemoSettings
) -> Iterator[tuple[str, Callable[[], object], str]]:
    """Name of each step, what runs it, and its result in words."""
    workers = settings.processes
    yield "index", lambda: project.index(processes=workers), "{files:,} files: {studies:,} studies, {series:,} series"
    yield (
        "deidentify",
        lambda: project.deidentify(passphrase=passphrase, processes=workers),
        "{written:,} files written, {held:,} held back for a person",
    )
    yield (
        "verify",
        lambda: project.verify(processes=workers),
        "{values:,} words and identifiers of the originals searched for in {files:,} files: {findings} found",
    )
    yield "curate", lambda: project.curate(processes=workers), "{stacks:,} stacks of images, {excluded:,} left out"
    table = originals / "truth" / "clinical.csv"
    yield (
        "clinical",
        lambda: project.clinical(table, id_column="patient_id", passphrase=passphrase),
        "{patients:,} patients of the hospital's table",
    )
    eligibility = project.folder / "eligibility.toml"
    if not eligibility.is_file():
        write_text(eligibility, ELIGIBILITY)
    yield "cohort", lambda: project.cohort(source=eligibility), "{included} of {assessed} patients are in"
    yield (
        "split",
        lambda: project.split(fractions=FRACTIONS, seed=settings.seed),
        "patients: {splits}; the test set is sealed",
    )


def _run_step(project: Project, step: str, run: Callable[[], object], words: str) -> _Done:
    """Run a step that is not done, or stale."""
    begun = time.monotonic()
    if _status(project, step).state != "done":
        run()
    record = _status(project, step).record
    counts = dict(record.counts) if record else {}
    if isinstance(counts.get("splits"), Mapping):
        counts["splits"] = ", ".join(f"{name} {count}" for name, count in counts["splits"].items())
    return _Done(step, words.format_map(counts), time.monotonic() - begun)


def _status(project: Project, step: str) -> StepStatus:
    return next(status for status in project.status() if status.name == step)


def _write_archive(folder: Path, settings: DemoSettings) -> None:
    from firstread.phantoms.archive import write_archive

    write_archive(
        folder,
        patients=settings.patients,
        seed=settings.seed,
        slices=settings.slices,
        processes=settings.processes,
    )


def _open_project(folder: Path, archive: Path) -> tuple[Project, str]:
    """The project and its passphrase, which lies beside the vault: these patients are invented."""
    vault = folder.with_name(f"{folder.name}-vault")
    file = folder.with_name(f"{folder.name}-passphrase.txt")
    if (folder / "project.toml").is_file():
        return Project.open(folder), file.read_text(encoding="utf-8").strip()
    passphrase = secrets.token_urlsafe(24)
    with translate_os_errors(file):
        file.touch(mode=0o600)
        file.write_text(passphrase + "\n", encoding="utf-8")
    project, _ = Project.create(folder, archive=archive, passphrase=passphrase, vault=vault, question=QUESTION)
    return project, passphrase


def _measure(project: Project, settings: DemoSettings) -> tuple["Evaluation", str]:
    """Train on what is no test, then open the test set, once: what was measured on this split is read again."""
    import firstread as fr

    folder = project.folder / _MODEL
    record = _status(project, "split").record
    now = {"split": record.finished if record else "", "settings": {**asdict(settings), "processes": None}}
    known = folder / "measured.json"
    if known.is_file() and (before := read_json(known, max_bytes=_MAX_RECORD_BYTES)).items() >= now.items():
        return fr.evaluate(Predictions.load(folder / "predictions.parquet")), str(before["words"])
    slices = _slices(project, project.cases(), folder / "training")
    model = fr.build_model(classes=slices.classes, size=SLICES.size, seed=settings.seed)
    run = fr.train(model, slices, epochs=settings.epochs, schedule="one-cycle", seed=settings.seed)
    whole = _slices(project, project.open_test(reason=_REASON), folder / "measurement")
    predictions = fr.predict(model, whole.test)
    predictions.save(folder / "predictions.parquet")
    evaluation = fr.evaluate(predictions)
    facts = {"run": run, "model": model, "evaluation": evaluation, "predictions": predictions}
    fr.write_report(folder / "report.html", cohort=whole, **facts)
    words = f"{len(whole.train):,} slices to train on, {len(whole.test):,} slices to measure with"
    write_json(known, now | {"words": words})
    return evaluation, words


def _slices(project: Project, cohort: Cohort, folder: Path) -> Cohort:
    """Liver slices of the volumes of a cohort, labelled by the radiologists' segmentations of the same study."""
    table = ds.dataset(project.paths["curated"] / "instances").to_table(
        columns=["study", "file"], filter=ds.field("modality") == "SEG"
    )
    of_study: dict[str, list[Path]] = {}
    for row in table.to_pylist():
        of_study.setdefault(row["study"], []).append(locate(project.image_folder, row["file"]))
    included = pq.read_table(project.paths["included"], columns=["series", "study"])
    studies = dict(zip(included["series"].to_pylist(), included["study"].to_pylist(), strict=True))
    files = {case.case: sorted(of_study.get(studies[case.case.partition("#")[0]], [])) for case in cohort}
    return cut_organ_slices(cohort, files, folder, settings=SLICES)


def _write_page(project: Project, done: list[_Done], evaluation: "Evaluation") -> Path:
    """The page: what was done, who is in, what came out, and where the pages of each step lie."""
    import pandas as pd

    report = Report(f"{project.settings.title}: a whole project on invented patients", QUESTION)
    report.add_text(evaluation.headline())
    for note in (*evaluation.notes, project.seal_warning()):
        if note:
            report.add_text(note)
    report.add_heading("What was done")
    rows = [(one.step, one.words, round(one.seconds)) for one in done]
    total = round(sum(one.seconds for one in done))
    report.add_table(
        pd.DataFrame(rows, columns=["step", "what came out", "seconds"]),
        caption=f"Each step is a command, firstread project STEP; together {total} seconds this time",
    )
    flow = project.paths["split folder"] / "flow.svg"
    report.add_heading("Who is in").add_drawing(
        flow.read_text(encoding="utf-8"), alt="flow diagram of the participants"
    )
    table = pd.read_csv(project.paths["split folder"] / "table1.csv", dtype=str, keep_default_na=False)
    report.add_table(table, caption="Table 1, by split")
    report.add_heading("What the network can do")
    report.add_table(evaluation.table, caption="On the sealed test set, opened once; 95 % intervals by patient")
    report.add_figure(evaluation.figure(), alt="figure of the main results")
    report.add_text("A trivial rule beside the network: each looks at one thing that is not anatomy.")
    report.add_table(evaluation.comparison)
    report.add_heading("What these numbers are not")
    report.add_text(
        "The patients are simulated, and the slices were cut out with the segmentations that came with them: on a new "
        "patient somebody, or another network, would have to outline the liver first. A slice is a case, its "
        "patient as the unit of every interval. Nothing here says how the network would do on real patients."
    )
    report.add_heading("Where to go on").add_links(_pages(project))
    return report.write(project.folder / "demo.html")


def _pages(project: Project) -> dict[str, str]:
    """Page of each step that is there -> what it says."""
    pages = (
        ("20-deidentified/report.html", "which rules of de-identification did what, and what waits for a person"),
        ("20-deidentified/verification.html", "the search for every identity value of the originals"),
        ("30-curated/report.html", "which stacks of images there are, what is wrong with them, what is left out"),
        ("30-curated/datasheet.md", "the datasheet of the data set, with the questions that only people can answer"),
        ("40-cohort/report.html", "who is in, why, and what bias that brings"),
        ("50-splits/report.html", "who trains, who is tested, and how wide the intervals will be"),
        (f"{_MODEL}/report.html", "data, training, results, the hardest cases and where the network looked"),
    )
    return {page: what for page, what in pages if (project.folder / page).is_file()}
