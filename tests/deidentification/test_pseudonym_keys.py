"""Pseudonyms, UIDs and shifts: the same in every process, different under another secret, never the original."""

import re
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstread.core.errors import SettingError
from firstread.deidentification import PseudonymKeys

from .identified_files import KEYS


@given(st.text())
def test_forms(identifier):
    assert re.fullmatch("P[0-9A-HJKMNP-TV-Z]{16}", KEYS.patient(identifier))
    assert -3650 <= KEYS.shift_days(identifier) <= -1
    uid = KEYS.uid(identifier)
    assert len(uid) <= 44
    number = int(uid.removeprefix("2.25."))
    assert (number >> 76 & 0xF, number >> 62 & 0x3) == (8, 2)  # UUID of version 8, variant of RFC 9562


def test_the_same_in_another_process():
    code = (
        "from firstread.deidentification import PseudonymKeys\n"
        "keys = PseudonymKeys.from_secret(bytes(range(32)))\n"
        "print(keys.patient('A|1'), keys.uid('1.2.3'), keys.shift_days('A|1'))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert out == [KEYS.patient("A|1"), KEYS.uid("1.2.3"), str(KEYS.shift_days("A|1"))]


def test_another_secret_gives_other_values_and_none_is_shown():
    other = PseudonymKeys.from_secret(bytes(32))
    assert other.patient("A") != KEYS.patient("A")
    assert other.uid("1.2") != KEYS.uid("1.2")
    assert repr(other) == "PseudonymKeys(anonymous=False)"


def test_a_short_secret_is_refused():
    with pytest.raises(SettingError, match="too short"):
        PseudonymKeys.from_secret(b"password")


def test_forgotten_keys_are_of_this_run_only():
    assert PseudonymKeys.forgotten().patient("A") != PseudonymKeys.forgotten().patient("A")
    assert PseudonymKeys.forgotten().anonymous
