"""Pseudonyms: stable on one computer, different on others, not reversible by hashing every number."""

import hashlib

from firstread.dicom.pseudonyms import make_pseudonym


def test_the_same_here_another_elsewhere(tmp_path, monkeypatch):
    here = make_pseudonym("77")
    assert here == make_pseudonym("77")
    assert here != make_pseudonym("78")
    assert "77" not in here.removeprefix("P") or len(here) == 13
    monkeypatch.setenv("FIRSTREAD_HOME", str(tmp_path))
    assert make_pseudonym("77") != here
    assert (tmp_path / "pseudonym.key").stat().st_mode & 0o077 == 0


def test_hashing_every_number_does_not_find_the_patient():
    assert make_pseudonym("77")[1:] not in {
        hashlib.sha256(str(number).encode()).hexdigest()[:12] for number in range(100)
    }
