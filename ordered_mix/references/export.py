"""A reference in the format of posteriordb (Magnusson et al. 2024): files for its folders."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import numpy as np

from ordered_mix.multivariate import MultivariatePrior
from ordered_mix.references.reference import OF_POINTS, PARAMETERS, Reference

CHAINS = 10
DATE = "2026-11-27"
DECLARED = {
    "w": "simplex[K] w;",
    "mu": "vector[K] mu;",
    "sigma": "vector<lower=0>[K] sigma;",
    "rate": "real<lower=0> rate;",
}
PROGRAM = """data {{
  int<lower=1> N;
  vector[N] y;
  int<lower=1> K;
  {data}
}}
parameters {{
  {parameters}
}}
model {{
  {prior}
  for (n in 1 : N) {{
    vector[K] terms = log(w);
    for (k in 1 : K) {{
      terms[k] += normal_lpdf(y[n] | mu[k], sigma[k]);
    }}
    target += log_sum_exp(terms);
  }}
}}
"""

OF_COLUMNS = """data {
  int<lower=1> N;
  int<lower=1> D;
  array[N] vector[D] y;
  int<lower=1> K;
  vector[D] location;
  vector<lower=0>[D] spread;
  vector<lower=0>[D] scale;
  real<lower=0> concentration;
}
parameters {
  simplex[K] w;
  array[K] vector[D] mu;
  array[K] cov_matrix[D] covariance;
}
model {
  w ~ dirichlet(rep_vector(concentration, K));
  for (k in 1 : K) {
    mu[k] ~ normal(location, spread);
    covariance[k] ~ inv_wishart(D + 3, diag_matrix(2 * square(scale)));
  }
  for (n in 1 : N) {
    vector[K] terms = log(w);
    for (k in 1 : K) {
      terms[k] += multi_normal_lpdf(y[n] | mu[k], covariance[k]);
    }
    target += log_sum_exp(terms);
  }
}
"""
"""In several dimensions: full covariances under the fixed prior."""


def export(reference: Reference, out: Path | str) -> list[Path]:
    """Write a reference below a folder laid out as posteriordb's ``posterior_database``.

    Parameters
    ----------
    reference : Reference
    out : Path or str
        Gets the posterior, its data, its Stan program, and the draws with what is known of them.

    Returns
    -------
    list of Path
        The files that were written.
    """
    name, folder, dimensions = reference.definition.name, Path(out), _dimensions(reference)
    shared = {"keywords": ["mixture model"], "urls": [], "references": None,
              "added_date": DATE, "added_by": "The ordered_mix developers"}  # fmt: skip
    posterior = {
        "name": name, "model_name": name, "data_name": name, "reference_posterior_name": name,
        "dimensions": dimensions, **shared,
    }  # fmt: skip
    title = reference.definition.about
    data = {"name": name, "title": title, "data_file": f"data/data/{name}.json",
            "description": reference.content["definition"]["data"]["source"], **shared}  # fmt: skip
    implementation = {"model_code": f"models/stan/{name}.stan", "stan_version": ">=2.26.0"}
    model: dict[str, Any] = {"name": name, "title": title, "description": "A mixture of normals",
             "prior": {"keywords": []}, "licence": "Apache-2.0",
             "model_implementations": {"stan": implementation}, **shared}  # fmt: skip
    draws = "reference_posteriors/draws"
    return [
        _json(folder / "posteriors" / f"{name}.json", posterior),
        _json(folder / "data/info" / f"{name}.info.json", data),
        _zip(folder / "data/data" / f"{name}.json", stan_data(reference)),
        _json(folder / "models/info" / f"{name}.info.json", model),
        _text(folder / "models/stan" / f"{name}.stan", stan_program(reference.definition.prior)),
        _json(folder / draws / "info" / f"{name}.info.json", _information(reference, shared)),
        _zip(folder / draws / "draws" / f"{name}.json", stan_draws(reference)),
    ]


def stan_data(reference: Reference) -> dict[str, Any]:
    """The data of the Stan program."""
    prior, k = reference.definition.prior, reference.definition.k
    sizes = {"N": reference.data.n, "y": reference.data.y.tolist(), "K": k}
    if isinstance(prior, MultivariatePrior):
        names = ("location", "spread", "scale", "concentration")
        return {**sizes, "D": prior.d, **{name: getattr(prior, name) for name in names}}
    numbers = {name: value for name, value in prior.numbers().items() if name in _data(prior)}
    known = {"w": prior.known_w, "sigma": prior.known_sigma and [prior.known_sigma] * k}
    given = {name: list(value) for name, value in known.items() if value is not None}
    return {**sizes, **numbers, **given}


def stan_program(prior: Any) -> str:
    """The model in Stan, labels free, with its prior.

    Raises
    ------
    ValueError
        If the prior is one of several dimensions, and not the fixed one of full covariances.
    """
    if isinstance(prior, MultivariatePrior):
        if (prior.scale_family, prior.covariance) != ("inverse_gamma", "full"):
            raise ValueError(
                f"prior must be the fixed one of full covariances, "
                f"got {prior.scale_family} and {prior.covariance}"
            )
        return OF_COLUMNS
    return PROGRAM.format(
        data="\n  ".join(_data(prior).values()),
        parameters="\n  ".join(DECLARED[name] for name in _free(prior)),
        prior="\n  ".join(_prior(prior)),
    )


def stan_draws(reference: Reference) -> list[dict[str, list[float]]]:
    """Ten chains of 1,000 draws by Stan's names, labels permuted at random."""
    draws = reference.draws()
    chains = np.array_split(np.arange(draws.batch_shape[0]), CHAINS)
    names = _free(reference.definition.prior)
    values = {
        f"{name}[{','.join(str(i + 1) for i in at)}]": getattr(draws, name)[:, *at]
        for name in names if name != "rate"
        for at in np.ndindex(getattr(draws, name).shape[1:])
    }  # fmt: skip
    return [{name: value[rows].tolist() for name, value in values.items()} for rows in chains]


