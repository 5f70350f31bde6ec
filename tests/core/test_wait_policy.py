"""Waiting threads sleep, unless the user has decided otherwise or it is too late."""

import os
import subprocess
import sys

import pytest

from firstread.core.wait_policy import let_threads_sleep

PRINT_POLICY = "import os; print(os.environ.get('OMP_WAIT_POLICY'))"


def run(code, **variables):
    names = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")
    environment = {name: value for name, value in os.environ.items() if name not in names} | variables
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_importing_firstread_first_is_enough():
    assert run(f"import firstread; {PRINT_POLICY}") == "PASSIVE"


def test_programs_that_are_started_inherit_it():
    code = f"import subprocess, sys, firstread; subprocess.run([sys.executable, '-c', {PRINT_POLICY!r}])"
    assert run(code) == "PASSIVE"


def test_the_users_own_choice_stands():
    assert run(f"import firstread; {PRINT_POLICY}", OMP_WAIT_POLICY="ACTIVE") == "ACTIVE"
    for name in ("GOMP_SPINCOUNT", "KMP_BLOCKTIME"):
        assert run(f"import firstread; {PRINT_POLICY}", **{name: "5"}) == "None"


def test_nothing_is_pretended_when_pytorch_is_loaded_already():
    environment = {}
    assert not let_threads_sleep(environment, loaded={"torch": object()})
    assert environment == {}


@pytest.mark.parametrize("name", ["OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME"])
def test_even_an_empty_choice_is_a_choice(name):
    environment = {name: ""}
    assert not let_threads_sleep(environment, loaded={})
    assert environment == {name: ""}
