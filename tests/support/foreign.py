"""Draws of other people's mixtures, of many families: around a truth, each chain with its labels.

Every function returns a DataTree with the structure that PyMC or Stan would have given it.
"""

import numpy as np
import xarray as xr
from scipy import stats

DIMS = ("chain", "draw")
CHAINS, DRAWS = 4, 100


def labels_of(k, chains=CHAINS, draws=DRAWS):
    """Labels that stay within a chain: those of chains 1 and 3 are reversed."""
    order = [np.arange(k)[::-1] if chain % 2 else np.arange(k) for chain in range(chains)]
    return np.repeat(np.array(order)[:, None], draws, axis=1)


def around(truth, spread, rng, labels):
    """Draws around a truth of shape (component, ...), in the labels of the chains."""
    truth = np.asarray(truth, dtype=float)
    values = truth + spread * rng.standard_normal((*labels.shape[:2], *truth.shape))
    index = labels.reshape(*labels.shape, *[1] * (truth.ndim - 1))
    return np.take_along_axis(values, index, axis=2)


def weights_around(truth, rng, labels, size=300):
    """Draws of weights, in the labels of the chains."""
    w = rng.dirichlet(size * np.asarray(truth), size=labels.shape[:2])
    return np.take_along_axis(w, labels, axis=2)


def tree(posterior, y=None, log_likelihood=None, coords=None):
    groups = {"posterior": xr.Dataset(posterior, coords=coords)}
    if y is not None:
        dims = ("obs", "dim")[: np.ndim(y)]
        groups["observed_data"] = xr.Dataset({"y": (dims, y)})
    if log_likelihood is not None:
        groups["log_likelihood"] = xr.Dataset({"y": ((*DIMS, "obs"), log_likelihood)})
    return xr.DataTree.from_dict(groups)


def logsumexp(values):
    largest = values.max(axis=-1, keepdims=True)
    return largest[..., 0] + np.log(np.exp(values - largest).sum(axis=-1))


def volatility(data=True, seed=0):
    """Two regimes of returns with means near 0; scales .52 and 1.67."""
    rng = np.random.default_rng(seed)
    labels = labels_of(2)
    y = rng.normal(0, np.where(rng.random(300) < 0.5, 0.52, 1.67))
    posterior = {
        "w": ((*DIMS, "regime"), weights_around([0.5, 0.5], rng, labels, 60)),
        "mu": ((*DIMS, "regime"), around([0.01, -0.01], [0.05, 0.13], rng, labels)),
        "sigma": ((*DIMS, "regime"), around([0.52, 1.67], [0.07, 0.11], rng, labels)),
    }
    return tree(posterior, y if data else None, coords={"regime": ["calm", "wild"]})


def regression(seed=1, log_likelihood=True):
    """Two regressions, beta (component, covariate) about (2, -1) and (-2, 1)."""
    rng = np.random.default_rng(seed)
    labels = labels_of(2)
    x = rng.standard_normal((150, 2))
    beta_true = np.array([[2.0, -1], [-2, 1]])
    y = np.sum(x * beta_true[rng.integers(0, 2, 150)], axis=1) + 0.5 * rng.standard_normal(150)
    w = weights_around([0.5, 0.5], rng, labels)
    alpha = around([0.0, 0.0], 0.05, rng, labels)
    beta = around(beta_true, 0.05, rng, labels)
    sigma = np.exp(around(np.log([0.5, 0.5]), 0.06, rng, labels))
    mean = alpha[:, :, None] + np.einsum("cdkp,np->cdnk", beta, x)
    joint = np.log(w)[:, :, None] + stats.norm.logpdf(y[:, None], mean, sigma[:, :, None])
    posterior = {
        "w": ((*DIMS, "component"), w),
        "alpha": ((*DIMS, "component"), alpha),
        "beta": ((*DIMS, "component", "covariate"), beta),
        "sigma": ((*DIMS, "component"), sigma),
    }
    return tree(posterior, y, logsumexp(joint) if log_likelihood else None), joint - np.log(w)[
        :, :, None
    ]


def student(seed=2):
    """Heavy tails: a normal likelihood of the same parameters is another model."""
    rng = np.random.default_rng(seed)
    labels = labels_of(2)
    y = np.where(rng.random(150) < 0.5, -4, 4) + rng.standard_t(1.5, 150)
    w = weights_around([0.5, 0.5], rng, labels)
    mu, sigma = around([-4, 4], 0.12, rng, labels), around([1.0, 1.1], 0.1, rng, labels)
    nu = np.exp(np.log(1.5) + 0.1 * rng.standard_normal(labels.shape[:2]))
    density = stats.t.logpdf(y[:, None], nu[:, :, None, None], mu[:, :, None], sigma[:, :, None])
    named = {"w": w, "mu": mu, "sigma": sigma}
    posterior = {name: ((*DIMS, "component"), value) for name, value in named.items()}
    joint = np.log(w)[:, :, None] + density
    return tree(posterior | {"nu": (DIMS, nu)}, y, logsumexp(joint)), density


