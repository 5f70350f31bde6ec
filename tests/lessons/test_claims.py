"""Every sentence of a lesson that says what an output shows is held against the output, on all data of the lesson.

A sentence cannot change without its claim: each fragment below must stand in the text, and each text after an output must
have a claim, or a reason why it needs none.
"""

import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
from executed_lesson import execute, plain, text_of

from firstread.core.errors import FirstreadError
from firstread.core.windows import CT_WINDOWS
from firstread.curation.table_one import SMALL_CELL
from firstread.deidentification.annex_e import annex_rows
from firstread.explanation.sanity_check import COVERED_SHARE
from firstread.lessons import find_lesson
from firstread.lessons.error_sentences import explain_error


def cases_of(cohort):
    return set(cohort.table["case"])


def gray(lesson, window, hounsfield):
    table = lesson.value("window_table")
    return float(table.loc[next(row for row in table.index if row.startswith(window)), f"{hounsfield} HU"])


def gains(lesson):
    """Accuracy that phantom weights are worth, at each number of training images."""
    import pandas as pd

    table = pd.read_csv(lesson.info.folder / "learning-curve.csv").pivot(index="images", columns="way", values="mean")
    return table["phantom weights, all trained"] - table["random weights, all trained"]


def columns_of(costs, name):
    return [float(re.match(r"[\d.]+", str(value))[0]) for value in costs[name]]


def falls_or_stays(values):
    return all(one >= other for one, other in zip(values, values[1:], strict=False))


def wilson_low(correct, total, z=1.959964):
    share = correct / total
    centre = share + z * z / (2 * total)
    half = z * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    return (centre - half) / (1 + z * z / total)


def panels(figure):
    return [axes for axes in figure.axes if axes.get_label() != "<colorbar>"]


