"""Networks as files: the same answers after they were stored, and nothing in a file can run."""

import dataclasses
import io
import json
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest

from panel.embedded import measures, network, record
from panel.embedded.backtest import saved
from panel.embedded.features import Samples, Split
from panel.embedded.job import Failed, Stopped
from panel.embedded.network import Array, Network, Unreadable, load_arrays, save_arrays
from panel.embedded.perceptron import Perceptron
from panel.embedded.plan import ForwardReturn, Layers, Learning, Plan, ZigZag
from panel.embedded.training import checkpoint_file, train
from tests.embedded.conftest import job, seed

RECORDED = Path(__file__).parents[1] / "recordings" / "perceptron.npz"
RNG = np.random.default_rng(5)
INPUTS = RNG.normal(size=(300, 4))
CLASSES, RETURNS = RNG.integers(0, 3, 300), RNG.normal(0, 0.01, 300)


def plan(regression=False, optimizer="adam", activation="relu", hidden=(7, 3), loss="huber") -> Plan:
    learning = Learning(learning_rate=0.01, optimizer=optimizer, loss=loss)
    labels = ForwardReturn() if regression else ZigZag()
    return Plan(layers=Layers(hidden, activation), learning=learning, labels=labels)


def taught(wanted: Plan, steps: int) -> Perceptron:
    perceptron = Perceptron(wanted)
    for step in range(steps):
        rows = np.arange(step * 10, step * 10 + 50) % 300
        perceptron.learn(INPUTS[rows], RETURNS[rows] if wanted.regression else CLASSES[rows], 50)
    return perceptron


@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid"])
@pytest.mark.parametrize("regression", [False, True])
@pytest.mark.parametrize("hidden", [(7, 3), (5,), ()])
def test_a_stored_network_says_the_same(tmp_path, activation, regression, hidden):
    perceptron = taught(plan(regression, activation=activation, hidden=hidden), 20)
    offset, factor = np.array([0, 1.0, 0, -2]), np.array([1, 2.0, 1, 0.5])
    perceptron.network(offset, factor).save(tmp_path / "model.npz")
    network = Network.load(tmp_path / "model.npz")
    expected = perceptron.outputs((INPUTS - offset) * factor)
    np.testing.assert_allclose(network.outputs(INPUTS), expected, atol=1e-12)


@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid"])
@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
@pytest.mark.parametrize("regression", [False, True])
def test_weights_and_answers_are_scikit_learns(regression, optimizer, activation):
    """Recorded after five calls of `partial_fit` of scikit-learn 1.9.0's MLPClassifier and MLPRegressor (alpha 0) over
    INPUTS: layers (7, 3), batches of 32, a learning rate of 0.01, random_state 42, shuffle off."""
    wanted = plan(regression, optimizer, activation, loss="mse")
    perceptron = Perceptron(wanted)
    for _ in range(5):
        perceptron.learn(INPUTS, RETURNS if regression else CLASSES, 32)
    name = f"{'regression' if regression else 'classes'} {optimizer} {activation}"
    with np.load(RECORDED) as recorded:
        weights, outputs = recorded[name], recorded[f"{name} outputs"]
    found = np.concatenate([layer.ravel() for layer in perceptron.weights()])
    np.testing.assert_allclose(found, weights, rtol=0, atol=1e-9)
    np.testing.assert_allclose(perceptron.outputs(INPUTS[:20]), outputs, rtol=0, atol=1e-9)


def measured(inputs: Array, labels: Array, wanted: Plan, perceptron: Perceptron) -> tuple[Samples, dict]:
    test = Samples(np.arange(len(labels)), np.arange(len(labels)), inputs, labels)
    return test, measures.of_test(perceptron, Split(test, test, test, (0, 0, 0)), wanted)


def test_signals_that_are_right_are_counted_among_those_given_and_those_due():
    """A network that says BUY for the first input, HOLD for the second, SELL for the third."""
    wanted = plan(hidden=())
    perceptron = taught(wanted, 1)
    perceptron.set_weights((np.vstack([5 * np.eye(3), np.zeros(3)]), np.zeros(3)))
    predicted, labels = np.array([0, 0, 0, 1, 1, 2, 2]), np.array([0, 1, 2, 1, 0, 2, 0])
    test, found = measured(np.eye(4)[predicted], labels, wanted, perceptron)
    assert (found["precision"], found["recall"], found["f1_score"]) == (2 / 5, 2 / 5, 2 / 5)
    assert found["test_accuracy"] == 3 / 7
    right, wrong = np.exp(5) / (np.exp(5) + 2), 1 / (np.exp(5) + 2)
    assert found["test_loss"] == pytest.approx(-(3 * np.log(right) + 4 * np.log(wrong)) / 7)
    assert measures.confusion(perceptron.outputs(test.inputs), labels) == [[1, 1, 1], [1, 1, 0], [1, 0, 1]]
    nothing = measured(np.eye(4)[np.ones(7, int)], np.ones(7, int), wanted, perceptron)[1]
    assert not {"precision", "recall", "f1_score"} & nothing.keys() and nothing["test_accuracy"] == 1


