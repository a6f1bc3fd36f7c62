"""
Run a study from Python
=======================

The same as ``ordered-mix run em_rates --size smoke``: cells, tables, claims. In a notebook the
result shows its verdicts and its first figure.
"""

import tempfile

from ordered_mix.engine.run import load_study, run_study
from ordered_mix.study.sentences import answer

if __name__ == "__main__":  # the workers import this file
    study = load_study("em_rates")
    result = run_study(study, "smoke", out=tempfile.mkdtemp(), workers=1)
    for verdict in result.verdicts:
        print(f"{verdict.outcome}: {verdict.claim.statement}")
    print(answer(result))
