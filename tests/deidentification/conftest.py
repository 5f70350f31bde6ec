"""Fixtures of the tests of de-identification."""

import pytest

from firstread.deidentification.text_detector import use_detector

from .drawn_images import Blind


@pytest.fixture(autouse=True)
def _blind_detector(request):
    """Most tests are about rules, so no network runs for them; those that ask for `real_detector` use it."""
    if "real_detector" in request.fixturenames:
        yield
        return
    with use_detector(Blind()):
        yield


@pytest.fixture
def real_detector():
    """The detector and the models of rapidocr."""
    pytest.importorskip("rapidocr")
    from firstread.deidentification.text_detector import load_text_detector

    return load_text_detector()
