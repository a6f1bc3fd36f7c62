"""The table of samplers: entered by one file, held to their budgets, the broken ones last."""

import re
import textwrap
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from inprocess import run_here
from scipy import stats

from ordered_mix.engine.run import load_study
from ordered_mix.mixture import Mixture
from ordered_mix.parameterization import catalog
from ordered_mix.references.cube import cube
from ordered_mix.references.definition import FOLDER
from ordered_mix.references.entrant import Budget, Clock, Sampled, Target, enter, starts, within
from ordered_mix.references.plain import plain_model
from ordered_mix.references.posteriors import definitions
from ordered_mix.references.ranking import BROKEN, OVERSPENT, cells, decides, ranking
from ordered_mix.references.reference import load_reference

PAGE = FOLDER.parent / "docs" / "references.md"
COMPILED = ("numpyro", "nutpie", "pymc_nuts", "pymc_smc")  # for seconds, each anew
QUICK = [name for name in catalog.names("entrant") if name not in COMPILED]

OWN = '''
"""Independent Metropolis: proposals from a normal around the best of a few starts."""

import numpy as np

from ordered_mix.references.entrant import Clock, Sampled, Target, within
from ordered_mix.references.reference import load_reference


def sample(name, seed, budget):
    target = Target(load_reference(name))

    def run(size):
        clock, rng = Clock(), np.random.default_rng(seed)
        z = target.start(50, seed)
        height = target.log_density(z)
        middle, spread = z[height.argmax()], z.std(axis=0) + 0.1
        kept, cost = [], len(z)
        for _ in range(size):
            new = middle + 2 * spread * rng.standard_normal(z.shape)
            there, cost = target.log_density(new), cost + len(z)
            change = 0.5 * np.sum(((new - middle) ** 2 - (z - middle) ** 2) / (2 * spread) ** 2, -1)
            taken = np.log(rng.random(len(z))) < there - height + change
            z, height = np.where(taken[:, None], new, z), np.where(taken, there, height)
            kept.append(z)
        return Sampled(target.mixture(np.stack(kept[size // 2 :])), cost, clock.seconds())

    return within(budget, run)
'''


def fake(cost, seconds=0.0):
    """A sampler whose iterations cost so many passes, with what it was asked for."""
    asked = []

    def run(size):
        asked.append(size)
        draws = Mixture(np.ones((size, 1)), np.zeros((size, 1)), np.ones((size, 1)))
        return Sampled(draws, cost * size, seconds * size)

    return run, asked


@pytest.mark.parametrize("amount", [100, 5000, 50_000, 1e6])
def test_a_budget_is_used_and_kept(amount):
    run, asked = fake(cost=3)
    found = within(Budget(passes=amount), run, first=8)
    assert found.passes == 3 * sum(asked) <= amount
    assert found.passes > 0.35 * amount or max(asked) == 20_000
    assert found.draws.batch_shape == (asked[-1],)


def test_where_seconds_count_the_first_run_only_compiles():
    run, asked = fake(cost=1, seconds=1e-3)
    found = within(Budget(seconds=1.0), run, first=8)
    assert asked[:2] == [8, 8] and found.seconds == pytest.approx(1e-3 * sum(asked[1:]))
    assert found.seconds <= 1.0


@pytest.mark.parametrize("name", QUICK)
def test_every_entrant_gives_draws_within_its_budget(name):
    try:
        found = enter(name, "few_points", 1, Budget(passes=12_000))
    except ValueError as reason:  # a package or program of others
        assert "which is not installed" in str(reason)
        pytest.skip(str(reason))
    reference = load_reference("few_points")
    assert 0 < found.passes <= OVERSPENT * 12_000 and found.seconds >= 0
    assert found.draws.k == 2 and np.isfinite(reference.score(found.draws))
    assert name in BROKEN or reference.score(found.draws) < 0.6


def test_draws_of_an_entrant_depend_on_its_seed_alone():
    one, same, other = (enter("gibbs", "few_points", s, Budget(passes=3000)) for s in (1, 1, 2))
    np.testing.assert_array_equal(one.draws.mu, same.draws.mu)
    assert not np.array_equal(one.draws.mu, other.draws.mu)


def test_nuts_enters_in_any_coordinates():
    given = "nuts(coordinates=relative, adaptation=low_rank)"
    found = enter(given, "few_points", 1, Budget(passes=20_000))
    assert np.all(np.diff(found.draws.mu, axis=-1) > 0)
    assert load_reference("few_points").score(found.draws) < 0.5


