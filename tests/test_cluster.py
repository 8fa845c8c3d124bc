"""TF_CONFIG is read, machines wait for each other, and mistakes are named."""

from __future__ import annotations

import json
import socket
import threading

import pytest
from free_ports import free_ports

from cnnkit.errors import CnnkitError, UsageError
from cnnkit.training.cluster import cluster_of_environment
from cnnkit.training.meeting import meet

_TWO = {"worker": ["a:1", "b:2"]}


def _set(monkeypatch, cluster, job="worker", index=0):
    value = {"cluster": cluster, "task": {"type": job, "index": index}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(value))


def test_machines_are_counted_in_the_order_of_the_jobs(monkeypatch):
    _set(monkeypatch, {"worker": ["b:2", "c:3"], "chief": ["a:1"]}, "worker", 1)
    cluster = cluster_of_environment(10)
    assert cluster.addresses == ("a:1", "b:2", "c:3")
    assert (cluster.machine, cluster.size, cluster.name) == (2, 3, "machine 2 (c:3)")
    _set(monkeypatch, {"worker": ["b:2", "c:3"], "chief": ["a:1"]}, "chief", 0)
    assert cluster_of_environment(10).machine == 0


def test_without_other_machines_there_is_no_cluster(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    assert cluster_of_environment(10) is None
    monkeypatch.setenv("TF_CONFIG", "")
    assert cluster_of_environment(10) is None
    _set(monkeypatch, {"worker": ["a:1"]})
    assert cluster_of_environment(10) is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "Expecting property name"),
        ("[]", "'list' object has no attribute 'get'"),
        (json.dumps({"cluster": _TWO}), "'task' is missing"),
        (
            json.dumps({"cluster": _TWO, "task": {"type": "worker", "index": 2}}),
            "its task is worker 2, which is not in its cluster",
        ),
        (
            json.dumps({"cluster": {**_TWO, "ps": ["c:3"]}, "task": {}}),
            "it has the job 'ps'; cnnkit knows chief and worker",
        ),
    ],
)
def test_a_wrong_tf_config_is_refused(monkeypatch, text, reason):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(UsageError, match="TF_CONFIG does not say which machines") as caught:
        cluster_of_environment(10)
    assert reason in str(caught.value) and '{"type": "worker", "index": 0}' in str(caught.value)


def test_machines_meet_whoever_comes_first():
    addresses = [f"127.0.0.1:{port}" for port in free_ports(3)]
    met = []

    def come(machine):
        meet(addresses, machine, minutes=1)
        met.append(machine)
        # TensorFlow takes the port; here a server does, for those who come later.
        servers.append(socket.create_server(("", int(addresses[machine].rpartition(":")[2]))))

    servers = []
    threads = [threading.Thread(target=come, args=(machine,)) for machine in (2, 0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for server in servers:
        server.close()
    assert sorted(met) == [0, 1, 2]


def test_a_machine_that_does_not_come_is_named():
    addresses = [f"127.0.0.1:{port}" for port in free_ports(2)] + ["no-such-host.invalid:5"]
    with socket.create_server(("", int(addresses[1].rpartition(":")[2]))):
        with pytest.raises(CnnkitError) as caught:
            meet(addresses, 0, minutes=0.01)
    assert str(caught.value).startswith(
        "no-such-host.invalid:5 did not come within 0.01 minutes (runtime.wait_minutes)."
    )
    assert addresses[1] not in str(caught.value)


def test_a_taken_port_and_an_address_without_port_are_refused():
    (port,) = free_ports(1)
    with socket.create_server(("", port)), pytest.raises(UsageError, match="cannot be used: Addr"):
        meet([f"127.0.0.1:{port}", "b:2"], 0, minutes=1)
    with pytest.raises(UsageError, match="'hostonly'; expected one like host1:2222"):
        meet(["hostonly", "b:2"], 0, minutes=1)


def test_several_machines_name_the_one_that_was_lost(monkeypatch):
    from cnnkit.backend import tf

    _set(monkeypatch, {"worker": ["a:1", "b:2", "c:3"]})
    cluster = cluster_of_environment(7)
    message = "remote target /job:worker/replica:0/task:2 while calling /tensorflow.WorkerService"
    with pytest.raises(CnnkitError, match="^c:3 has ended, or cannot be reached"):
        with cluster.naming_lost_machines():
            raise tf.errors.UnavailableError(None, None, message)
    with pytest.raises(CnnkitError, match="did not answer within 7 minutes .*a:1, b:2, c:3"):
        with cluster.naming_lost_machines():
            raise tf.errors.DeadlineExceededError(None, None, "timed out")


def test_a_cross_validation_is_for_one_machine(monkeypatch, tmp_path):
    from cnnkit.config import config_from_text
    from cnnkit.training.fold_training import train_folds

    _set(monkeypatch, _TWO)
    config = config_from_text("data: {source: digits, image_size: 8}\nmodel: {layers: [flatten]}\n")
    with pytest.raises(UsageError, match="^A cross-validation trains on one machine, but the env"):
        train_folds(config, 3, name="a", runs_folder=tmp_path)
    assert not list(tmp_path.iterdir())