#: lesson -> {fragment of its text: what must be so of the executed lesson}
CLAIMS = {
    "hello-world": {
        "a score near 1 will mean this one": lambda done: (
            done["cohort"].positive in done.printed("The positive class is")
            and done["model"].classes[1] == done["cohort"].positive
        ),
        "The images are held out: the network will not learn from them": lambda done: (
            not cases_of(done["held_out"]) & cases_of(done["cohort"].train)
            and str(len(done["held_out"])) in done.printed("lesson.held_out(cohort)")
        ),
        "turned, moved, zoomed or flipped a little": lambda done: all(
            done["lesson"].recipe["augmentation"][name] for name in ("rotate_degrees", "shift", "zoom", "flip")
        ),
        "half of the last layer's cells are switched off": lambda done: done["lesson"].recipe["dropout"] == 0.5,
        "The next cell tells you which group you were drawn into": lambda done: (
            done["lesson"].arm("augmentation") in done.printed("Your augmentation")
        ),
        "The first is the original": lambda done: (
            panels(done.value("show_augmentation"))[0].get_title() == "original"
            and done["lesson"].first(done["cohort"].train, done["cohort"].positive).label == done["cohort"].positive
        ),
        "epochs=5 means: go through all training images five times": lambda done: (
            [row["phase"] for row in done["run"].history].count("frozen") == 5
        ),
        "The learning_rate is a thirtieth of the one before": lambda done: math.isclose(
            done["run"].settings[0]["learning_rate"], 30 * done["run"].settings[-1]["learning_rate"]
        ),
        "the history is kept": lambda done: done["run"].epochs == 5 + done["run"].settings[-1]["epochs"],
        "to the right of the dotted line": lambda done: (
            [line.get_xdata()[0] for line in done.value('lesson.step("unfreeze")').axes[0].lines][-1] == 5.5
        ),
        "between 14 and 22 points of accuracy": lambda done: 0.14 <= gains(done).min() <= gains(done).max() < 0.225,
        "phantoms (orange)": lambda done: (
            panels(done.value("learning_curve"))[0].get_legend().get_texts()[1].get_text() == "phantom weights, all trained"
        ),
        "Five lines matter": lambda done: all(
            line in done.value("training loop").text
            for line in ("network(", "objective.loss(", ".backward()", "optimizer.step()", "optimizer.zero_grad()")
        ),
        "together they make 1": lambda done: np.allclose(
            done.run("fr.predict(model, two)").scores.sum(axis=1), 1, atol=1e-6
        ),
        "One case of each class that the network has never learnt from": lambda done: (
            len(done["two"]) == 2 and not cases_of(done["two"]) & cases_of(done["cohort"].train)
        ),
        "Every number of the first table comes with its 95 % interval": lambda done: all(
            "[" in text or text == "not defined" for text in done["evaluation"]._main_table()["value [interval]"]
        ),
        "file size, image size, brightness, a thumbnail of 8 x 8 pixels": lambda done: all(
            any(word in name for name in done["evaluation"].comparison["name"])
            for word in ("file size", "image size", "brightness", "8x8 thumbnail")
        ),
        "the title says how coarse: a grid of so many squares": lambda done: (
            re.search(r"\d+ x \d+ grid", panels(done.value('lesson.step("explain")'))[1].get_title())
        ),
        "first its last layer, then the one below, down to the first": lambda done: (
            done["check"].stages[0] == "head" and done["check"].stages[-1] == "stem"
        ),
        "cover the hottest third of the map": lambda done: math.isclose(COVERED_SHARE, 1 / 3),
        "one in three is wrong": lambda done: (
            0.2 < done["from_requests"].train.table["label_is_wrong"].mean() < 0.5
        ),
        "So the marker always agrees with the label": lambda done: (
            (done["marked"].table["marker"] == (done["marked"].table["label"] == done["cohort"].positive)).all()
        ),
        "these labels, too, are those of the request forms, and these images carry the marker": lambda done: (
            done["marked"].validation.table["label_is_wrong"].any() and done["marked"].validation.table["marker"].any()
        ),
        "we test on images whose labels are right, three times": lambda done: (
            list(done.value("planted_marker").table["name"])
            == ["marker as in training", "no marker", "marker on the other class"]
            and (done["as_trained"].table["label"].tolist() == done["held_out"].table["label"].tolist())
            and set(done["swapped"].table.loc[done["swapped"].table["marker"], "label"]) == {done["cohort"].classes[0]}
        ),
        "Here is an image of the other class that carries the marker, and two maps": lambda done: (
            done["misled"].label == done["cohort"].classes[0]
            and done["misled"].metadata["marker"]
            and len(panels(done.value("occlusion.show(grad_cam)"))) == 3
        ),
        "its peak (the ring)": lambda done: "ring" in panels(done.value("occlusion.show"))[1].get_title(),
        "Nine of ten radiographs": lambda done: done.run("fr.evaluate(predictions, prevalence=0.9)").prevalence == 0.9,
        'Raise it and fewer abdomens go astray, but more chests do': lambda done: (
            falls_or_stays(columns_of(done.value('lesson.step("threshold")'), "false alarms of 1,000"))
            and falls_or_stays(columns_of(done.value('lesson.step("threshold")'), "missed of 1,000")[::-1])
        ),
        "a simulated brain MR": lambda done: done["mine"].label == "brain MR",
        "the network still named one of its two classes": lambda done: (
            panels(done.value("lesson.own_case"))[0].get_title().split("?")[0] in done["cohort"].classes
        ),
        "data, network, curves, results with intervals beside the trivial rules, the hardest cases": lambda done: all(
            heading in done["report"].read_text(encoding="utf-8")
            for heading in ("Data<", "Network and training<", "Results<", "Beside trivial rules<", "The hardest cases")
        ),
    },
    "mednist": {
        "In the abdomen window they are well apart": lambda done: gray(done, "abdomen", 60) - gray(done, "abdomen", 40) >= 10,
        "In the bone window two or three gray levels are left between them": lambda done: (
            2 <= gray(done, "bone", 60) - gray(done, "bone", 40) <= 3
        ),
        "in the lung window four or so, both nearly white": lambda done: (
            3 <= gray(done, "lung", 60) - gray(done, "lung", 40) <= 5 and gray(done, "lung", 40) > 230
        ),
        "Each row is a window with its center and width": lambda done: all(
            re.search(r"\(center -?\d+, width \d+\)", row) for row in done.value("window_table").index
        ),
        'there are also "liver", "stroke" and "mediastinum"': lambda _: {"liver", "stroke", "mediastinum"} <= set(CT_WINDOWS),
        "64 images at a time, a batch, each 64 x 64 pixels": lambda done: (
            (done["lesson"].recipe["batch_size"], done["lesson"].recipe["size"]) == (64, 64)
            and panels(done.value("show_batch"))[0].images[0].get_array().shape == (64, 64)
        ),
        "epochs=1 means: every training image once": lambda done: done["run"].settings[0]["epochs"] == 1,
        "Rows are the truth, columns the network's answer": lambda done: (
            (done.value(".confusion").index.name, done.value(".confusion").columns.name) == ("truth", "answer")
        ),
        "This network began with random weights": lambda done: "random" in repr(done["model"]),
        "a smaller network whose weights have seen phantom patients": lambda done: (
            sum(one.numel() for one in done["transferred"].parameters())
            < sum(one.numel() for one in done["model"].parameters())
        ),
        "the history grows": lambda done: done["run"].epochs == 6,
        "the trivial rules in the same table": lambda done: len(done["evaluation"].comparison) > 3,
        "the held-out cases whose true class got the lowest score": lambda done: (
            list(done["hardest"].table["case"]) == list(done["predictions"].hardest(8)["case"])
        ),
        '"nearest training image"': lambda done: any(
            "nearest training image" in rule for rule in done.value("check_data").shortcuts["rule"]
        ),
        "Where nobody knows the patients, it compares both kinds of split": lambda done: (
            bool(done["cohort"].table["patient"].isna().all())
            == any("split by runs of file numbers" in one.text for one in done.value("check_data").findings)
        ),
    },
}
CLAIMS["dicom"] = {
    "Where a line is set in from the left, it stands in a sequence": lambda done: (
        max(line.depth for line in done.value('lesson.step("header")').lines) >= 4
    ),
    "turn them back into Hounsfield units": lambda done: all(
        float(row.value) == row.stored - 1024 and row.unit == "HU"
        for row in done.value("image.values").itertuples()
    ),
    "Here are the lines of the header that are no numbers": lambda done: (
        {"PatientName", "StudyDate", "SeriesDescription"} <= {line.keyword for line in done["by_hand"].lines}
        and not {"KVP", "Rows", "PixelSpacing"} & {line.keyword for line in done["by_hand"].lines}
    ),
    "nobody gets all of them by hand": lambda done: done["by_hand"].search().counts["identity"] > 0,
    "in the name of the file and its folder": lambda done: "name of the file" in places(done),
    "in sequences within sequences": lambda done: any(place.count(" > ") >= 2 for place in places(done)),
    "in private elements": lambda done: any(int(place[4], 16) % 2 for place in places(done) if place.startswith("(")),
    "in free text among words that you want to keep": lambda done: any(
        "post op" in trace.text for trace in done["by_hand"].search().traces
    ),
    "in front of the header and behind its end": lambda done: {"before the header", "(FFFC,FFFC)"} <= places(done),
    "this one is a line of text": lambda done: done["by_hand"].search().counts["drawing"] == 1,
    "has more than 600 lines": lambda _: len(annex_rows()) > 600,
    "the name and the date are cut out, the clinical words have stayed": lambda done: (
        [line.by_rules for line in done.value("by_hand.compare()") if line.name == "Series Description"] == ["CT post op"]
    ),
    "two files that belonged together still do": lambda done: (
        len({str(one.StudyInstanceUID) for one in written(done["shared"])}) == 1 and len(written(done["shared"])) == 12
    ),
    "Some files did not come out at all": lambda done: len(done["shared"].held) == 4,
    "The run above forgot its key": lambda done: done["shared"].anonymous and not done["first"].anonymous,
    "Same key, same pseudonym": lambda done: (
        done.value("compare_pseudonyms").loc["PatientID", "with a key"]
        == done.value("compare_pseudonyms").loc["PatientID", "same key"]
        != done.value("compare_pseudonyms").loc["PatientID", "anonymous"]
    ),
    "the days of a patient all move by one secret number": lambda done: (
        len({str(one.StudyDate) for one in written(done["first"])}) == 1
        and str(written(done["first"])[0].StudyDate) != "20240314"
    ),
}

