"""The parts of a stream on the workers of Dask, each of which sums what it keeps."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from distributed import CancelledError, Client, KilledWorker

from ordered_mix.errors import RunError
from ordered_mix.files.blocks import ArrayPart, DelayedPart, Part
from ordered_mix.stream.ahead import read_ahead

SHARE = 0.5
"""Part of the memory of all workers that parts may fill."""


class Workers:
    """The workers of a client, as `Stream` uses them.

    A part is read by a task of Dask, whose result stays where it was computed; a pass is one
    further task for each part, which returns its sums. If a worker is lost Dask runs the tasks
    again whose results went with it, so its parts are read again, elsewhere. Sums are added by this
    process, each rounded once: which worker computed them does not matter. Parts that would not fit
    into half of the workers' memory are read again for every pass.

    Parameters
    ----------
    client : distributed.Client
        Its workers must see files at the same path as this process.
    parts : sequence of Part
    """

    def __init__(self, client: Client, parts: Sequence[Part]) -> None:
        self.client, self.parts = client, parts

    def over(self, task: Callable[..., Any], *given: Any) -> Iterator[Any]:
        """What a task makes of the blocks of each part, in their order.

        Raises
        ------
        RunError
            If the scheduler, or workers again and again, are lost.
        """
        try:
            futures: list[Any] = [
                self.client.submit(apply, one, task, *given, pure=False) for one in self._placed
            ]
            for at, future in enumerate(futures):
                yield future.result()
                futures[at] = None  # its result may be large
        except KilledWorker as error:
            raise RunError(f"workers are lost again and again over one part: {error}") from None
        except (CancelledError, OSError) as error:
            raise RunError(f"the Dask scheduler is lost ({error})") from error

    @cached_property
    def _placed(self) -> list[Any]:
        """Parts as futures that workers keep, or as they are if they would not fit."""
        workers = self.client.scheduler_info(-1)["workers"].values()
        # one without a limit has none
        room = SHARE * sum(one["memory_limit"] or np.inf for one in workers)
        if sum(part.bytes for part in self.parts) > room:
            return list(self.parts)
        return [self._read(part) for part in self.parts]

    def _read(self, part: Part) -> Any:
        if isinstance(part, DelayedPart):
            return self.client.submit(part.loaded, self.client.compute(part.delayed), pure=False)
        return self.client.submit(in_memory, part, pure=False)


def apply(part: Part, task: Callable[..., Any], *given: Any) -> Any:
    """A task on the blocks of one part; runs on a worker."""
    if isinstance(part, ArrayPart):
        return task(part.blocks(), *given)
    return task((block for _, block in read_ahead([part])), *given)


def in_memory(part: Part) -> ArrayPart:
    """A part with all its rows; runs on a worker."""
    blocks = list(part.blocks())
    if not blocks:
        return ArrayPart(np.empty(0))
    weights = [block.weight for block in blocks if block.weight is not None]
    y = np.concatenate([block.y for block in blocks])
    return ArrayPart(y, np.concatenate(weights) if weights else None)
