"""The figures: what they compute, that they are the same bytes every time, and how they look."""

from dataclasses import replace
from itertools import pairwise
from xml.etree import ElementTree

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr
from scipy import integrate, stats

from ordered_mix.compare.comparison import Comparison, Settings
from ordered_mix.data import Data
from ordered_mix.draws.draws import Draws
from ordered_mix.draws.elpd import loo, waic
from ordered_mix.estimators.em import EM
from ordered_mix.estimators.loop.initial import initial_mixtures
from ordered_mix.estimators.loop.iterate import Stop
from ordered_mix.fitted.labels import labels_by_what_separates
from ordered_mix.fitted.maximum import find_maximum
from ordered_mix.fitted.posterior import Posterior
from ordered_mix.mixture import Mixture
from ordered_mix.parameterization import catalog
from ordered_mix.passes.kernels import log_density
from ordered_mix.prior import Prior
from ordered_mix.report import render
from ordered_mix.report.figures import cost, elpd, fit, labels, means
from ordered_mix.report.figures.chains import chains_of_sampler
from ordered_mix.report.figures.style import (
    FURTHER,
    NEUTRALS,
    PALETTE,
    colours,
    ramp,
    shortened,
    superscript,
)

CHAINS, DRAWS = 4, 100
MEANS = {2: [0.0, 4.0], 3: [0.0, 4.0, 9.0]}


def draws(k, rng, y, switched=()):
    """Draws around a true mixture; the chains in `switched` have their labels reversed."""
    shape = (CHAINS, DRAWS, k)
    w = rng.dirichlet(np.full(k, 200.0), shape[:2])
    mu = np.array(MEANS[k]) + 0.1 * rng.standard_normal(shape)
    sigma = np.exp(0.05 * rng.standard_normal(shape))
    for chain in switched:
        w[chain], mu[chain], sigma[chain] = (v[chain, :, ::-1] for v in (w, mu, sigma))
    dims = ("chain", "draw", "component")
    stats_of = {
        name: (dims[:2], rng.random(shape[:2])) for name in ("acceptance_rate", "energy")
    } | {
        "n_steps": (dims[:2], np.full(shape[:2], 7)),
        "tree_depth": (dims[:2], np.full(shape[:2], 3)),
        "diverging": (dims[:2], np.zeros(shape[:2], bool)),
        "reached_max_treedepth": (dims[:2], np.zeros(shape[:2], bool)),
    }
    posterior = {name: (dims, v) for name, v in (("w", w), ("mu", mu), ("sigma", sigma))}
    groups = {"posterior": posterior, "sample_stats": stats_of, "warmup_sample_stats": stats_of}
    groups["observed_data"] = {"y": ("point", y)}
    tree = xr.DataTree.from_dict({name: xr.Dataset(group) for name, group in groups.items()})
    tree.attrs["seconds"] = 0.5
    return Draws(tree)


def sampled(name, data, k, rng, switched=()):
    made = draws(k, rng, data.y, switched)
    parameters = (made.mixture.w, made.mixture.mu, made.mixture.sigma)
    pointwise = log_density(data.y, *parameters)
    return Posterior(
        f"nuts {name}", "nuts", catalog.parameterization(name, k, Prior()), made,
        waic(pointwise), loo(pointwise), labels_by_what_separates(made.mixture, data.y),
    )  # fmt: skip


def comparison(k, data_name):
    rng = np.random.default_rng(k)
    truth = Mixture(np.full(k, 1 / k), MEANS[k], np.ones(k))
    data = Data(truth.sample(60, rng), name=data_name)
    starts = initial_mixtures(data, k, CHAINS, "random", 1)
    items = [sampled("unordered", data, k, rng, (1, 2)), sampled("relative", data, k, rng)]
    return Comparison(
        data=data,
        settings=Settings(components=k, draws=DRAWS, parameterizations=("unordered", "relative")),
        prior=Prior().affine(float(data.location), float(data.scale)),
        starts=starts,
        maximum=(maximum := find_maximum(data, k)),
        mode=maximum.mixture,
        fits={
            "em": EM(stop=Stop(log_likelihood=1e-10, passes=3000)).fit(
                catalog.parameterization("unordered", k), data, starts
            )
        },
        fit_seconds={"em": 0.01},
        sampled={item.label: item for item in items},
        skipped={},
        fewer_components=None,
    )


@pytest.fixture(scope="module")
def made():
    return comparison(2, "heights $a_1$ <b>&</b>")


