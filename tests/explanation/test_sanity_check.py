"""Only a map of a network that has learnt something is said to depend on what was learnt."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from firstread.core.errors import SettingError
from firstread.core.splits import split_by_patient
from firstread.explanation.sanity_check import sanity_check
from firstread.learning.models import build_model
from firstread.learning.training import train
from firstread.phantoms.patients import simulate_patients


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    kinds = ("chest radiograph", "abdomen radiograph")
    folder = tmp_path_factory.mktemp("phantoms")
    return split_by_patient(simulate_patients(16, kinds=kinds, size=96, seed=3, folder=folder), seed=0)


@pytest.fixture(scope="module")
def trained(cohort):
    model = build_model(classes=cohort.classes, size=96)
    run = train(model, cohort, epochs=4, freeze=True, schedule="one-cycle", learning_rate=3e-3, quiet=True)
    train(model, cohort, epochs=8, resume=run, schedule="one-cycle", learning_rate=3e-3, quiet=True)
    return model.eval()


@pytest.mark.parametrize("backbone", [None, "resnet18"])
@pytest.mark.parametrize("fitted", [True, False])
def test_an_untrained_network_never_gets_the_sentence_of_a_trained_one(cohort, backbone, fitted):
    images = cohort.images(64, channels=1)
    for seed in range(4):
        model = build_model(backbone, classes=cohort.classes, size=64, weights="none", seed=seed)
        if fitted:
            model.fit_normalization(images)
        check = sanity_check(model.eval(), cohort[seed], networks=3)
        assert check.verdict != "learnt"
        assert "depends on what was learnt:" not in str(check)


def test_a_trained_network_usually_gets_it(cohort, trained):
    checks = [sanity_check(trained, case) for case in list(cohort)[::4]]
    assert sum(check.verdict == "learnt" for check in checks) > len(checks) / 2
    said = str(next(check for check in checks if check.verdict == "learnt"))
    assert said.startswith("This map depends on what was learnt: networks with random weights draw another one (rank")


def test_the_table_and_the_figure_show_the_cascade(cohort, trained):
    check = sanity_check(trained, cohort[0], networks=3)
    assert check.stages[0] == "head"
    assert check.correlations.shape == (3, len(check.stages))
    assert check.maps.shape == (len(check.stages), 96, 96)
    assert list(check.table["random from the top to"]) == list(check.stages)
    titles = [axes.get_title() for axes in check.figure().axes]
    assert len(titles) == 1 + len(check.stages)
    assert f"{check.correlations[0, 0]:.2f}" in titles[1]


def test_blank_maps_are_counted_and_no_proof(cohort, trained):
    check = sanity_check(trained, cohort[0], networks=3)
    check = replace(check, correlations=check.correlations[:2], drawn=10, blank=8)
    assert check.verdict == "unclear"
    assert "cannot be told: 8 of 10 networks with random weights drew a blank map" in str(check)


def test_a_map_that_does_not_change_is_not_to_be_trusted(cohort, trained):
    check = sanity_check(trained, cohort[0], networks=3)
    check = replace(check, correlations=np.full_like(check.correlations, 0.9))
    assert check.verdict == "same"
    assert str(check).startswith("Do not trust this map")


def test_a_blank_map_has_nothing_to_check(cohort):
    model = build_model("resnet18", classes=cohort.classes, size=64)
    with torch.no_grad():
        model.head[-1].weight.zero_()
    check = sanity_check(model, cohort[0])
    assert check.verdict == "blank"
    assert "This map is blank" in str(check)
    assert len(check.table) == len(check.stages)
    assert check.figure().axes


@pytest.mark.parametrize("classes", [("a", "b"), ("a", "b", "c")])
def test_occlusion_is_checked_too_and_the_network_is_left_as_it_was(cohort, classes):
    model = build_model("resnet18", classes=classes, size=32)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    check = sanity_check(model, cohort[0], method="occlusion", networks=3)
    assert check.explanation.method == "occlusion"
    assert all(torch.equal(v, model.state_dict()[k]) for k, v in before.items())


def test_too_few_networks_are_refused(cohort, trained):
    with pytest.raises(SettingError, match="networks=2 is not possible"):
        sanity_check(trained, cohort[0], networks=2)
