"""CSV files of CmdStan: what is written is read, and what is no such file is named."""

import foreign
import numpy as np
import pytest

from ordered_mix.compare.diagnosis import diagnose
from ordered_mix.draws.elpd import loo
from ordered_mix.files.reading import load_draws

HEAD = """# stan_version_major = 2
# method = sample (Default)
#   sample
#     num_samples = 100
#     num_warmup = {warmup}
#     save_warmup = {save}
#     thin = {thin}
"""
SAMPLER = {"lp__": -400.1, "accept_stat__": 0.9, "stepsize__": 0.2, "treedepth__": 4,
           "n_leapfrog__": 15, "divergent__": 0, "energy__": 410.2}  # fmt: skip


def write(folder, named, warmup=0, save=0, thin=1):
    """One file for each chain, six significant digits, values by name with indices from 1 on."""
    columns = list(SAMPLER)
    cells = []
    for name, values in named.items():
        for index in np.ndindex(*values.shape[2:]):
            columns.append(".".join([name, *(str(one + 1) for one in index)]))
            cells.append(values[:, :, *index])
    paths = []
    for chain in range(cells[0].shape[0]):
        rows = [",".join([*(f"{value:.6g}" for value in SAMPLER.values()),
                          *(f"{one[chain, draw]:.6g}" for one in cells)])
                for draw in range(cells[0].shape[1])]  # fmt: skip
        rows.insert(-(-warmup // thin) if save else 0, "# Adaptation terminated\n# 1, 1, 1")
        head = HEAD.format(warmup=warmup, save=save, thin=thin)
        paths.append(folder / f"mix-{chain + 1}.csv")
        text = head + ",".join(columns) + "\n" + "\n".join(rows)
        paths[-1].write_text(f"{text}\n# \n#  Elapsed Time: 0.1 seconds\n")
    return paths


def of(tree, *names):
    return {name: tree["posterior"][name].to_numpy() for name in names}


def test_chains_are_read_with_their_statistics(tmp_path):
    named = of(foreign.hidden_markov(), "level", "P", "z")
    read = load_draws(*write(tmp_path, named))
    assert set(read.children) == {"posterior", "sample_stats"}
    for name, values in named.items():
        np.testing.assert_allclose(read["posterior"][name], values, rtol=5e-6)
    assert read["posterior"]["P"].dims == ("chain", "draw", "P_dim_0", "P_dim_1")
    statistics = read["sample_stats"]
    assert statistics["diverging"].dtype == bool and statistics["tree_depth"].dtype.kind == "i"
    assert set(statistics.data_vars) == {"lp", "acceptance_rate", "step_size", "tree_depth",
                                         "n_steps", "diverging", "energy"}  # fmt: skip


def test_saved_warm_up_and_log_likelihood_have_groups_of_their_own(tmp_path):
    tree = foreign.precision()
    named = of(tree, "w", "mu", "tau") | {"log_lik": tree["log_likelihood"]["y"].to_numpy()}
    read = load_draws(*write(tmp_path, named, warmup=40, save=1, thin=2))
    assert read["warmup_posterior"].sizes["draw"] == 20 and read["posterior"].sizes["draw"] == 80
    np.testing.assert_allclose(read["warmup_posterior"]["mu"], named["mu"][:, :20], rtol=5e-6)
    np.testing.assert_allclose(read["posterior"]["mu"], named["mu"][:, 20:], rtol=5e-6)
    y = tree["observed_data"]["y"].to_numpy()
    found = diagnose(read, tau="tau", y=y)
    assert found.relabelled.check.good and found.relabelled.check.stored
    assert found.method == "stephens" and "warmup_posterior" in found.relabelled.left_alone
    stored = tree["log_likelihood"]["y"][:, 20:].to_numpy()
    assert found.elpd_loo.elpd == pytest.approx(loo(stored).elpd, abs=0.01)


def test_six_digits_are_enough_for_weights(tmp_path):
    read = load_draws(*write(tmp_path, of(foreign.volatility(), "w", "mu", "sigma")))
    found = diagnose(read, y=foreign.volatility()["observed_data"]["y"], likelihood="normal")
    assert found.method == "stephens" and found.relabelled.effect.worst("rhat", "after") < 1.05


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda text: text.replace("lp__", "lp"), "must be a CSV file of CmdStan with a column lp"),
        (lambda text: "", "with a column lp__, got nothing"),
        (lambda text: text.replace("0.9", "many", 1), "must hold a number in every cell"),
        (lambda text: text.replace("= sample", "= optimize"), "must come from .* sample, got opt"),
        (lambda text: text.replace("mu.1", "nu.1"), "must have the columns of .*mix-2.csv"),
        (lambda text: text.replace("mu.1", "mu.1000000000"), "must hold every entry of mu, got 2"),
        (lambda text: text.replace("mu.1", "mu.1.1"), "must hold every entry of mu, got 2"),
        (lambda text: text[: text.index("-400.1")], "must hold draws after warm-up, got none"),
    ],
)
def test_what_is_no_output_of_the_model_is_named(tmp_path, damage, message):
    one, two, *_ = write(tmp_path, of(foreign.volatility(), "w", "mu", "sigma"))
    one.write_text(damage(one.read_text()))
    with pytest.raises(ValueError, match=message):
        load_draws(*([one] if "entry" in message else [two, one]))


def test_files_of_different_lengths_or_kinds_are_refused(tmp_path):
    one, two, *_ = write(tmp_path, of(foreign.volatility(), "w", "mu", "sigma"))
    lines = two.read_text().splitlines()
    two.write_text("\n".join(lines[:60]))
    with pytest.raises(ValueError, match=r"mix-2.csv' must have the draws of .*mix-1.csv'"):
        load_draws(one, two)
    with pytest.raises(ValueError, match="must be one netCDF or zarr file, or CSV files"):
        load_draws(one, tmp_path)
    with pytest.raises(ValueError, match="must be another file for each chain"):
        load_draws(one, one)
    with pytest.raises(ValueError, match=r"mix-9.csv' does not exist"):
        load_draws(one, tmp_path / "mix-9.csv")