def drawings(compared):
    items = list(compared.sampled.values())
    shades = colours(item.parameterization.label for item in items)
    best, unit = compared.maximum.mixture, compared.data.name
    chains = [chains_of_sampler(item, shades[item.parameterization.label]) for item in items]
    extent = means.limits(chains)
    return {
        "density": fit.density(chains[0], unit, compared.data, best),
        "forest": elpd.forest(items, None, shades),
        "labels": labels.labels(chains[0], unit),
        "pairs": means.pairs(chains[1], unit, extent, best),
        "efficiency": cost.efficiency(items, shades),
        "convergence": cost.convergence(compared.fits, shades),
    }


@pytest.fixture(scope="module")
def figures(made):
    return drawings(made)


def test_rank_lines_against_a_count_of_smaller_draws():
    values = np.random.default_rng(0).standard_normal((3, 50))
    at = np.linspace(0, 1, 11)
    found = labels.rank_lines(values, at)
    flat = np.sort(values.ravel())
    for chain, line in zip(values, found, strict=True):
        fractions = np.searchsorted(flat, chain) / flat.size  # draws strictly below
        expected = np.array([np.mean(fractions <= x) for x in at]) - at
        assert np.max(np.abs(line - expected)) < 0.03


def test_rank_lines_of_chains_in_different_modes_reach_one_half():
    values = np.random.default_rng(0).standard_normal((2, 400)) + np.array([[0.0], [9.0]])
    found = labels.rank_lines(values, labels.AT)
    assert np.allclose(np.abs(found).max(axis=1), 0.5, atol=0.01)


def test_rank_band_covers_chains_that_agree_and_not_those_that_do_not():
    rng = np.random.default_rng(3)
    inside = []
    for _ in range(100):
        means = rng.standard_normal((4, 200, 2))
        band = labels.rank_band(means)
        inside.append(labels.largest_rank_line(means) < band)
    assert np.mean(inside) >= 0.93
    apart = rng.standard_normal((4, 200, 2)) + np.array([0, 0, 0, 2.0])[:, None, None]
    assert labels.largest_rank_line(apart) > 2 * labels.rank_band(apart)


@pytest.mark.parametrize("size", [8, 60, 2000])
def test_bins_cover_the_data(size):
    y = np.random.default_rng(size).standard_t(2, size)
    edges = fit.bin_edges(y)
    assert np.histogram(y, edges)[0].sum() == size
    assert 10 <= len(edges) - 1 <= 60


def test_bins_of_rounded_data_hold_equally_many_values_each():
    y = np.round(np.random.default_rng(1).normal(70, 14, 500))
    edges = fit.bin_edges(y)
    values = [np.sum((np.arange(0, 200) > a) & (np.arange(0, 200) < b)) for a, b in pairwise(edges)]
    assert set(values) == {values[0]} and values[0] >= 1
    assert not set(edges) & set(y)


def test_predictive_density_is_the_mean_of_the_draws_and_a_density(made):
    mixture = made.sampled["nuts unordered"].draws.mixture
    grid = np.linspace(-8, 12, 801)
    mean, low, high = fit.predictive(mixture, grid)
    flat = mixture.reshape(-1)
    each = (flat.w[:, None] * stats.norm.pdf(grid[None, :, None], flat.mu[:, None],
                                             flat.sigma[:, None])).sum(axis=-1)  # fmt: skip
    assert np.allclose(mean, each.mean(axis=0), rtol=1e-10)
    assert np.allclose((low, high), np.quantile(each, (0.05, 0.95), axis=0), rtol=1e-10)
    assert abs(integrate.trapezoid(mean, grid) - 1) < 1e-6
    assert np.allclose(fit.peaks(grid, mean), [0, 4], atol=0.15)


def test_left_to_gain_falls_to_the_floor_and_forgives_collapsed_runs(made):
    fit = made.fits["em"]
    passes, gap = cost.left_to_gain(fit)
    assert gap.shape == passes.shape == fit.trace.objective.shape
    assert np.all(np.diff(gap, axis=0) <= 1e-8) and gap[-1].min() == cost.FLOOR
    status = np.array(["variance_collapsed", *["converged"] * (CHAINS - 1)])
    towering = fit.trace.objective + np.array([100.0] + [0] * (CHAINS - 1))
    one_bad = replace(fit, status=status, trace=replace(fit.trace, objective=towering))
    after = cost.left_to_gain(one_bad)[1]
    assert np.all(after[-1, 0] == cost.FLOOR) and np.allclose(after[:, 1:], gap[:, 1:])


