"""Determinism: the same seed gives the same bytes in every process and with any number of threads,
and the same numbers to 1e-6 on every machine."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import small_results

HERE = Path(__file__).resolve().parent
REFERENCE = json.loads((HERE / "reference" / "small_results.json").read_text(encoding="utf-8"))
THOROUGH = pytest.mark.skipif(
    "THOROUGH" not in os.environ, reason="compiles all kernels anew: `make reliability`"
)


@pytest.fixture(scope="module")
def here():
    return small_results.everything()


def elsewhere(**environment):
    """The results of a process of its own, as the text it prints."""
    done = subprocess.run(
        [sys.executable, str(HERE / "support" / "small_results.py")],
        capture_output=True, text=True, timeout=500, check=True,
        env={**os.environ, **environment},
    )  # fmt: skip
    return done.stdout


def check_close(found, wanted):
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        mine, theirs = (_flat(one) for one in (found[name], value))
        np.testing.assert_allclose(mine, theirs, rtol=1e-6, atol=1e-6, err_msg=name)


def _flat(value):
    if isinstance(value, list):
        return [number for one in value for number in _flat(one)]
    return [value]


@pytest.mark.parametrize("name", REFERENCE)
def test_results_are_those_of_other_machines(here, name):
    check_close({name: here[name]}, {name: REFERENCE[name]})


def test_another_process_with_more_threads_gives_the_same_bytes(here):
    text = elsewhere(NUMBA_NUM_THREADS="2", PYTHONHASHSEED="7", OMP_NUM_THREADS="1")
    assert text == json.dumps(here, indent=1) + "\n"


@THOROUGH
def test_a_plainer_processor_gives_the_same_numbers(tmp_path):
    text = elsewhere(
        NUMBA_CPU_NAME="generic", NUMBA_CPU_FEATURES="", NUMBA_CACHE_DIR=str(tmp_path),
        OPENBLAS_CORETYPE="Nehalem", NPY_DISABLE_CPU_FEATURES="AVX512F AVX512CD AVX512_SKX",
        NUMBA_NUM_THREADS="1",
    )  # fmt: skip
    check_close(json.loads(text), REFERENCE)