def poisson(seed=3):
    """Counts; dimensions have no names of their own."""
    rng = np.random.default_rng(seed)
    labels = labels_of(2)
    y = rng.poisson(np.where(rng.random(120) < 0.4, 2, 9))
    w, lam = weights_around([0.4, 0.6], rng, labels), around([2, 9], 0.25, rng, labels)
    joint = np.log(w)[:, :, None] + stats.poisson.logpmf(y[:, None], lam[:, :, None])
    posterior = {"lam": ((*DIMS, "lam_dim_0"), lam), "w": ((*DIMS, "w_dim_0"), w)}
    return tree(posterior, y, logsumexp(joint)), joint - np.log(w)[:, :, None]


def multivariate(seed=4):
    """Three normals in the plane, with Cholesky factors together and one by one."""
    rng = np.random.default_rng(seed)
    labels = labels_of(3)
    centres = np.array([[0.0, 0], [4, 0], [0, 4]])
    factor = np.array([[1.0, 0], [0.5, 0.8]])
    y = centres[rng.integers(0, 3, 150)] + rng.standard_normal((150, 2)) @ factor.T
    chol = around([factor] * 3, 0.05, rng, labels) * np.tri(2)
    packed = chol[..., *np.tril_indices(2)]
    posterior = {
        "w": ((*DIMS, "cluster"), weights_around([0.3, 0.3, 0.4], rng, labels)),
        "mu": ((*DIMS, "cluster", "dim"), around(centres, 0.15, rng, labels)),
        "chol": ((*DIMS, "chol_dim_0", "chol_dim_1", "chol_dim_2"), chol),
    }
    posterior |= {f"chol_{k}": ((*DIMS, f"chol_{k}_dim_0"), packed[:, :, k]) for k in range(3)}
    made = tree(posterior, y)
    values = [made["posterior"][name].to_numpy() for name in ("w", "mu", "chol")]
    joint = np.empty((*labels.shape[:2], len(y), 3))
    for index in np.ndindex(joint.shape[:2]):
        for k in range(3):
            w, mu, root = (value[index][k] for value in values)
            joint[*index, :, k] = np.log(w) + stats.multivariate_normal(mu, root @ root.T).logpdf(y)
    made["log_likelihood"] = xr.DataTree(xr.Dataset({"y": ((*DIMS, "obs"), logsumexp(joint))}))
    return made


def covariates(seed=5):
    """A regression coefficient of length 2 beside two components."""
    rng = np.random.default_rng(seed)
    labels = labels_of(2)
    x = rng.standard_normal((200, 2))
    group = np.where(rng.random(200) < 0.4, -3, 3)
    y = group + x @ [1.5, -1.0] + rng.standard_normal(200)
    beta = np.array([1.5, -1.0]) + 0.06 * rng.standard_normal((*labels.shape[:2], 2))
    posterior = {
        "w": ((*DIMS, "w_dim_0"), weights_around([0.4, 0.6], rng, labels)),
        "mu": ((*DIMS, "mu_dim_0"), around([-3, 3], 0.1, rng, labels)),
        "sigma": ((*DIMS, "sigma_dim_0"), around([1, 1], 0.05, rng, labels)),
        "beta": ((*DIMS, "beta_dim_0"), beta),
    }
    return tree(posterior, y)


def sampled_allocations(seed=6, first=0):
    """A scalar weight p of the first component, and allocations that were sampled."""
    rng = np.random.default_rng(seed)
    labels = labels_of(2)
    low = rng.random(120) < 0.36
    y = np.where(low, 54.6, 80.0) + 5.8 * rng.standard_normal(120)
    z = np.where(y > 67.5, 1, 0) ^ (rng.random((*labels.shape[:2], 120)) < 0.01)
    inverse = np.argsort(labels, axis=-1)
    p = np.clip(0.36 + 0.03 * rng.standard_normal(labels.shape[:2]), 0.01, 0.99)
    posterior = {
        "centers": ((*DIMS, "centers_dim_0"), around([54.6, 80.0], 0.6, rng, labels)),
        "sds": ((*DIMS, "sds_dim_0"), around([5.9, 5.7], 0.4, rng, labels)),
        "p": (DIMS, np.where(labels[..., 0] == 0, p, 1 - p)),
        "assignment": ((*DIMS, "assignment_dim_0"),
                       np.take_along_axis(inverse, z, axis=-1) + first),
    }  # fmt: skip
    return tree(posterior, y)


