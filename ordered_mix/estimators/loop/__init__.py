"""The one loop of all estimators: their contract, batches of runs, stopping, traces, results."""