CLAIMS["archive"] = {
    "each patient has a pseudonym": lambda done: all(re.fullmatch(r"P[0-9A-Z]{7}", one) for one in done["pile"].patients),
    "Each picture is one series": lambda done: len(done["twelve"]) == 12,
    "Of the same images twice, mark both": lambda done: (
        [one.label for one in done["twelve"].cases].count("here twice") == 2
    ),
    "so that you meet each of them": lambda done: (
        {one.label for one in done["twelve"].cases} == set(done["twelve"].classes)
    ),
    "1 fine, 2 slices missing, 3 liver cut off, 4 too noisy, 5 not venous, 6 no abdomen, 7 localizer, 8 here twice": (
        lambda done: ", ".join(f"{number} {name}" for number, name in enumerate(done["twelve"].classes, start=1))
        == "1 fine, 2 slices missing, 3 liver cut off, 4 too noisy, 5 not venous, 6 no abdomen, 7 localizer, 8 here twice"
    ),
    "Now firstread looks at all series": lambda done: len(done["curation"].table) == len(done["pile"]) == 60,
    "It names its evidence": lambda done: all(
        row.evidence for row in done["curation"].table.itertuples() if row.found != "fine"
    ),
    "Nothing is deleted": lambda done: all(path.is_file() for one in done["pile"].series for path in one.files),
    "Each block is a criterion": lambda done: len(done["eligibility"].names) == 4,
    "The order of the file is the order of the flow diagram": lambda done: (
        [name for name in done["planned"].counts if name in done["eligibility"].names] == list(done["eligibility"].names)
    ),
    "A star marks a cell of fewer than five people": lambda _: SMALL_CELL == 5,
    "how many of those who are in have no metastasis at all": lambda done: (
        done["planned"].table_one.rows.set_index("value").loc["no metastasis", "included"] == "0 (0%)"
    ),
    "of whom the question cannot be answered": lambda done: (
        "Large enough: cannot be answered" in done["mine"].apply(done["curation"]).counts
    ),
    "What you changed is marked in mine": lambda done: "<mark>where" in done["mine"]._repr_html_(),
    "Every criterion needs something that not everybody had": lambda done: (
        {criterion.needs for criterion in done["eligibility"].eligibility.criteria} == {"imaging", "clinical", "pathology"}
    ),
    "Who cannot be answered for is counted in a row of the flow": lambda done: any(
        name.endswith("cannot be answered") for name in done["planned"].counts
    ),
    "here are liver slices of 60 patients of the same department": lambda done: (
        done["versions"]["as it lies"].table["patient"].nunique() == 60
    ),
    "smaller lesions than 25 mm left out": lambda done: (
        set(done["versions"]["large lesions only"].table["lesion_mm"].between(0.01, 24.99)) == {False}
    ),
    "The clean test set is of 60 other patients": lambda done: (
        done["versions"].clean.table["patient"].nunique() == 60
        and not set(done["versions"].clean.table["patient"]) & set(done["versions"]["as it lies"].table["patient"])
    ),
    "divided image by image": lambda done: bool(
        set(done["pile_images"].train.table["patient"]) & set(done["pile_images"].test.table["patient"])
    ),
    "curated: without these; divided by patient": lambda done: not (
        set(done["versions"]["curated"].train.table["patient"]) & set(done["versions"]["curated"].test.table["patient"])
    ),
    "a quarter of the images that was kept aside": lambda done: (
        math.isclose(len(done["pile_images"].test) / len(done["pile_images"]), 0.25, abs_tol=0.01)
    ),
    "the line nearest training image among the trivial rules": lambda done: any(
        "nearest training image" in name for name in done["own"].comparison["name"]
    ),
    "| as it lies | 0.85 | 0.75 | 12 of 12 | | curated | 0.74 | 0.73 | 7 of 12 | | large lesions only | 0.83 | 0.75 | 12 of 12 |": (
        lambda _: [
            (name, *(f"{measured(name, f'{test} test'):.2f}" for test in ("own", "clean")), row["own above clean"])
            for name, row in newest("dataset-versions").items()
        ]
        == [
            ("as it lies", "0.85", "0.75", "12 of 12"),
            ("curated", "0.74", "0.73", "7 of 12"),
            ("large lesions only", "0.83", "0.75", "12 of 12"),
        ]
    ),
    "for lesions under 15 mm the third network reaches 0.66": lambda _: (
        f"{measured('large lesions only', 'clean test, lesions under 15 mm'):.2f}" == "0.66"
    ),
    "how far does the clean test (blue) lie below its own (orange)": lambda done: (
        done["results"].rows[0].auc("clean").value < done["results"].rows[0].auc("own").value
    ),
}


