"""Streams over workers of Dask: the numbers of one process, whoever is killed meanwhile."""

import os
import signal

import dask.array
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from distributed import Client
from fleets import fleet
from numpy.testing import assert_array_equal

from ordered_mix import Mixture, parameterization, stream
from ordered_mix.errors import RunError
from ordered_mix.estimators.em import EM
from ordered_mix.estimators.loop.stop import Stop
from ordered_mix.files import parts
from ordered_mix.stream import workers
from ordered_mix.stream.binned import binned

START = Mixture([[0.5, 0.5]], [[-1.0, 1.0]], [[1.0, 1.0]])
PASSES = 30


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    with (
        fleet(tmp_path_factory.mktemp("fleet"), workers=4) as (_, address),
        Client(address, timeout=60, set_as_default=False) as found,
    ):
        found.wait_for_workers(4, timeout=100)
        yield found


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.setattr(parts, "LEAST", 5_000)
    y = np.random.default_rng(0).standard_normal(40_000) + np.repeat([-1.5, 1.5], 20_000)
    pq.write_table(pa.table({"x": y}), tmp_path / "a.parquet", row_group_size=2_500)
    return tmp_path / "a.parquet"


def em(data, passes=PASSES):
    stop = Stop(log_likelihood=0, passes=passes)
    return EM(stop=stop).fit(parameterization("unordered", 2), data, START)


def same(one, other):
    assert_array_equal(one.log_likelihood, other.log_likelihood)
    for name in ("w", "mu", "sigma"):
        assert_array_equal(getattr(one.mixture, name), getattr(other.mixture, name))


def kill_one(client):
    """End the process of a worker that keeps a part."""
    pids = client.run(os.getpid)
    holders = [name for names in client.who_has().values() for name in names]
    os.kill(pids[holders[0]], signal.SIGKILL)


def test_four_workers_one_killed_give_the_numbers_of_one_process(client, path):
    alone = stream(f"{path}:x")
    expected = em(alone)
    over = stream(f"{path}:x", client=client)
    assert len(over.parts) == 8
    assert over.summary == alone.summary
    kept = {name for names in client.who_has().values() for name in names}
    assert len(kept) > 1
    em(over, passes=2)
    kill_one(client)
    same(em(over), expected)
    assert_array_equal(binned(over).data.weight, binned(alone).data.weight)


def test_parts_that_do_not_fit_are_read_again(client, path, monkeypatch):
    monkeypatch.setattr(workers, "SHARE", 0.0)
    over = stream(f"{path}:x", client=client)
    same(em(over, 3), em(stream(f"{path}:x"), 3))
    assert over.workers._placed == list(over.parts)


def test_a_dask_array_is_summed_where_it_is(client, path):
    y = np.concatenate([block.y for block in parts.parts_of(str(path), "x", "x")[0].blocks()])
    array = dask.array.from_array(y, chunks=1_000)
    same(em(stream(array, client=client), 3), em(stream(array), 3))


def test_what_is_wrong_with_a_file_is_said_from_afar(client, path):
    y = np.zeros(40_000)
    y[31_003] = np.nan
    pq.write_table(pa.table({"x": y}), path, row_group_size=2_500)
    with pytest.raises(ValueError, match=r"missing value in row group 12 of a\.parquet, row 1,004"):
        stream(f"{path}:x", client=client)
    with pytest.raises(ValueError, match="not at all, its columns are x"):
        stream(f"{path}:z", client=client)


def test_a_scheduler_that_is_lost_ends_in_one_sentence(path, tmp_path):
    with (
        fleet(tmp_path, workers=1) as (scheduler, address),
        Client(address, timeout=60, set_as_default=False) as client,
    ):
        data = stream(f"{path}:x", client=client)
        scheduler.kill()
        with pytest.raises(RunError, match="the Dask scheduler is lost"):
            em(data, 50)