def precision(seed=7):
    """Precisions in place of scales, and a stored log likelihood."""
    rng = np.random.default_rng(seed)
    labels = labels_of(3)
    truth = np.array([0.5, 5, 10.0])
    y = np.concatenate([rng.normal(m, s, 60) for m, s in zip([0, 30, 60], truth, strict=True)])
    w = weights_around([1 / 3] * 3, rng, labels)
    mu = around([0, 30, 60], truth / 8, rng, labels)
    tau = np.exp(around(np.log(truth**-2.0), 0.2, rng, labels))
    joint = np.log(w)[:, :, None] + stats.norm.logpdf(y[:, None], mu[:, :, None],
                                                      tau[:, :, None] ** -0.5)  # fmt: skip
    named = {"w": w, "mu": mu, "tau": tau}
    posterior = {name: ((*DIMS, "cluster"), value) for name, value in named.items()}
    return tree(posterior, y, logsumexp(joint))


def separate(seed=8):
    """Components as separate scalars mu_0 and mu_1, known scale and weights not in the file."""
    rng = np.random.default_rng(seed)
    labels = labels_of(2)
    y = rng.normal(np.where(rng.random(100) < 0.5, -1.5, 1.5), 1)
    means = around([-1.5, 1.5], 0.15, rng, labels)
    return tree({"mu_0": (DIMS, means[..., 0]), "mu_1": (DIMS, means[..., 1])}, y)


def hidden_markov(seed=9):
    """Two or three states: emissions, a transition matrix, states that were sampled."""
    rng = np.random.default_rng(seed)
    labels = labels_of(3)
    matrix = np.array([[0.9, 0.07, 0.03], [0.2, 0.7, 0.1], [0.05, 0.15, 0.8]])
    rows = around(np.log(matrix), 0.05, rng, labels)
    rows = np.exp(np.take_along_axis(rows, labels[:, :, None], axis=-1))
    states = rng.integers(0, 3, 80)
    z = np.argsort(labels, axis=-1)[..., states]
    posterior = {
        "level": ((*DIMS, "state"), around([0, 3, 7], 0.1, rng, labels)),
        "noise": ((*DIMS, "state"), np.exp(around(np.log([1, 1, 1]), 0.05, rng, labels))),
        "P": ((*DIMS, "state", "state_to"), rows / rows.sum(axis=-1, keepdims=True)),
        "z": ((*DIMS, "time"), z),
    }
    return tree(posterior)


def latent_class(seed=10):
    """Two classes and four yes-or-no items, with the probability of each class for each person."""
    rng = np.random.default_rng(seed)
    labels = labels_of(2)
    truth = np.array([[0.9, 0.8, 0.7, 0.9], [0.2, 0.1, 0.3, 0.2]])
    item = np.clip(around(truth, 0.03, rng, labels), 0.01, 0.99)
    share = weights_around([0.4, 0.6], rng, labels)
    answers = rng.random((90, 4)) < truth[(rng.random(90) > 0.4).astype(int)]
    log_density = np.sum(np.where(answers[:, None], np.log(item)[:, :, None],
                                  np.log1p(-item)[:, :, None]), axis=-1)  # fmt: skip
    joint = log_density + np.log(share)[:, :, None]
    p = np.exp(joint - logsumexp(joint)[..., None])
    posterior = {
        "share": ((*DIMS, "kind"), share),
        "item": ((*DIMS, "kind", "question"), item),
        "p": ((*DIMS, "person", "kind"), p),
    }
    return tree(posterior)


def dirichlet_process(k=20, seed=11):
    """A truncated Dirichlet process: three components hold the data, the others the prior."""
    rng = np.random.default_rng(seed)
    shape = (CHAINS, DRAWS)
    v = rng.beta(1, 1, (*shape, k))
    v[..., :3] = np.clip([0.4, 0.5, 0.95] + 0.02 * rng.standard_normal((*shape, 3)), 0.01, 0.99)
    v[..., -1] = 1
    left = np.concatenate([np.ones((*shape, 1)), np.cumprod(1 - v, axis=-1)[..., :-1]], axis=-1)
    w = v * left
    mu = rng.normal(0, 10, (*shape, k))
    mu[..., :3] = [-5, 0, 5] + 0.1 * rng.standard_normal((*shape, 3))
    sigma = rng.gamma(2, 1, (*shape, k)) + 0.2
    sigma[..., :3] = 1 + 0.05 * rng.standard_normal((*shape, 3))
    named = {"w": w, "mu": mu, "sigma": sigma, "v": v}
    y = rng.normal(np.array([-5, 0, 5])[rng.choice(3, 200, p=[0.4, 0.3, 0.3])], 1)
    return tree({name: ((*DIMS, "component"), value) for name, value in named.items()}, y)


def hierarchical(seed=12):
    """Means of components in each of four groups."""
    rng = np.random.default_rng(seed)
    labels = labels_of(2)
    truth = np.array([[0, 1, 0, 1], [5, 6, 5, 6.0]])
    mu = np.moveaxis(around(truth, 0.3, rng, labels), 2, 3)
    posterior = {
        "w": ((*DIMS, "component"), weights_around([0.3, 0.7], rng, labels)),
        "mu": ((*DIMS, "group", "component"), mu),
        "tau": (DIMS, np.abs(rng.standard_normal(labels.shape[:2])) + 1),
    }
    return tree(posterior)