def _data(prior: Any) -> dict[str, str]:
    """Declarations of the data besides y, by name."""
    found = {"location": "real location;", "spread": "real<lower=0> spread;"}
    if prior.known_sigma is None:
        found["scale"] = "real<lower=0> scale;"
    else:
        found["sigma"] = DECLARED["sigma"]
    if prior.known_w is None:
        found["concentration"] = "real<lower=0> concentration;"
    else:
        found["w"] = DECLARED["w"]
    return found


def _free(prior: Any) -> list[str]:
    if isinstance(prior, MultivariatePrior):
        return list(OF_POINTS)
    free = ["w"] if prior.known_w is None else []
    free += ["mu"] + (["sigma"] if prior.known_sigma is None else [])
    return free + (["rate"] if prior.scale_family == "adaptive" else [])


def _prior(prior: Any) -> list[str]:
    lines = ["mu ~ normal(location, spread);"]
    if prior.known_w is None:
        lines.append("w ~ dirichlet(rep_vector(concentration, K));")
    if prior.known_sigma is not None:
        return lines
    if prior.scale_family == "half_normal":
        return [*lines, "sigma ~ normal(0, scale);"]
    rate = "square(scale)"
    if prior.scale_family == "adaptive":
        rate = "rate"
        lines.append("rate ~ inv_gamma(0.5, square(scale / 10));")
    # the prior is that of the variances: d(sigma^2) / d(sigma) = 2 sigma
    return [*lines, f"target += inv_gamma_lpdf(square(sigma) | 2, {rate}) + sum(log(2 * sigma));"]


def _dimensions(reference: Reference) -> dict[str, int | list[int]]:
    """Of each parameter that draws have; a list where there are several."""
    draws, free = reference.draws(), _free(reference.definition.prior)
    found: dict[str, int | list[int]] = {}
    for name in (*PARAMETERS, *OF_POINTS[2:]):
        if name in free:
            first, *others = getattr(draws, name).shape[1:]
            found[name] = [first, *others] if others else first
    return found


def _information(reference: Reference, shared: dict[str, Any]) -> dict[str, Any]:
    content, count = reference.content, reference.draws().batch_shape[0]
    names = list(stan_draws(reference)[0])
    return {
        "name": reference.definition.name,
        "inference": {"method": "data augmentation", "method_arguments": content["methods"]},
        "diagnostics": {
            "diagnostic_information": {"names": names},
            "ndraws": count,
            "nchains": CHAINS,
            "certificate": content["certificate"],
        },
        "checks_made": {"ndraws_is_10k": count == 10_000, "nchains_is_gte_4": True,
                        "methods_agree": content["certificate"]["holds"]},
        "comments": "labels are permuted at random; chains are parts of many independent ones",
        "added_by": shared["added_by"],
        "added_date": shared["added_date"],
        "versions": content["versions"],
    }  # fmt: skip


def _text(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def _json(path: Path, value: Any) -> Path:
    return _text(path, json.dumps(value, indent=1) + "\n")


def _zip(path: Path, value: Any) -> Path:
    target = path.with_name(f"{path.name}.zip")
    target.parent.mkdir(parents=True, exist_ok=True)
    with ZipFile(target, "w", ZIP_DEFLATED) as archive:
        # without the time of day, so that the same draws are the same bytes
        archive.writestr(ZipInfo(path.name), json.dumps(value), ZIP_DEFLATED)
    return target
