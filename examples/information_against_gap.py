"""
The spectrum of the Fisher information against the gap
======================================================

Where components coincide one direction cannot be estimated: an eigenvalue vanishes. Two unit
normals with equal weights; all of (w, mu, sigma) unknown, in the coordinates of a parameterization.
"""

import matplotlib.pyplot as plt
import numpy as np

import ordered_mix
from ordered_mix.theory import fisher

relative = ordered_mix.parameterization("relative", k=2)
gaps = np.geomspace(0.5, 5, 12)
half = gaps[:, None] / 2 * [-1, 1]
pairs = ordered_mix.Mixture(np.full_like(half, 0.5), half, np.ones_like(half))
spectra = fisher.spectrum(pairs, relative.jacobian(relative.unconstrain(pairs)))

figure, axis = plt.subplots(layout="constrained")
axis.loglog(gaps, spectra, marker=".")
axis.set(title="Eigenvalues of the Fisher information against the gap")
axis.set(xlabel="gap, in standard deviations", ylabel="eigenvalue")
print(f"condition number {spectra[0].max() / spectra[0].min():.3g} at gap {gaps[0]:.1f}, "
      f"{spectra[-1].max() / spectra[-1].min():.3g} at gap {gaps[-1]:.1f}")  # fmt: skip
plt.show()