def newest(benchmark):
    """The newest result of a benchmark that is kept."""
    files = sorted((Path(__file__).parents[2] / "benchmarks" / "results").glob("*.json"), reverse=True)
    kept = (json.loads(file.read_text(encoding="utf-8")) for file in files)
    return next(results[benchmark] for results in kept if benchmark in results and not results.get("quick"))


def measured(data_set, column):
    return float(newest("dataset-versions")[data_set][column].split()[0])


def places(done):
    return {trace.place for trace in done["by_hand"].search().traces}


def written(result):
    from firstread.deidentification.identity_index import readable_datasets

    return [dataset for _, dataset in readable_datasets(sorted(result.folder.rglob("*.dcm")))]


#: claims on published data alone: lesson -> data -> {fragment: what must be so}
PUBLISHED_CLAIMS = {
    "mednist": {
        "a random split gives this reader far more than a split by runs of file numbers": lambda done: any(
            one.severity == "problem" and "runs of file numbers" in one.text for one in done.value("check_data").findings
        ),
        "one border pixel almost separates abdominal from chest CT": lambda done: any(
            "One pixel at the border" in one.text and "abdominal CT" in one.text and "chest CT" in one.text
            for one in done.value("check_data").findings
        ),
    }
}
#: first words of a text after an output -> why it needs no claim
WITHOUT_CLAIM = {
    "hello-world": {
        "1. Hello, World!": "nothing was shown yet",
        "Now the library.": "says what a line of code does",
        "2. Look at the images": "defines words",
        "Are there no buttons": "says what to do",
        "Type your group": "says what to type",
        "This cell checks": "says what the next cell does",
        "A flipped chest": "medicine",
        "5. Train the last layers": "defines words",
        "Read the curves": "says how to read, and to look",
        "A score of 0.9": "is so of every network",
        "And you?": "asks",
        "9. Compare the groups": "says where results stand",
        "You can also train all four": "says what the next cell does",
        "Look at how far the intervals": "says to look",
        "11. Which rule": "says what a check looks for",
        "Which of the two": "measured by benchmarks/marker.py, docs/explanation/measured.md",
    },
    "mednist": {
        "1. Six kinds of images": "says why",
        "2. From 16 bits to 8": "CT as it is",
        "Which learning rate?": "says how to read a figure",
        "4. One cycle": "says what a learning rate is",
        "6. When to quit": "defines words",
    },
}
WITHOUT_CLAIM["dicom"] = {
    "1. A visit on disk": "says why",
    "Look whether you can find": "says to look",
    "2. The header": "defines words",
    "Type a word": "says what to type",
    "Each row is a point": "says how to read a table",
    "4. You, by hand": "says what to do",
    "What would I do with this": "advice",
}
WITHOUT_CLAIM["archive"] = {
    "Could you choose": "asks",
    "Look whether it missed": "says to look",
    "Where you and the program disagree": "says what to do",
    "7. The pile as it lies": "says what the next cell does",
    "8. The same test": "says what the next cell does",
    "9. Sealed": "advice",
    "What would I do with this": "advice",
}
DATA = {
    "hello-world": ("hello-world", "hello-world/openi"),
    "mednist": ("mednist", "mednist/rsna"),
    "dicom": ("dicom-patient",),
    "archive": ("archive-pile",),
}
#: suggestions at the end that must end in an error
BROKEN = {"hello-world": 3, "mednist": 1, "dicom": 0, "archive": 2}
RUNS = [(name, data) for name, sets in DATA.items() for data in sets]


