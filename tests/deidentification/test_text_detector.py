"""The detector of the wheel: offline, one thread, silent, safe against pictures of any shape; and its replacement."""

import logging
import socket

import numpy as np
import pytest

from firstread.core.errors import MissingDependencyError
from firstread.deidentification import text_detector
from firstread.deidentification.text_detector import (
    RapidTextDetector,
    detector_megapixels,
    load_text_detector,
    use_detector,
)

from .drawn_images import Blind, noisy, with_line


def picture_of(text, **options):
    pixels, box = with_line(noisy(), text, **options)
    return np.repeat(pixels[..., None], 3, axis=-1), box


def test_it_finds_and_reads_a_line_without_a_network(real_detector, monkeypatch, capfd, caplog):
    def refuse(*arguments, **options):
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    detector = RapidTextDetector()
    picture, box = picture_of("HIDDEN, Harriet")
    with caplog.at_level(logging.DEBUG):
        (found,) = detector.find(picture)
        read = detector.read(picture[found.box.y0 : found.box.y1, found.box.x0 : found.box.x1])
        assert detector.find(np.zeros((64, 64, 3), np.uint8)) == ()
    y0, x0, y1, x1 = found.box
    assert (y0 <= box[0] + 2, x0 <= box[1] + 2, y1 >= box[2] - 2, x1 >= box[3] - 2) == (True,) * 4
    assert "HIDDEN" in read.text.upper()
    assert read.score > 0.8
    said = "".join(capfd.readouterr()) + caplog.text + repr(read)
    assert "hidden" not in said.lower()


def test_it_runs_on_one_thread(real_detector):
    real_detector.find(np.zeros((8, 8, 3), np.uint8))  # loads the network
    options = real_detector._engine.text_det.session.session.get_session_options()
    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (1, 1)


@pytest.mark.parametrize("shape", [(1, 1), (1, 3000), (3000, 1), (3, 2500), (80, 10), (90, 11), (8, 1), (2, 190)])
def test_pictures_of_any_shape_take_little_memory(real_detector, shape):
    """Enlarged until its shorter side has 736 pixels, a picture of one row would have millions of columns."""
    assert detector_megapixels(*shape) < 5
    picture = np.full((*shape, 3), 99, np.uint8)
    assert real_detector.find(picture) == ()
    assert isinstance(real_detector.read(picture).text, str)


def test_missing_models_are_not_downloaded(real_detector, monkeypatch):
    monkeypatch.setattr(text_detector, "_DETECTION_MODEL", "another.onnx")
    with pytest.raises(MissingDependencyError, match="nothing is downloaded"):
        RapidTextDetector()


def test_another_detector_takes_its_place_within_the_block():
    outer, inner = Blind(), Blind()
    with use_detector(outer):
        with use_detector(inner):
            assert load_text_detector() is inner
        assert load_text_detector() is outer
