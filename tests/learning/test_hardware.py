"""What the computer can do: measured once, kept, and never a reason to fail."""

import json

import pytest
import torch

from firstread.learning import hardware
from firstread.learning.devices import choose_device, choose_placement, limit_cpu_threads
from firstread.learning.hardware import Hardware, available_cores, this_hardware


@pytest.fixture(autouse=True)
def _own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("FIRSTREAD_HOME", str(tmp_path / "home"))


def test_it_is_measured_once_and_kept(tmp_path, monkeypatch):
    first = this_hardware()
    assert first.seconds_float32 > 0
    monkeypatch.setattr(hardware, "_time_training_step", lambda dtype: pytest.fail("measured again"))
    assert this_hardware() == first
    assert json.loads((tmp_path / "home" / "machine.json").read_text())["cores"] == available_cores()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"processor": 1}', '{"cores": 2, "more": 1}'])
def test_what_was_kept_and_is_broken_is_measured_again(tmp_path, monkeypatch, text):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "machine.json").write_text(text)
    monkeypatch.setattr(hardware, "_time_training_step", lambda dtype: 1.0)
    assert this_hardware().seconds_float32 == 1.0


def test_figures_of_another_computer_are_not_used(tmp_path, monkeypatch):
    monkeypatch.setattr(hardware, "_time_training_step", lambda dtype: 1.0)
    this_hardware()
    monkeypatch.setattr(hardware, "_processor_name", lambda: "another one")
    monkeypatch.setattr(hardware, "_time_training_step", lambda dtype: 2.0)
    assert this_hardware().seconds_float32 == 2.0


def test_a_home_that_cannot_be_written_stops_nobody(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("FIRSTREAD_HOME", str(tmp_path / "file"))
    monkeypatch.setattr(hardware, "_time_training_step", lambda dtype: 1.0)
    assert this_hardware().seconds_float32 == 1.0


@pytest.mark.parametrize(
    ("bfloat16_hardware", "seconds", "precision"),
    [(True, 0.5, "bfloat16"), (True, 0.95, "float32"), (True, 2.0, "float32"), (False, None, "float32")],
)
def test_bfloat16_only_where_it_pays(bfloat16_hardware, seconds, precision):
    assert Hardware("p", 2, bfloat16_hardware, 1.0, seconds).precision == precision


def test_without_hardware_bfloat16_is_not_even_tried(monkeypatch):
    monkeypatch.setattr(hardware, "has_bfloat16", lambda: False)
    monkeypatch.setattr(
        hardware,
        "_time_training_step",
        lambda dtype: 1.0 if dtype is None else pytest.fail("emulated bfloat16 is slow"),
    )
    assert this_hardware().precision == "float32"


@pytest.mark.parametrize(
    ("text", "cores"), [("150000 100000", 2), ("50000 100000", 1), ("max 100000", None), ("", None)]
)
def test_a_containers_limit_counts(tmp_path, text, cores):
    (tmp_path / "cpu.max").write_text(text)
    assert hardware._cgroup_cpu_limit(tmp_path / "cpu.max") == cores
    assert hardware._cgroup_cpu_limit(tmp_path / "none") is None


def test_precision_is_taken_from_the_machine(monkeypatch):
    for seconds, precision in ((0.4, "bfloat16"), (None, "float32")):
        monkeypatch.setattr(
            "firstread.learning.devices.this_hardware", lambda s=seconds: Hardware("p", 2, True, 1.0, s)
        )
        assert choose_placement(device="cpu").precision == precision
    assert choose_placement(device="cpu", precision="float32").precision == "float32"


def test_threads_are_held_within_the_limit_and_given_back(monkeypatch):
    before = torch.get_num_threads()
    monkeypatch.setattr("firstread.learning.devices.available_cores", lambda: 1)
    with limit_cpu_threads():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before


def test_auto_takes_what_is_there():
    expected = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    assert choose_device() == expected