@pytest.mark.parametrize("regression", [False, True])
def test_an_input_that_the_network_ignores_is_worth_nothing(regression):
    wanted = plan(regression, hidden=())
    perceptron = taught(wanted, 1)
    weights = np.zeros((4, 1 if regression else 3))
    weights[0, 0], weights[1, 0] = 5, 1
    perceptron.set_weights((weights, np.zeros(weights.shape[1])))
    predicted = perceptron.outputs(INPUTS)
    test = Samples(np.arange(300), np.arange(300), INPUTS.copy(), predicted if regression else predicted.argmax(axis=1))
    found = measures.importances(perceptron, test, wanted)
    assert found[0] > 3 * found[1] > 0 and found[2:] == [0, 0]
    np.testing.assert_array_equal(test.inputs, INPUTS)


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
@pytest.mark.parametrize("regression", [False, True])
@pytest.mark.parametrize("rows", [30, 90, 300])
def test_how_an_epoch_is_divided_into_calls_makes_no_difference(optimizer, regression, rows):
    wanted = plan(regression, optimizer, loss="mse")
    labels = RETURNS if regression else CLASSES
    whole, divided = Perceptron(wanted), Perceptron(wanted)
    for _ in range(3):
        whole.learn(INPUTS[:290], labels[:290], 30)
        for start in range(0, 290, rows):
            divided.learn(INPUTS[start : min(start + rows, 290)], labels[start : min(start + rows, 290)], 30)
    for left, right in zip(whole.weights(), divided.weights(), strict=True):
        np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