def test_a_sampler_is_added_by_one_file_of_30_lines(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(OWN.lstrip())
    lines = [line for line in OWN.splitlines() if line.strip()]
    assert len(lines) <= 30
    found = enter(str(file), "means_1_20", 1, Budget(passes=40_000))
    assert found.passes <= 40_000
    assert load_reference("means_1_20").score(found.draws) < 0.3


def test_the_target_is_the_posterior():
    reference = load_reference("galaxies_3")
    draws, target = reference.draws()[:5], Target(reference)
    location, scale = float(reference.data.location), float(reference.data.scale)
    standard = reference.parameterization().affine(-location / scale, 1 / scale)
    z = standard.unconstrain(draws.affine(-location / scale, 1 / scale))
    np.testing.assert_allclose(target.mixture(z).mu, draws.mu, rtol=1e-9)
    likely = draws.log_density(reference.data.y).sum(axis=-1) + reference.data.n * np.log(scale)
    np.testing.assert_allclose(target.log_density(z), standard.log_prior(z) + likely, rtol=1e-9)
    upside_down = Target(reference, jacobian=-1).log_density(z)
    np.testing.assert_allclose(upside_down, target.log_density(z) - 2 * standard.log_det(z))
    assert np.isneginf(target.log_density(np.full((2, z.shape[1]), 1e200))).all()


@pytest.mark.parametrize("name", ["gibbs", "smc", "random_walk", "never_crosses"])
def test_entrants_take_two_dimensions(name):
    found = enter(name, "plane_2d_2", 1, Budget(passes=6000))
    assert found.draws.d == 2 and 0 < found.passes <= OVERSPENT * 6000
    honest = load_reference("plane_2d_2").errors(found.draws)
    assert np.isfinite(list(honest.values())).all()
    assert name != "gibbs" or max(map(abs, honest.values())) < 0.5


def test_nuts_takes_two_dimensions():
    found = enter("nuts(coordinates=ordered)", "plane_2d_2", 1, Budget(passes=20_000))
    assert found.draws.d == 2 and np.all(np.diff(found.draws.mu[..., 0], axis=-1) > 0)
    assert load_reference("plane_2d_2").score(found.draws) < 0.5


def test_the_broken_ones_come_last(tmp_path):
    study = load_study(str(FOLDER / "samplers.py"))
    result = run_here(study, tmp_path)
    assert not len(result.failures)
    found = ranking(result.tables["sampler_table"])
    assert set(found["entrant"][-2:]) == set(BROKEN)
    assert found["score"].iloc[-2] > 2 * found["score"].iloc[-3]


def test_the_broken_ones_come_last_in_the_published_table():
    table = pd.read_parquet(FOLDER / "table" / "tables" / "sampler_table.parquet")
    study = load_study(str(FOLDER / "samplers.py"))
    wanted = {str(one.factors) for one in study.cells("laptop")}
    assert {str(row) for row in table[list(study.factors)].to_dict("records")} == wanted
    assert table.groupby(["entrant", "posterior", "budget"]).size().min() >= 5
    assert table["posterior"].nunique() >= 6
    found = ranking(table)
    scores = found.set_index("entrant")["score"]
    assert scores.drop(list(BROKEN)).max() < scores[list(BROKEN)].min()


def table_of(rows):
    columns = ["entrant", "posterior", "budget", "replicate", "largest", "spent", "reason"]
    return pd.DataFrame(rows, columns=columns)


FEW, MANY = "5000 passes", "40000 passes"


def test_the_score_is_the_mean_over_posteriors_of_the_median_over_runs():
    runs = [("a", "p", MANY, i, error, 1.0, None) for i, error in enumerate((0.1, 0.2, 9.0))]
    runs += [("a", "q", MANY, i, 0.4, 1.0, None) for i in range(3)]
    runs += [("b", "p", MANY, i, 0.25, 1.0, None) for i in range(3)]
    runs += [("b", "q", MANY, i, None, None, "does not take it") for i in range(3)]
    runs += [("b", "p", FEW, 0, 7.0, 1.0, None), ("a", "p", FEW, 0, 0.1, 1.0, None)]
    runs += [("c", "p", MANY, 0, 0.01, 9.0, None), ("c", "p", FEW, 0, None, None, None)]
    table = table_of(runs)
    found = ranking(table).set_index("entrant")
    assert decides(table) == MANY and list(found.index) == ["b", "a", "c"]
    assert found["score"].to_dict() == pytest.approx({"a": 0.3, "b": 0.25, "c": np.inf})
    assert found.loc["a", ["low", "high"]].tolist() == pytest.approx([0.25, 4.7])
    assert found["posteriors"].to_dict() == {"a": 2, "b": 1, "c": 1}
    own = cells(table).set_index(["entrant", "posterior", "budget"]).loc[("a", "p", MANY)]
    assert own[["error", "low", "high"]].tolist() == [0.2, 0.1, 9.0]


def test_the_decisive_budget_is_of_passes():
    rows = [("a", "p", name, 0, 1.0, 1.0, None) for name in (FEW, "a fifth of a second", MANY)]
    assert decides(table_of(rows)) == MANY


def test_a_sampler_of_one_file_appears_in_the_table(tmp_path):
    """In a folder of its own, run by the study and ranked beside the others."""
    file, study = tmp_path / "mine.py", load_study(str(FOLDER / "samplers.py"))
    file.write_text(OWN.lstrip())
    assert len(OWN.strip().splitlines()) <= 30
    entrants = [str(file), "never_crosses"]
    (one,) = study.experiments.values()
    factors = {**one.factors, "entrant": (*one.factors["entrant"], str(file))}
    longer = {"sampler_table": replace(one, factors=factors)}
    wanted = {"entrant": entrants, "posterior": ["means_1_200"], "replicate": [0]}
    (tmp_path / "out").mkdir()
    result = run_here(replace(study, experiments=longer), tmp_path / "out", "smoke", wanted)
    assert not len(result.failures)
    assert ranking(result.tables["sampler_table"])["entrant"].tolist() == entrants


def test_starts_are_points_of_the_data():
    reference = load_reference("galaxies_3")
    found = starts(reference, 5, 1)
    assert found.batch_shape == (5,) and np.isin(found.mu, reference.data.y).all()


def test_the_clock_counts_the_processor():
    clock, total = Clock(), 0.0
    while clock.seconds() < 0.02:
        total += sum(range(1000))
    assert total > 0 and 0 < clock.part(1.0) <= 1.0


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: enter("gibs", "few_points", 1, Budget(5)), "did you mean 'gibbs'"),
        (lambda: enter("gibbs", "few_point", 1, Budget(5)), "did you mean 'few_points'"),
        (lambda: enter("gibbs", "low_dim_gauss_mix", 1, Budget(5)), "scale_family of the prior"),
        (
            lambda: enter("tempering", "plane_2d_2", 1, Budget(5)),
            "data must have one column for tempering, got 2 columns",
        ),
        (
            lambda: plain_model(definitions()["galaxies_3_adaptive"]),
            "prior must be without adaptive scales",
        ),
    ],
)
def test_bad_input_is_named_in_one_sentence(call, words):
    with pytest.raises(ValueError, match=words) as refused:
        call()
    assert "\n" not in str(refused.value)


