"""Installation checks of `firstread doctor`."""

import json

from firstread.cli import doctor


def test_it_examines_everything():
    findings = doctor.diagnose()
    parts = {finding.part for finding in findings}
    assert {"python", "torch", "gpu", "jupyter", "disk", "network", "lessons", "data"} <= parts
    assert all(finding.do for finding in findings if finding.state == "problem")
    assert json.dumps(doctor.to_json(findings))


def test_torch_and_torchvision_that_do_not_belong_together():
    found = doctor.explain_torch_error(RuntimeError("operator torchvision::nms does not exist"))
    assert found.state == "problem"
    assert "do not belong together" in found.text
    assert "--force-reinstall torch torchvision" in found.do


def test_a_missing_cuda_library():
    assert "CUDA library" in doctor.explain_torch_error(OSError("libcudnn.so.9: cannot open shared object file")).text


def test_missing_parts_are_listed(monkeypatch):
    real = doctor.find_spec
    monkeypatch.setattr(
        doctor, "find_spec", lambda name: None if name in ("torch", "timm", "jupyterlab") else real(name)
    )
    findings = doctor.diagnose()
    assert any("not installed: torch, timm" in f.text and "pip install" in f.do for f in findings)
    assert any("not installed: jupyterlab" in f.text for f in findings)


def test_one_broken_part_does_not_hide_the_others(monkeypatch):
    def breaks():
        raise OSError("no")

    monkeypatch.setattr(doctor, "_check_disk", breaks)
    findings = doctor.diagnose()
    assert any("could not be examined" in f.text for f in findings)
    assert any(f.part == "python" for f in findings)
