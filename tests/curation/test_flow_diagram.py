"""The flow diagram: what it says, for whom, and that nothing in a name can break or run."""

import itertools
from xml.etree import ElementTree

import pyarrow as pa

from firstread.curation.flow_diagram import draw_flow, wrap
from firstread.curation.participant_flow import FLOW


def flow_of(*rows):
    base = {"unit": "patient", "needs": "", "undecided": 0}
    after = {"patients_after": 1, "studies_after": 2, "series_after": 3}
    return pa.Table.from_pylist([{"step": n, **base, **after, **row} for n, row in enumerate(rows)], FLOW)


ROWS = (
    {"criterion": "Assessed", "side": "start", "before": 1200, "left": 0, "after": 1200, "series_after": 9},
    {"criterion": "Venous CT", "side": "include", "before": 1200, "left": 1, "after": 1199, "series_after": 7},
    {"criterion": "Venous CT: cannot be answered", "side": "missing", "before": 1199, "left": 4, "after": 1195},
    {"criterion": "Children", "side": "exclude", "before": 1195, "left": 5, "after": 1190, "undecided": 2},
    {"criterion": "Included", "side": "included", "before": 1190, "left": 0, "after": 1190, "patients_after": 1190},
)


def texts(svg):
    return [node.text for node in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


def test_it_says_who_leaves_and_why():
    found = texts(draw_flow(flow_of(*ROWS), title="Liver", note="A note", partitions={"train": 900, "test": 290}))
    for line in (
        "1 patient excluded (2 series)",
        "Not met: Venous CT",
        "4 patients excluded (4 series)",
        "Children",
        "2 patients included without an answer",
        "1,195 patients",
        "1,190 patients, 2 studies, 3 series",
        "900 patients",
        "A note",
    ):
        assert line in found


def test_boxes_lie_one_below_the_other_within_the_drawing():
    root = ElementTree.fromstring(draw_flow(flow_of(*ROWS)))
    width, height = (float(value) for value in root.attrib["viewBox"].split()[2:])
    boxes = [node.attrib for node in root.iter("{http://www.w3.org/2000/svg}rect")][1:]
    edges = [(float(box["y"]), float(box["y"]) + float(box["height"])) for box in boxes]
    assert all(bottom < top for (_, bottom), (top, _) in itertools.pairwise(edges))
    assert all(float(box["x"]) + float(box["width"]) <= width for box in boxes)
    assert edges[-1][1] < height


def test_a_name_breaks_nothing():
    hostile = {
        "criterion": '</text><script>alert(1)</script>"\x00&',
        "side": "exclude",
        "before": 1,
        "left": 0,
        "after": 1,
    }
    svg = draw_flow(flow_of(ROWS[0], hostile, ROWS[-1]))
    assert "<script" not in svg
    assert any("script" in (text or "") for text in texts(svg))


def test_long_words_and_wide_letters_are_broken():
    assert len(wrap("門脈相の造影CTがある患者さん" * 2, 100)) > 3
    assert all(len(line) <= 14 for line in wrap("a" * 40, 100))
