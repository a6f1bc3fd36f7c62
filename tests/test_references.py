"""The reference posteriors that are shipped: certified anew from their runs, and exported."""

import json
import runpy
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pandas as pd
import pytest
from inprocess import run_here
from scipy import stats

from ordered_mix.data import load
from ordered_mix.engine.run import load_study
from ordered_mix.mixture import Mixture
from ordered_mix.references.certificate import (
    Estimate,
    certificate,
    compare,
    estimates,
    of_chains,
    of_islands,
)
from ordered_mix.references.definition import FOLDER, Definition
from ordered_mix.references.exact import exact
from ordered_mix.references.export import export, stan_program
from ordered_mix.references.functionals import functionals
from ordered_mix.references.posteriors import definitions
from ordered_mix.references.reference import load_reference, names, read_draws, write_draws
from ordered_mix.references.writing import RUNS, write

HERE = Path(__file__).parent
CHAINS = 80
NAMES = names()
EACH = pytest.mark.parametrize("name", NAMES)


@pytest.fixture(scope="module")
def runs():
    return pd.read_parquet(FOLDER / RUNS)


def by_chain(values):
    """Draws are stored chain by chain."""
    return values.reshape(CHAINS, -1, *values.shape[1:]).mean(axis=1)


def test_every_definition_has_its_reference_and_all_are_small():
    assert set(NAMES) == set(definitions())
    files = [path for path in FOLDER.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 30_000_000


@EACH
def test_the_file_is_of_todays_definition(name):
    today, stored = definitions()[name], load_reference(name).definition
    assert json.dumps(stored.as_json()) == json.dumps(today.as_json())
    assert stored.prior == today.prior
    np.testing.assert_array_equal(stored.data.y, today.data.y)


@EACH
def test_the_certificate_holds_computed_anew_from_the_runs(name, runs):
    found, rows = load_reference(name), runs[runs["posterior"] == name]
    assert rows.groupby("method")["run"].nunique().min() >= 5
    for method, own in rows.groupby("method"):
        seeds = own.groupby("run")["seed"].first().tolist()
        assert seeds == found.content["methods"][method]["seeds"] and len(set(seeds)) == len(seeds)
    again, stored = certificate(rows, exact(found.definition)), found.content["certificate"]
    assert again["holds"] and stored["holds"]
    assert again["compared"].keys() == stored["compared"].keys()
    for quantity, pairs in again["compared"].items():
        for pair, one in pairs.items():
            assert one["z"] == pytest.approx(stored["compared"][quantity][pair]["z"], abs=1e-4)


@EACH
def test_draws_have_the_stated_values(name):
    found = load_reference(name)
    draws = found.draws()
    assert draws.batch_shape == (10_000,)
    measured = functionals(found.definition, draws)
    for quantity, one in found.values.items():
        given = Estimate(one["value"], one["error"], np.inf if one["exact"] else CHAINS - 1.0)
        assert compare(of_chains(by_chain(measured[quantity])), given).agrees, quantity
        assert one["sd"] == pytest.approx(measured[quantity].std(), rel=1e-6)
        assert one["error"] < 0.1 * one["sd"], quantity


@EACH
def test_every_labelling_is_alike_and_sorted_ones_are_sorted(name):
    found = load_reference(name)
    along, ascending = (first_column(found.draws(labels)) for labels in ("symmetric", "sorted"))
    first = np.bincount(along.argmin(axis=-1), minlength=found.definition.k)
    assert stats.chisquare(first).pvalue > 1e-6
    assert np.all(np.diff(ascending, axis=-1) >= 0)


def first_column(draws):
    """Means of the components, in several dimensions those of the first column."""
    return draws.mu if draws.mu.ndim == 2 else draws.mu[..., 0]


def test_posteriordb_reference_of_low_dim_gauss_mix_is_reproduced():
    theirs = pd.read_csv(HERE / "reference" / "low_dim_gauss_mix_draws.csv.gz")
    ours = load_reference("low_dim_gauss_mix").draws("sorted")
    columns = {"mu1": ours.mu[:, 0], "mu2": ours.mu[:, 1], "sigma1": ours.sigma[:, 0],
               "sigma2": ours.sigma[:, 1], "w1": ours.w[:, 0]}  # fmt: skip
    for name, values in columns.items():
        other = theirs[name].to_numpy()
        for power in (1, 2):
            own = of_chains(by_chain((values - other.mean()) ** power))
            given = (other - other.mean()) ** power
            # its ESS is 9,500 at the least
            assert compare(
                own, Estimate(given.mean(), given.std() / np.sqrt(9500), 9499.0)
            ).agrees, (name, power)


@pytest.mark.parametrize("name", ["low_dim_gauss_mix_collapse", "normal_2"])
def test_posteriors_that_posteriordb_has_no_draws_of_are_given(name):
    found = load_reference(name)
    data = load(str(FOLDER / "data" / f"{name}.csv"))
    np.testing.assert_array_equal(found.data.y, data.y)
    assert found.content["certificate"]["holds"] and len(data.y) == 1000
    assert found.values["log_likelihood"]["exact"] == (name == "normal_2")


# --- a reference from nothing ---------------------------------------------------------------------


def test_a_reference_is_built_certified_and_read_again(tmp_path):
    study = load_study(str(FOLDER / "certify.py"))
    (tmp_path / "runs").mkdir()
    wanted = {"posterior": ["means_1_20"], "run": list(range(5))}
    result = run_here(study, tmp_path / "runs", "smoke", wanted)
    assert not len(result.failures)
    provenance = {"runs": [{"versions": {"python": "3"}}]}
    (tmp_path / "runs" / "provenance.json").write_text(json.dumps(provenance))
    assert write(result, definitions(), tmp_path) == ["means_1_20"]
    again, shipped = load_reference("means_1_20", tmp_path), load_reference("means_1_20")
    assert again.content["certificate"]["holds"]
    assert again.log_evidence == pytest.approx(shipped.log_evidence, abs=1e-9)
    assert again.score(again.draws()) < 0.1
    # a posterior with fewer runs than five is not written
    fewer = {name: rows[rows["run"] < 4] for name, rows in result.rows.items()}
    few = type(result)(study, result.path, fewer, ())
    assert write(few, definitions(), tmp_path) == []


def test_a_method_that_is_off_is_denied(runs):
    name = "few_points"
    rows = runs[runs["posterior"] == name].copy()
    assert certificate(rows, None)["holds"]
    error = estimates(rows)["mean"]["augmentation"].error
    rows.loc[rows["method"] == "augmentation", "mean"] += 12 * error
    assert not certificate(rows, None)["holds"]


def test_islands_count_by_their_evidence():
    rng = np.random.default_rng(3)
    values, logs = rng.normal(size=40), rng.normal(size=40)
    found = of_islands(values, logs)
    assert found.value == pytest.approx(np.average(values, weights=np.exp(logs)))
    alike = of_islands(values, np.zeros(40))
    assert alike == pytest.approx(of_chains(values))


def test_welch_is_that_of_scipy():
    rng = np.random.default_rng(4)
    one, other = rng.normal(size=12), rng.normal(1, 3, size=30)
    found = compare(of_chains(one), of_chains(other))
    assert found.p == pytest.approx(stats.ttest_ind(one, other, equal_var=False).pvalue)


@EACH
def test_quadrature_is_there_where_it_can_be(name):
    found = load_reference(name)
    one = found.definition
    possible = one.d == 1 and one.k == 2 and one.prior.known_sigma is not None
    assert found.content["evidence"]["exact"] == possible


# --- files ---------------------------------------------------------------------------------------


def test_draws_survive_their_file_but_for_single_precision(tmp_path):
    draws = load_reference("galaxies_4").draws()
    write_draws(tmp_path / "draws.parquet", draws, seed=1)
    again = read_draws(tmp_path / "draws.parquet").sorted()
    np.testing.assert_allclose(again.mu, draws.sorted().mu, rtol=1e-7)
    np.testing.assert_allclose(again.w, draws.sorted().w, rtol=1e-6)


@EACH
def test_export_has_the_format_of_posteriordb(name, tmp_path):
    found = load_reference(name)
    files = export(found, tmp_path)
    assert len(files) == 7 and all(file.is_file() for file in files)
    posterior = json.loads((tmp_path / "posteriors" / f"{name}.json").read_text())
    assert {"name", "keywords", "urls", "model_name", "data_name", "reference_posterior_name",
            "references", "dimensions", "added_date", "added_by"} == set(posterior)  # fmt: skip
    info = json.loads((tmp_path / f"reference_posteriors/draws/info/{name}.info.json").read_text())
    assert all(info["checks_made"].values())
    chains = unzipped(tmp_path / f"reference_posteriors/draws/draws/{name}.json.zip")
    wanted = [
        f"{key}[{','.join(str(i + 1) for i in at)}]"
        for key, shape in posterior["dimensions"].items()
        for at in np.ndindex(tuple(np.atleast_1d(shape)))
    ]
    assert len(chains) == 10 and list(chains[0]) == wanted
    assert info["diagnostics"]["diagnostic_information"]["names"] == wanted
    assert {len(values) for chain in chains for values in chain.values()} == {1000}
    data = unzipped(tmp_path / f"data/data/{name}.json.zip")
    assert data["N"] == len(data["y"]) == found.data.n
    program = (tmp_path / f"models/stan/{name}.stan").read_text()
    declared = program.partition("parameters {")[0]
    assert all(f" {key};" in declared for key in data), data.keys()
    assert program.count("{") == program.count("}")


def unzipped(path):
    with ZipFile(path) as archive:
        (inside,) = archive.namelist()
        return json.loads(archive.read(inside))


def test_the_program_has_the_prior():
    fixed, adaptive, half = (
        stan_program(definitions()[name].prior)
        for name in ("galaxies_3", "galaxies_3_adaptive", "low_dim_gauss_mix")
    )
    assert "inv_gamma_lpdf(square(sigma) | 2, square(scale))" in fixed and "rate" not in fixed
    assert "rate ~ inv_gamma(0.5, square(scale / 10))" in adaptive
    assert "sigma ~ normal(0, scale)" in half


def test_the_page_is_of_the_files():
    script = runpy.run_path(str(FOLDER / "page.py"))
    text = script["PAGE"].read_text(encoding="utf-8")
    table = pd.read_parquet(FOLDER / "table" / "tables" / "sampler_table.parquet")
    assert text == script["page"](text, table), "run `make samplers`"


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda path: load_reference("galaxy_4"), "did you mean 'galaxies_4'"),
        (lambda path: names(path), "folder must hold posteriors"),
        (lambda path: load_reference("few_points").draws("folded"), "labels must be one of"),
        (
            lambda path: load_reference("few_points").errors(Mixture([1.0], [0.0], [1.0])),
            "draws must have 2 components, they have 1",
        ),
    ],
)
def test_bad_input_is_named_in_one_sentence(call, words, tmp_path):
    with pytest.raises(ValueError, match=words) as refused:
        call(tmp_path)
    assert "\n" not in str(refused.value)


def test_a_definition_survives_its_json():
    for one in definitions().values():
        again = Definition.from_json(json.loads(json.dumps(one.as_json())))
        assert again.prior == one.prior and again.k == one.k and again.split == one.split
