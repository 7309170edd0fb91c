"""Running a plan on a Dask cluster: the same runs as in processes of this computer, with the same results to the bit.

Rules:

- A run goes there as values and comes back as values. Its worker must have this version of the model, or refuses.
- Few are under way at once, so that an interrupt has little to take back. A run that was given up stops at its next
  piece.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from importlib import import_module
from itertools import islice
from typing import Any

from espnow.errors import UserError
from espnow.frame.text import printable
from espnow.plan.planfile import model_key
from espnow.plan.run import Stopped, Work, run_once

__all__ = ["connect", "execute"]

_CONNECT_S = 10
_LOOK_S = 0.2
#: So many runs are under way at the least: a cluster may get its workers when there is something to do.
_LEAST = 8


def connect(address: str) -> Any:
    """Return a client of a cluster; it is to be closed.

    Args:
        address: of the scheduler, as in ``tcp://10.0.0.5:8786``.

    Raises:
        UserError: Dask is missing, or no cluster answers there.
    """
    try:
        distributed = import_module("distributed")
    except ImportError:
        raise UserError("--dask needs Dask: pip install 'espnow[dask]'") from None
    logging = import_module("logging")
    for name in [name for name in logging.root.manager.loggerDict if name.partition(".")[0] == "distributed"]:
        logging.getLogger(name).setLevel("CRITICAL")  # what it logs when nobody answers is what is raised
    try:
        return distributed.Client(address, timeout=_CONNECT_S)
    except (OSError, ValueError, TypeError) as error:  # of the network; of the address
        told = printable(str(error).partition("\n")[0])
        raise UserError(
            f"--dask: no scheduler answers at {printable(address)}: {told}; write its address, as in "
            "tcp://10.0.0.5:8786"
        ) from None


def execute(
    work: Sequence[Work], client: Any, progress: Callable[[float], None] = lambda _: None
) -> Generator[dict[str, Any], None, None]:
    """Run all of it, and return what came of each as soon as it is there.

    Closing the iterator stops what runs.

    Args:
        work: what is to be run.
        client: of the cluster.
        progress: called often, with how much is done, 0 to 1.

    Raises:
        UserError: something is wrong with a plan or with the cluster.
    """
    distributed = import_module("distributed")
    whole = sum(each.weight for each in work) or 1.0
    done = 0.0
    waiting = iter(work)
    running: dict[Any, Work] = {}
    try:
        while True:
            most = max(_LEAST, 2 * sum(client.nthreads().values()))
            for each in islice(waiting, most - len(running)):
                running[client.submit(_run_in_worker, each, model_key(), pure=False)] = each
            if not running:
                return
            with suppress(TimeoutError):
                distributed.wait(list(running), timeout=_LOOK_S, return_when="FIRST_COMPLETED")
            for future in [future for future in running if future.done()]:
                done += running.pop(future).weight / whole
                yield _result(future)
            progress(done)
    except (OSError, distributed.CancelledError):
        raise UserError("the cluster is gone; the runs that are done are kept, and --resume does the others") from None
    finally:
        if running:
            with suppress(OSError, TimeoutError):
                client.cancel(list(running))


def _result(future: Any) -> dict[str, Any]:
    """Return what came of a run."""
    try:
        found: dict[str, Any] = future.result()
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "espnow":
            raise
        raise UserError("the workers of the cluster have no espnow: pip install espnow there, too") from None
    except import_module("distributed").KilledWorker:
        raise UserError("a worker of the cluster was ended from outside, as where memory is short") from None
    return found


# In a worker of the cluster.


def _run_in_worker(work: Work, model: str) -> dict[str, Any]:
    """Run, unless the client has gone or changed its mind."""
    if model != model_key():
        raise UserError("a worker of the cluster has another version of espnow: install the same one there")
    worker = import_module("distributed").get_worker()
    key = worker.get_current_task()

    def step(_share: float) -> None:
        task = worker.state.tasks.get(key)
        if task is None or task.state == "cancelled":
            raise Stopped

    return run_once(work, step)