@pytest.mark.parametrize("name", CLAIMS)
def test_each_claim_stands_in_the_text_once(name):
    text = text_of(find_lesson(name))
    fragments = [*CLAIMS[name], *PUBLISHED_CLAIMS.get(name, {})]
    assert [fragment for fragment in fragments if text.count(fragment) != 1] == []


@pytest.mark.parametrize("name", CLAIMS)
def test_each_text_after_an_output_has_a_claim_or_a_reason(name):
    cells = find_lesson(name).notebook().cells
    pairs = zip(cells, cells[1:], strict=False)
    texts = [plain(text.source) for code, text in pairs if (code.cell_type, text.cell_type) == ("code", "markdown")]
    fragments = [*CLAIMS[name], *PUBLISHED_CLAIMS.get(name, {})]
    reasons = WITHOUT_CLAIM[name]
    untold = [
        text[:60]
        for text in texts
        if not any(fragment in text for fragment in fragments) and not any(text.startswith(first) for first in reasons)
    ]
    assert [text for text in untold if not text.startswith("Further.")] == []


@pytest.fixture(scope="module", params=RUNS, ids=lambda run: run[1])
def done(request, tmp_path_factory, firstread_home):
    """A lesson that was run to its end on one of its data sets."""
    name, data = request.param
    if "/" in data:
        mirror = request.getfixturevalue("shared_data")
        patch = pytest.MonkeyPatch()
        patch.setenv("FIRSTREAD_DATA_MIRROR", str(mirror))
        request.addfinalizer(patch.undo)
    executed = execute(find_lesson(name), data=data, folder=tmp_path_factory.mktemp(name))
    executed.data = data
    return executed