@pytest.mark.parametrize("regression", [False, True])
def test_a_restored_perceptron_goes_on_bit_for_bit(tmp_path, optimizer, regression):
    wanted = plan(regression, optimizer)
    straight, half = taught(wanted, 30), taught(wanted, 12)
    steps, state = half.state()
    save_arrays(tmp_path / "state.npz", {"steps": steps}, state)
    about, arrays = load_arrays(tmp_path / "state.npz")
    again = Perceptron(wanted)
    again.restore(about["steps"], arrays)
    for step in range(12, 30):
        rows = np.arange(step * 10, step * 10 + 50) % 300
        again.learn(INPUTS[rows], RETURNS[rows] if regression else CLASSES[rows], 50)
    for one, other in zip(again.weights(), straight.weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_state_of_another_network_is_refused():
    steps, state = taught(plan(), 3).state()
    for other in (plan(hidden=(6, 3)), plan(regression=True), plan(optimizer="sgd")):
        with pytest.raises(ValueError, match="other"):
            Perceptron(other).restore(steps, state)
    with pytest.raises(ValueError, match="no weights"):
        Perceptron(plan()).restore(steps, {})


def test_hubers_loss_follows_far_labels_only_as_far_as_delta():
    """A label far away pulls with delta, however far it is; one that is near as with the squared error."""
    squared = plan(regression=True, optimizer="sgd", loss="mse")
    wanted = dataclasses.replace(squared, learning=dataclasses.replace(squared.learning, loss="huber", huber_delta=10))
    one, other, third = taught(wanted, 1), taught(wanted, 1), taught(squared, 1)
    for left, right in zip(one.weights(), third.weights(), strict=True):
        np.testing.assert_array_equal(left, right)
    one.learn(INPUTS[:50], np.full(50, 100.0), 50)
    other.learn(INPUTS[:50], np.full(50, 1_000_000.0), 50)
    for near, far in zip(one.weights(), other.weights(), strict=True):
        np.testing.assert_allclose(near, far, atol=1e-9)
    third.learn(INPUTS[:50], np.full(50, 100.0), 50)
    assert np.abs(third.weights()[-1] - one.weights()[-1]).max() > 0.1


class Runs:
    """Unpickling it makes a file."""

    def __init__(self, place):
        self.place = str(place)

    def __reduce__(self):
        return open, (self.place, "w")


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    folder = tmp_path_factory.mktemp("house")
    seed(folder)
    return folder


def dangers(place):
    """Files whose opening by pickle makes `place`."""
    stored = io.BytesIO()
    with zipfile.ZipFile(stored, "w") as archive:
        header = io.BytesIO()
        np.lib.format.write_array(header, np.array([Runs(place)], dtype=object), allow_pickle=True)
        archive.writestr("weights_0.npy", header.getvalue())
        archive.writestr("about.npy", header.getvalue())
    return {"pickle": pickle.dumps(Runs(place)), "array": header.getvalue(), "arrays": stored.getvalue()}


@pytest.mark.parametrize("kind", ["pickle", "array", "arrays"])
def test_a_pickle_among_the_models_is_not_run(house, tmp_path, kind):
    ran = tmp_path / "ran"
    model = house / "models" / "small" / f"1h_{kind}"
    model.mkdir()
    for name in ("strategy.yaml", "model.json"):
        (model / name).write_bytes((house / "models" / "small" / "1h_v1" / name).read_bytes())
    (model / "model.npz").write_bytes(dangers(ran)[kind])
    with pytest.raises(Failed, match="cannot be read: it is damaged, or no file of arrays"):
        saved(house, f"models/small/1h_{kind}", "small")
    assert not ran.exists()


def test_a_model_of_an_earlier_version_is_not_opened_and_says_why(house, tmp_path):
    ran = tmp_path / "ran"
    model = house / "models" / "small" / "1h_old"
    model.mkdir()
    (model / "model.joblib").write_bytes(pickle.dumps(Runs(ran)))
    with pytest.raises(Failed, match="earlier version.*not opened; train it again"):
        saved(house, "models/small/1h_old", "small")
    assert not ran.exists()


@pytest.mark.parametrize("name", ["npz", "joblib"])
def test_a_checkpoint_is_not_run_either(house, tmp_path, name):
    ran, operation = tmp_path / "ran", f"op_{name}"
    request = {"strategy_name": "small", "symbols": ["EURUSD"], "timeframes": ["1h"]}
    work = job(house, operation, "training", request | {"folders": [str(house / "strategies")]})
    work.resumes = True
    file = checkpoint_file(house, operation)
    file.parent.mkdir(exist_ok=True)
    file.with_suffix(f".{name}").write_bytes(dangers(ran)["pickle"])
    with pytest.raises(Failed, match=r"tart the training again"):
        train(work)
    assert not ran.exists()


def test_a_network_that_does_not_fit_its_strategy_is_refused(house, tmp_path):
    model = house / "models" / "small" / "1h_other"
    model.mkdir()
    for name in ("strategy.yaml", "model.json"):
        (model / name).write_bytes((house / "models" / "small" / "1h_v1" / name).read_bytes())
    for other in (taught(plan(), 2), taught(plan(regression=True), 2)):
        other.network(np.zeros(4), np.ones(4)).save(model / "model.npz")
        with pytest.raises(Failed, match="its network is not the strategy's"):
            saved(house, "models/small/1h_other", "small")


@pytest.mark.parametrize(
    "change",
    [
        lambda arrays: arrays.pop("weights_1"),
        lambda arrays: arrays.update(weights_0=np.zeros((4, 9))),
        lambda arrays: arrays.update(biases_0=np.zeros(2)),
        lambda arrays: arrays.update(offset=np.zeros(3)),
        lambda arrays: arrays.update(weights_0=np.array([["a"]])),
    ],
)
def test_damaged_files_are_refused(tmp_path, change):
    file = tmp_path / "model.npz"
    taught(plan(), 2).network(np.zeros(4), np.ones(4)).save(file)
    about, arrays = load_arrays(file)
    change(arrays)
    save_arrays(file, about, arrays)
    with pytest.raises(Unreadable):
        Network.load(file)
    file.write_bytes(file.read_bytes()[:200])
    with pytest.raises(Unreadable, match="damaged"):
        Network.load(file)


def test_a_file_that_unpacks_to_too_much_is_refused_unread(tmp_path, monkeypatch):
    monkeypatch.setattr(network, "MAX_FILE", 1024 * 1024)
    file = tmp_path / "model.npz"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("weights_0.npy", "w") as member:
        member.write(bytes(2 * 1024 * 1024))
    with pytest.raises(Unreadable, match="too large"):
        load_arrays(file)


def variant(folder, name, change):
    """A strategy beside the small one."""
    text = change((folder / "strategies" / "small.yaml").read_text().replace("name: small", f"name: {name}"))
    (folder / "strategies" / f"{name}.yaml").write_text(text)
    request = {"strategy_name": name, "symbols": ["EURUSD"], "timeframes": ["1h"], "detailed_analytics": True}
    return job(folder, f"op_{name}", "training", request | {"folders": [str(folder / "strategies")]})


ZIGZAG = "labels: {source: zigzag, zigzag_threshold: 0.0008, label_lookahead: 12}"


def test_the_error_of_an_accuracy_allows_for_neighbours_that_are_right_together():
    """Answers that last 10 bars on average; two markets at the same moments count once."""
    chance, count = np.random.default_rng(1), 900

    def persistent() -> np.ndarray:
        return np.repeat(chance.random(count) < 0.4, chance.geometric(0.1, count))[:count]

    runs = [persistent() for _ in range(300)]
    spread, times = np.std([right.mean() for right in runs]), np.arange(count) * 3600
    errors = [measures.standard_error(right, times, 40) for right in runs]
    assert np.mean(errors) == pytest.approx(spread, rel=0.15) and spread > 3 * (0.24 / count) ** 0.5
    twice = measures.standard_error(np.repeat(runs[0], 2), np.repeat(times, 2), 40)
    assert twice == pytest.approx(errors[0])
    assert measures.standard_error(np.ones(count, bool), times, 40) == 0


def test_a_regression_is_trained_measured_and_stored(house):
    def change(text):
        costs = "{round_trip_cost: 0.0001, min_edge_multiplier: 1}"
        text = text.replace("{output_format: classification}", f"{{output_format: regression, cost_model: {costs}}}")
        return text.replace(ZIGZAG, "labels: {source: forward_return, horizon: 10}").replace("epochs: 3", "epochs: 40")

    result = train(variant(house, "returns", change))
    test = result["test_metrics"]
    assert result["model_info"]["output_format"] == "regression" and 0 <= test["test_accuracy"] <= 1
    assert 0 < test["mae"] < 0.02 and test["baseline_class"] in ("BUY", "SELL") and "precision" not in test
    assert test["commonest_accuracy"] >= max(test["baseline_accuracy"], 0.45) and test["commonest_class"] in (
        "BUY",
        "SELL",
    )
    assert set(result["artifacts"]) == {"feature_importance"}
    model = saved(house, result["model_path"], "returns")
    assert model.network.regression and model.plan.decisions.trade_threshold == pytest.approx(0.0001)
    json.dumps(result, allow_nan=False)


def test_triple_barrier_labels_and_raw_inputs_are_trained(house):
    def change(text):
        inputs = "  - {raw_indicator: rsi_14, timeframes: all, normalization: zscore}\nmodel:"
        text = text.replace(ZIGZAG, "labels: {source: triple_barrier, max_holding_period: 20, vol_span: 20}")
        return text.replace("\nmodel:", f"\n{inputs}")

    result = train(variant(house, "barriers", change))
    assert result["data_summary"]["feature_count"] == 3
    assert result["data_summary"]["labels"].items() >= {"source": "triple_barrier", "horizon": 20, "span": 20}.items()
    assert list(result["artifacts"]["feature_importance"])[-1] == "1h_rsi_14_raw"
    network = saved(house, result["model_path"], "barriers").network
    assert network.offset[:2].tolist() == [0, 0] and network.factor[:2].tolist() == [1, 1]
    assert 40 < network.offset[2] < 60 and 0 < network.factor[2] < 1, "the RSI's mean and deviation"


def test_a_resumed_regression_ends_as_if_it_had_never_stopped(house):
    def change(text):
        costs = "{round_trip_cost: 0.0001, min_edge_multiplier: 1}"
        text = text.replace("{output_format: classification}", f"{{output_format: regression, cost_model: {costs}}}")
        return text.replace(ZIGZAG, "labels: {source: forward_return, horizon: 10}").replace("epochs: 3", "epochs: 6")

    straight = train(variant(house, "whole", change))
    work = variant(house, "parted", change)
    report = work.report

    def stop(percentage, step, **more):
        report(percentage, step, **more)
        if step.startswith("Epoch 4/"):
            raise Stopped("enough", "cancelled")

    work.report = stop
    with pytest.raises(Stopped, match="enough"):
        train(work)
    work.report, work.resumes = report, True
    parted = train(work)
    assert parted["test_metrics"] == straight["test_metrics"]
    assert parted["training_metrics"]["history"] == straight["training_metrics"]["history"]


def test_a_file_whose_compressed_text_is_damaged_is_refused(tmp_path):
    file = tmp_path / "kept.npz"
    np.savez_compressed(file, trades=np.zeros(200))
    damaged = bytearray(file.read_bytes())
    begins = 30 + sum(int.from_bytes(damaged[at : at + 2], "little") for at in (26, 28))  # after the first header
    damaged[begins : begins + 8] = b"\xff" * 8
    file.write_bytes(damaged)
    with pytest.raises(Unreadable, match="damaged"):
        load_arrays(file)
    with pytest.raises(record.NotRecorded):
        record.trades(file)
