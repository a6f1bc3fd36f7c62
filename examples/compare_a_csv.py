"""
Compare parameterizations on a column of a CSV file
===================================================

Do the chains agree, does the mixture describe the data, which parameterization is best? In a
notebook the result renders as a report. Here short runs of two parameterizations; the defaults
take about a minute.
"""

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

import ordered_mix

rng = np.random.default_rng(1)
heights = np.concatenate([rng.normal(162, 6, 90), rng.normal(178, 6, 110)])
file = Path(tempfile.mkdtemp()) / "people.csv"
pd.DataFrame({"height": heights}).to_csv(file, index=False)

data = ordered_mix.load(f"{file}:height")
found = ordered_mix.compare(data, parameterizations=("unordered", "ordered"), draws=400, tune=400)
for verdict in found.verdicts:
    print(f"{verdict.question}\n    {verdict.answer}")
