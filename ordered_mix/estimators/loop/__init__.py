"""The one loop of all estimators: batches of runs, stopping, traces, and what they return."""
