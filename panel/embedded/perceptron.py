"""scikit-learn's multi-layer perceptron, taught batch by batch, and its whole state as plain arrays."""

from typing import Any

import numpy as np
from sklearn.neural_network import MLPClassifier, MLPRegressor

from panel.embedded.labels import CLASSES
from panel.embedded.network import Array, Network, listed, numbered
from panel.embedded.plan import Plan

_ACTIVATIONS = {"sigmoid": "logistic"}  # scikit-learn's name
_MOMENTS = {"adam": ("ms", "vs"), "sgd": ("velocities",)}  # what each optimizer remembers of every weight


class Perceptron:
    """`estimator` is scikit-learn's own. It has no weights before it has learned its first batch."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        kind = MLPRegressor if plan.regression else MLPClassifier
        # As at KTRDR: with returns of some thousandths for labels, a penalty on weights would be all that is learned.
        options: dict[str, Any] = {"alpha": 0.0} if plan.regression else {}
        self.estimator = kind(
            hidden_layer_sizes=plan.layers.hidden,
            activation=_ACTIVATIONS.get(plan.layers.activation, plan.layers.activation),
            solver=plan.learning.optimizer,
            learning_rate_init=plan.learning.learning_rate,
            random_state=plan.learning.random_seed,
            shuffle=False,  # the training shuffles the whole epoch itself
            **options,
        )

    @property
    def one_by_one(self) -> bool:
        """Whether each batch needs the outputs of the network as the batch before left it."""
        return self._plan.regression and self._plan.learning.loss == "huber"

    def learn(self, inputs: Array, labels: Array, batch: int) -> None:
        """One step of the optimizer for each batch of `batch` rows, in order. How the rows are divided into calls
        makes no difference, if each call but the last holds whole batches; a call costs a millisecond."""
        self.estimator.batch_size = min(batch, len(labels))
        if self._plan.regression:
            self.estimator.partial_fit(inputs, self._targets(inputs, labels))
        else:
            self.estimator.partial_fit(inputs, labels, classes=range(len(CLASSES)))

    def _targets(self, inputs: Array, labels: Array) -> Array:
        """scikit-learn knows the squared error only, whose gradient is the error. Huber's is the error cut at delta: so
        labels are moved that close. The first batch has no weights to say an error, and is learned as it is."""
        if self._plan.learning.loss != "huber" or not hasattr(self.estimator, "coefs_"):
            return labels
        said, delta = self.outputs(inputs), self._plan.learning.huber_delta
        moved: Array = said - np.clip(said - labels, -delta, delta)
        return moved

    def outputs(self, inputs: Array) -> Array:
        """Chances of the classes, or returns."""
        says = self.estimator.predict if self._plan.regression else self.estimator.predict_proba
        found: Array = says(inputs)
        return found

    def weights(self) -> tuple[Array, ...]:
        """Copies of all matrices, then of all biases."""
        return tuple(layer.copy() for layer in (*self.estimator.coefs_, *self.estimator.intercepts_))

    def set_weights(self, values: tuple[Array, ...]) -> None:
        for layer, value in zip((*self.estimator.coefs_, *self.estimator.intercepts_), values, strict=True):
            layer[...] = value

    def state(self) -> tuple[int, dict[str, Array]]:
        """Steps done, and all that the next step depends on."""
        optimizer = self.estimator._optimizer
        found = numbered("weights", self.weights())
        for name in _MOMENTS[self._plan.learning.optimizer]:
            found |= numbered(name, [moment.copy() for moment in getattr(optimizer, name)])
        return getattr(optimizer, "t", 0), found

    def restore(self, steps: int, state: dict[str, Array]) -> None:
        """Go on from `state`, bit for bit. Raises ValueError when it is not of this network."""
        weights = listed("weights", state)
        if not weights:
            raise ValueError("no weights")
        # scikit-learn makes everything in the right shape when it learns something; then all of it is replaced.
        rows = np.zeros((len(CLASSES), weights[0].shape[0]))
        labels = np.zeros(len(CLASSES)) if self._plan.regression else np.arange(len(CLASSES))
        self.learn(rows, labels, len(CLASSES))
        optimizer = self.estimator._optimizer
        if [layer.shape for layer in self.weights()] != [layer.shape for layer in weights]:
            raise ValueError("other layers")
        self.set_weights(weights)
        for name in _MOMENTS[self._plan.learning.optimizer]:
            moments = list(listed(name, state))
            if [moment.shape for moment in moments] != [layer.shape for layer in weights]:
                raise ValueError("other moments")
            setattr(optimizer, name, moments)
        optimizer.t = steps

    def network(self, offset: Array, factor: Array) -> Network:
        layers = self.weights()
        half = len(layers) // 2
        return Network(
            layers[:half], layers[half:], self._plan.layers.activation, self._plan.regression, offset, factor
        )