def test_a_file_without_a_sampler_is_refused(tmp_path):
    (tmp_path / "empty.py").write_text("")
    with pytest.raises(ValueError, match=r"must define `sample\(name, seed, budget\)`"):
        enter(str(tmp_path / "empty.py"), "few_points", 1, Budget(passes=5))


def test_the_code_for_pymc_on_the_page_runs(capsys):
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    (code,) = [block for block in blocks if "plain_model" in block]
    exec(compile(textwrap.dedent(code), str(Path(PAGE.name)), "exec"), {})
    assert float(capsys.readouterr().out.split()[-1]) < 0.6


@pytest.mark.parametrize("name", ["few_points", "means_1_20"])
def test_the_model_for_numpyro_has_the_density_of_the_posterior(name):
    util = pytest.importorskip("numpyro.infer.util", reason="numpyro is not installed")
    from ordered_mix.references.plain_numpyro import mixture_of, numpyro_model

    reference = load_reference(name)
    model, draws, heights = numpyro_model(reference.definition), reference.draws()[:4], []
    for i in range(4):
        values = {"w": draws.w[i], "mu": draws.mu[i], "variance": draws.sigma[i] ** 2}
        if reference.definition.prior.known_w is not None:
            values = {"mu": draws.mu[i]}
        heights.append(float(util.log_density(model, (), {}, values)[0]))
    prior = reference.definition.prior
    expected = draws.log_density(reference.data.y).sum(axis=-1)
    expected += stats.norm(prior.location, prior.spread).logpdf(draws.mu).sum(axis=-1)
    if prior.known_w is None:
        expected += stats.dirichlet(np.full(2, prior.concentration)).logpdf(draws.w.T)
        law = stats.invgamma(2, scale=prior.scale**2)
        expected += law.logpdf(draws.sigma**2).sum(axis=-1)
    np.testing.assert_allclose(heights, expected, rtol=1e-4)  # in single precision
    samples = {"w": draws.w, "mu": draws.mu, "sigma": draws.sigma}
    np.testing.assert_array_equal(mixture_of(samples, reference.definition).mu, draws.mu)


def test_the_cube_has_the_prior():
    one = cube("dynesty", load_reference("few_points"))
    u = np.random.default_rng(1).random((4000, one.dimension))
    drawn, prior = one.mixture(u), one.reference.definition.prior
    for values, law in (
        (drawn.mu[:, 0], stats.norm(prior.location, prior.spread)),
        (drawn.w[:, 0], stats.beta(prior.concentration, prior.concentration)),
        (drawn.sigma[:, 1] ** 2, stats.invgamma(2, scale=prior.scale**2)),
    ):
        assert stats.kstest(values, law.cdf).pvalue > 1e-6
    height = drawn[0].log_density(one.reference.data.y).sum()
    assert one.log_likelihood(u[0]) == pytest.approx(height, rel=1e-10)