@pytest.mark.slow
class TestOnAllData:
    def test_what_the_text_says_is_so(self, done):
        claims = dict(CLAIMS[done.info.name])
        if "/" in done.data:
            claims |= PUBLISHED_CLAIMS.get(done.info.name, {})
        assert [fragment for fragment, is_so in claims.items() if not is_so(done)] == []

    def test_what_is_measured_on_the_validation_images_is_said(self, done):
        """Where the test set is too small, the lesson and the report say that something else is measured."""
        if done.info.is_on_dicom or done.info.is_on_archive:
            assert "held_out" not in done.names, "nothing is measured, or on a test set of its own"
            return
        said = done.printed("lesson.held_out(cohort)")
        splits = set(done["held_out"].table["split"])
        report = done["report"].read_text(encoding="utf-8")
        if splits == {"test"}:
            assert "The network has never met them" in said
        else:
            assert splits == {"validation"}
            for text in (said, report):
                assert "too few to measure anything" in text
                assert "validation images instead" in text

    def test_what_is_to_be_broken_breaks_with_a_sentence(self, done):
        """The suggestions at the end of the lesson, as they stand there."""
        last = done.info.notebook().cells[-1].source
        pieces = [code for code in re.findall(r"`([^`]*)`", last) if "(" in code and "my_folder" not in code]
        assert len(pieces) >= 3
        broken = 0
        for code in pieces:
            try:
                done.run(code)
            except Exception as error:
                broken += 1
                lines = explain_error(error, namespace={}, cells={})
                assert isinstance(error, FirstreadError | SyntaxError), code
                assert lines
                assert "What to do" in " ".join(lines) or "Expected" in " ".join(lines) or "Did you mean" in lines[0], lines
        assert broken >= BROKEN[done.info.name]


def test_the_interval_of_ten_of_ten():
    question = find_lesson("hello-world").questions()["interval"]
    assert "72 %" in question["because"]
    assert round(100 * wilson_low(10, 10)) == 72
