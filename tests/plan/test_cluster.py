"""A sweep on a Dask cluster: the same bytes as without, and one line for each thing that can be wrong with it."""

import importlib
import socket
import time
import warnings

import pytest

from espnow.errors import UserError
from espnow.plan import cluster, planfile, run
from espnow.plan.store import PART, WHOLE

distributed = pytest.importorskip("distributed")

# Threads of this process that Dask leaves, and what it thinks of a computer that is busy.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning", "ignore::UserWarning")


@pytest.fixture(scope="module")
def address():
    """A scheduler and a worker in this process, with a port of this computer."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with distributed.LocalCluster(
            n_workers=1,
            threads_per_worker=1,
            processes=False,
            protocol="tcp",
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
        ) as found:
            yield found.scheduler_address


def test_a_cluster_gives_the_same_bytes_as_processes(command, plan, tmp_path, address):
    assert command(plan, "--workers", 1, "--out", "here")[0] == 0
    code, out, err = command(plan, "--dask", address, "--out", "there")
    assert (code, err) == (0, [])
    assert [line.split()[:2] for line in out[1:3]] == [["1", "report"], ["3", "report"]]
    for name in (WHOLE, "summary.csv"):
        assert (tmp_path / "here" / name).read_bytes() == (tmp_path / "there" / name).read_bytes()


def test_results_come_as_soon_as_they_are_there_and_the_bar_grows(plan, address):
    shown = []
    work = run.work_of(planfile.read(plan), 20)  # more than are under way at once
    client = cluster.connect(address)
    try:
        found = {record["run"] for record in cluster.execute(work, client, shown.append)}
    finally:
        client.close()
    assert found == {each.key for each in work}
    assert shown == sorted(shown)
    assert shown[-1] == pytest.approx(1)


def test_an_interrupt_keeps_what_is_done_and_stops_what_runs(command, plan, tmp_path, address, monkeypatch):
    """Ctrl-C comes when the first point is done, and each run of the second one takes hours."""
    plan.write_text(plan.read_text().replace("station.leaf.count = [1, 3]", 'duration = ["40ms", "20h"]'))
    wait = distributed.wait

    def interrupted(*arguments, **options):
        if len((tmp_path / "plan-results" / PART).read_text().splitlines()) == 2:
            raise KeyboardInterrupt
        return wait(*arguments, **options)

    monkeypatch.setattr(distributed, "wait", interrupted)
    code, out, err = command(plan, "--dask", address)
    assert code == 130
    assert err[-1].startswith("espnow plan: interrupted; 2 of 4 runs are in ")
    assert out[1].split()[:2] == ["40ms", "report"]
    client = cluster.connect(address)
    try:
        deadline = time.monotonic() + 15
        while any(client.processing().values()) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not any(client.processing().values())
        assert client.submit(abs, -3).result(timeout=5) == 3  # its thread is free
    finally:
        client.close()


def test_another_version_of_the_model_is_refused(plan, address, monkeypatch):
    work = run.work_of(planfile.read(plan))
    client = cluster.connect(address)
    try:
        with monkeypatch.context() as patch:
            patch.setattr(cluster, "model_key", iter(["another", *["this"] * 1000]).__next__)
            with pytest.raises(UserError, match="a worker of the cluster has another version of espnow"):
                list(cluster.execute(work[:1], client))
    finally:
        client.close()


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ModuleNotFoundError("no", name="espnow.plan"), "the workers of the cluster have no espnow: pip install"),
        (distributed.KilledWorker("task", None, 3), "a worker of the cluster was ended from outside"),
        (UserError("traffic[0].to: nobody"), r"traffic\[0\]\.to: nobody"),
    ],
)
def test_what_goes_wrong_in_a_worker_is_one_line(error, told):
    class Failed:
        def result(self):
            raise error

    with pytest.raises(UserError, match=told):
        cluster._result(Failed())


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.mark.parametrize("address", ["nonsense://x", "tcp://127.0.0.1:{port}", "", "tcp://127.0.0.1:x"])
def test_a_cluster_that_is_not_there_is_one_line(command, plan, tmp_path, address, monkeypatch):
    monkeypatch.setattr(cluster, "_CONNECT_S", 0.5)
    address = address.format(port=free_port())
    code, out, err = command(plan, "--dask", address)
    assert (code, out, len(err)) == (2, [], 1)
    assert err[0].startswith(f"espnow plan: --dask: no scheduler answers at {address}: ")
    assert not (tmp_path / "plan-results").exists()


def test_workers_are_the_clusters_own(command, plan):
    assert command(plan, "--dask", "tcp://127.0.0.1:1", "--workers", 2)[2] == [
        "espnow plan: --workers is for this computer, and a cluster has its own: leave it away with --dask"
    ]


def test_dask_that_is_missing_is_named(command, plan, monkeypatch):
    def missing(name):
        if name == "distributed":
            raise ImportError
        return importlib.import_module(name)

    monkeypatch.setattr(cluster, "import_module", missing)
    code, out, err = command(plan, "--dask", "tcp://127.0.0.1:1")
    assert (code, out, err) == (2, [], ["espnow plan: --dask needs Dask: pip install 'espnow[dask]'"])
