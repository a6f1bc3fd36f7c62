"""A pytest plugin: notes in the report of every test how many examples hypothesis tried."""

from functools import wraps

import pytest


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    handle = getattr(getattr(item, "obj", None), "hypothesis", None)
    if handle is None:
        return (yield)
    inner, tried = handle.inner_test, []

    @wraps(inner)
    def counted(*given, **named):
        tried.append(None)
        return inner(*given, **named)

    handle.inner_test = counted
    try:
        return (yield)
    finally:
        handle.inner_test = inner
        item.user_properties.append(("examples", len(tried)))
