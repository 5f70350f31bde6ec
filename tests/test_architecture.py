"""Architecture: public names exist and are documented, importing the package and core stays light."""

import subprocess
import sys

import pytest

import firstread


@pytest.mark.parametrize("name", firstread.__all__)
def test_every_public_name_exists_and_is_documented(name):
    value = getattr(firstread, name)
    assert name == "__version__" or (value.__doc__ or "").strip()


def test_a_name_with_a_typo_gets_a_suggestion():
    with pytest.raises(AttributeError, match='Did you mean "open_dataset"'):
        firstread.opn_dataset  # noqa: B018


def test_importing_firstread_is_light():
    code = "import sys, firstread; print([m for m in ('torch', 'pandas', 'numpy', 'matplotlib') if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_importing_firstread_and_its_core_brings_nothing_heavy():
    code = (
        "import sys, firstread, firstread.core.cohort, firstread.core.predictions\n"
        "import firstread.core.run, firstread.core.report\n"
        "sys.exit(len({'torch', 'pandas', 'matplotlib', 'sklearn', 'pydicom', 'scipy'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_tables_are_evaluated_without_torch():
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "import firstread as fr; fr.evaluate; fr.check_data; fr.open_dataset; fr.simulate_patients; fr.read_dicom\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
