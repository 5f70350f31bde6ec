"""What is left out: faults at their narrowest place, the narrowest decision, and a reason for each."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstread.curation.curation_schemas import FAULT_KINDS, make_fault
from firstread.project.curation_decisions import CurationDecision, CurationDecisions
from firstread.project.curation_exclusions import Exclusions, StackPlace, decided_faults, excluded_rows, fault_place

PLACE = StackPlace("2.25.1", 0, "2.25.9", "P1", "original")
OTHER = StackPlace("2.25.1", 1, "2.25.9", "P1", "original")
WHERE = {"patient": "P1", "study": "2.25.9", "series": "2.25.1", "stack": 0}


def decision(verb, target):
    return CurationDecision(verb, target, "because", "me", "now")


def fault(kind="missing_slices", **where):
    return make_fault(kind, evidence="seen", confidence=0.9, **where)


@pytest.mark.parametrize(
    ("where", "place", "touches"),
    [
        (WHERE, "stack", {PLACE}),
        ({**WHERE, "stack": None}, "series", {PLACE, OTHER}),
        ({"study": "2.25.9", "patient": "P1"}, "study", {PLACE, OTHER}),
        ({"patient": "P1"}, "patient", {PLACE, OTHER}),
        ({**WHERE, "file": "a.dcm"}, "file", set()),
    ],
)
def test_a_fault_leaves_out_what_it_names_most_narrowly(where, place, touches):
    one = fault(**where)
    assert fault_place(one)[0] == place
    exclusions = Exclusions(CurationDecisions(), [one])
    assert {stack for stack in (PLACE, OTHER) if exclusions.decide(stack)[0]} == touches


@pytest.mark.parametrize("kind", FAULT_KINDS)
def test_only_faults_that_exclude_leave_out(kind):
    exclusions = Exclusions(CurationDecisions(), [fault(kind, **WHERE)])
    assert bool(exclusions.decide(PLACE)[0]) == (FAULT_KINDS[kind].action == "exclude")


@given(st.permutations(range(5)), st.lists(st.sampled_from(["put back", "exclude"]), min_size=5, max_size=5))
def test_the_narrowest_decision_counts_in_any_order(order, verbs):
    names = [name for name in PLACE.identifiers if name]
    decisions = CurationDecisions()
    for index in order:
        decisions = decisions.added(decision(verbs[index], names[index]))
    reason, found = Exclusions(decisions, [fault(**WHERE)]).decide(PLACE)
    assert found.target == PLACE.identifier
    assert bool(reason) == (verbs[0] == "exclude")


def test_a_kind_that_is_not_selected_is_a_reason_and_can_be_put_back():
    scout = StackPlace("2.25.3", 0, None, None, "localizer")
    rows = list(excluded_rows([scout], Exclusions(CurationDecisions(), [])))
    assert rows[0]["reason"] == "no original image (localizer)"
    put_back = CurationDecisions([decision("put back", scout.identifier)])
    assert Exclusions(put_back, []).decide(scout)[0] == ""
    assert next(excluded_rows([scout], Exclusions(put_back, [])))["decision"] == "put back"


def test_one_of_two_faults_put_back_leaves_the_other():
    first, second = fault(**WHERE), fault("noise", **WHERE)
    exclusions = Exclusions(CurationDecisions([decision("put back", first["id"])]), [first, second])
    assert "far noisier" in exclusions.decide(PLACE)[0]
    assert "missing" not in exclusions.decide(PLACE)[0]
    assert [row["excluded"] for row in decided_faults(exclusions)] == [False, True]


def test_what_cannot_be_read_stays_out_whatever_is_put_back():
    broken = fault("truncated_file", **{**WHERE, "file": "a.dcm"})
    exclusions = Exclusions(CurationDecisions([decision("put back", "P1")]), [broken])
    assert next(decided_faults(exclusions))["excluded"]
    assert next(excluded_rows([PLACE], exclusions))["id"] == broken["id"]


def test_a_series_without_stacks_is_listed():
    exclusions = Exclusions(CurationDecisions(), [fault("not_described", series="2.25.7")])
    row = next(excluded_rows([PLACE], exclusions))
    assert (row["what"], row["series"], row["can"]) == ("series", "2.25.7", None)
