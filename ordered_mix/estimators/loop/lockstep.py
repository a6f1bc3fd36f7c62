"""Serial optimisers side by side: what they ask for at the same time is evaluated in one batch."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import Any, NamedTuple

import numpy as np

from ordered_mix.mixture import Array


class _Message(NamedTuple):
    """From job number ``sender``: a point to evaluate, or that it has ended."""

    sender: int
    point: Array | None
    outcome: Any = None
    error: BaseException | None = None


def lockstep[Job](
    jobs: Sequence[Callable[[Callable[[Array], Any]], Job]],
    evaluate: Callable[[Array], Sequence[Array]],
) -> list[Job]:
    """Run jobs that evaluate one function, one point at a time, with batched evaluations.

    Each job has a thread of its own; a round waits until every job that has not ended has asked
    for a point, so results depend neither on timing nor on the number of cores.

    Parameters
    ----------
    jobs : sequence of callable
        Each is called with a function that takes a point, shape (dimension,), and returns the
        entries of that point of what `evaluate` returns.
    evaluate : callable
        From points, shape (jobs, dimension), to a sequence of arrays of shape (jobs, ...).

    Returns
    -------
    list
        What the jobs return; an exception of one of them is raised here.
    """
    inbox: SimpleQueue[_Message] = SimpleQueue()
    replies: list[SimpleQueue[Any]] = [SimpleQueue() for _ in jobs]
    threads = [
        threading.Thread(target=_run, args=(number, job, inbox, replies[number]), daemon=True)
        for number, job in enumerate(jobs)
    ]
    for thread in threads:
        thread.start()
    ended: dict[int, _Message] = {}
    while len(ended) < len(jobs):
        round_ = [inbox.get() for _ in range(len(jobs) - len(ended))]
        ended |= {message.sender: message for message in round_ if message.point is None}
        asked = sorted((m for m in round_ if m.point is not None), key=lambda m: m.sender)
        if asked:
            _answer(asked, evaluate, replies)
    for message in ended.values():
        if message.error is not None:
            raise message.error
    return [ended[number].outcome for number in range(len(jobs))]


def _answer(asked: list[_Message], evaluate: Callable[..., Any], replies: list[Any]) -> None:
    try:
        values = evaluate(np.stack([m.point for m in asked if m.point is not None]))
    except BaseException:
        for message in asked:
            replies[message.sender].put(None)  # ends the threads; the error is raised from here
        raise
    for row, message in enumerate(asked):
        replies[message.sender].put(tuple(value[row] for value in values))


def _run(
    number: int,
    job: Callable[[Callable[[Array], Any]], Any],
    inbox: SimpleQueue[_Message],
    replies: SimpleQueue[Any],
) -> None:
    def ask(point: Array) -> Any:
        inbox.put(_Message(number, np.array(point)))
        reply = replies.get()
        if reply is None:
            raise RuntimeError("the evaluation failed")
        return reply

    try:
        inbox.put(_Message(number, None, job(ask)))
    except BaseException as error:
        inbox.put(_Message(number, None, error=error))