def test_forest_rows_are_differences_to_the_best(made):
    items = list(made.sampled.values())
    rows = [elpd._against_best(item, items, "waic") for item in items]
    found = np.array([item.elpd_waic.elpd for item in items])
    assert np.allclose([delta for delta, _, _ in rows], found - found.max(), atol=1e-9)
    loser = int(np.argmin(found))
    gap = np.asarray(items[loser].elpd_waic.elpd_i) - np.asarray(items[1 - loser].elpd_waic.elpd_i)
    assert np.isclose(rows[loser][1], np.sqrt(gap.size) * gap.std(ddof=1))
    assert rows[1 - loser][:2] == (0, 0)


def test_figures_are_the_same_bytes_twice_whatever_the_user_has_set(made, figures):
    before, opened = dict(matplotlib.rcParams), plt.get_fignums()
    plain = {name: drawing.svg for name, drawing in figures.items()}
    with plt.style.context("dark_background"):
        again = {name: drawing.svg for name, drawing in drawings(made).items()}
    assert plain == again
    assert dict(matplotlib.rcParams) == before and plt.get_fignums() == opened


def test_figures_are_labelled_svg_in_the_colours_of_the_page(figures):
    ids = []
    for name, drawing in figures.items():
        root = ElementTree.fromstring(drawing.svg)
        assert root.tag == "svg" and root.attrib["role"] == "img", name
        assert root.attrib["aria-label"] == drawing.alt
        assert any(character.isdigit() for character in drawing.alt), name
        assert not any(colour in drawing.svg for colour in NEUTRALS)
        assert "var(--ink)" in drawing.svg and "font-family" not in drawing.svg
        assert not {"metadata", "style", "script"} & {node.tag for node in root.iter()}
        ids += [node.attrib["id"] for node in root.iter() if "id" in node.attrib]
    assert len(ids) == len(set(ids)) > 0


def test_figures_refer_only_to_what_they_hold(figures):
    for drawing in figures.values():
        root = ElementTree.fromstring(drawing.svg)
        ids = {node.attrib["id"] for node in root.iter() if "id" in node.attrib}
        links = {node.attrib["href"] for node in root.iter() if "href" in node.attrib}
        assert all(link.startswith("data:image/png") or link[1:] in ids for link in links)
        clips = [node.attrib.get("clip-path", "") for node in root.iter()]
        assert {clip[5:-1] for clip in clips if clip} <= ids


def test_names_are_text_and_nothing_else(figures):
    texts = [node.text for node in ElementTree.fromstring(figures["density"].svg).iter("text")]
    assert "heights $a_1$ <b>&</b>" in texts
    assert "<b>" not in figures["density"].svg


def test_alternative_text_tells_the_measured_numbers(made, figures):
    item = made.sampled["nuts unordered"]
    assert f"R-hat {item.worst('rhat', 'raw'):.3f}" in figures["labels"].alt
    assert "2 of 2 labellings" in figures["labels"].alt
    assert "negative in 0.0% of the draws" in figures["pairs"].alt
    assert f"{1000 * item.worst('ess_per_pass', 'relabelled'):.3g}" in figures["efficiency"].alt
    assert f"mean {made.maximum.mixture.mu[0]:.4g}" in figures["density"].alt


def test_one_colour_for_each_parameterization():
    given = colours(["unordered", "relative", "relative(link=square)", "mine", "unordered"])
    assert given["unordered"] == PALETTE["unordered"] and given["relative"] == PALETTE["relative"]
    assert len(set(given.values())) == len(given) == 4
    assert {given["relative(link=square)"], given["mine"]} <= set(FURTHER)
    assert colours(["mine"]) == {"mine": FURTHER[0]}
    assert not set(PALETTE.values()) & set(FURTHER)


def test_ramp_starts_at_the_colour_and_tells_components_apart():
    for k in range(1, 7):
        shades = ramp("#0072b2", k)
        assert shades[0] == "#0072b2" and len(set(shades)) == k


def test_short_names_and_powers_of_ten():
    assert shortened("faithful:waiting") == "faithful:waiting"
    assert len(shortened("x" * 200)) <= 24 and "…" in shortened("x" * 200)
    assert [superscript(10.0**power) for power in (-9, 0, 12)] == ["10⁻⁹", "10⁰", "10¹²"]


def test_a_page_of_three_components_pairs_neighbours():
    page = render(comparison(3, "three"))
    assert page.count("mean 3, three") == 2
    assert "Is component 3" not in page  # nothing was fitted with one component less
    assert "Weight 3" in page and "component 3" in page
