"""A multi-layer perceptron that is trained batch by batch, in NumPy, and its whole state as plain arrays.

Backpropagation of the squared error, Huber's, or the cross entropy. Weights begin as Glorot and Bengio (2010) say;
steps are Adam's (Kingma and Ba, 2014) or those of gradient descent with Nesterov's momentum. What is computed, and in
which order, is as in scikit-learn's MLPClassifier and MLPRegressor: a test compares weights with theirs.
"""

from itertools import pairwise

import numpy as np

from panel.embedded.labels import CLASSES
from panel.embedded.network import Array, Network, answers, listed, numbered, passed
from panel.embedded.plan import Plan

# On the squares of a classifier's weights. With returns of some thousandths it would be all that a regression learns.
PENALTY = 1e-4
MOMENTUM, FIRST, SECOND, TINY = 0.9, 0.9, 0.999, 1e-8  # of gradient descent; of Adam
_MOMENTS = {"adam": ("ms", "vs"), "sgd": ("velocities",)}  # what each optimizer remembers of every weight


class Perceptron:
    """It has no weights before it has learned its first batch. Weights, slopes and moments are each one vector, all
    matrices before all biases, since a network is small and each call of NumPy costs more than its numbers."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._steps = 0
        self._shapes: list[tuple[int, ...]] = []  # of matrices, then of biases

    def _begin(self, inputs: int) -> None:
        sizes = [inputs, *self._plan.layers.hidden, 1 if self._plan.regression else len(CLASSES)]
        self._shapes = [*pairwise(sizes), *((size,) for size in sizes[1:])]
        self._penalized = sum(one * other for one, other in pairwise(sizes))
        count = self._penalized + sum(sizes[1:])
        self._values, self._slopes = np.empty(count), np.empty(count)
        self._moments = {name: np.zeros(count) for name in _MOMENTS[self._plan.learning.optimizer]}
        self._layers, self._layer_slopes = self._split(self._values), self._split(self._slopes)
        chance = np.random.RandomState(self._plan.learning.random_seed)
        scale = 2.0 if self._plan.layers.activation == "sigmoid" else 6.0
        for (rows, columns), matrix, bias in zip(pairwise(sizes), *self._halves(self._layers), strict=True):
            bound = np.sqrt(scale / (rows + columns))
            matrix[...] = chance.uniform(-bound, bound, (rows, columns))
            bias[...] = chance.uniform(-bound, bound, columns)

    def _split(self, vector: Array) -> list[Array]:
        """Views of a vector in the shapes of the layers."""
        ends = np.cumsum([np.prod(shape) for shape in self._shapes])[:-1]
        return [part.reshape(shape) for part, shape in zip(np.split(vector, ends), self._shapes, strict=True)]

    @staticmethod
    def _halves(layers: list[Array]) -> tuple[list[Array], list[Array]]:
        return layers[: len(layers) // 2], layers[len(layers) // 2 :]

    def learn(self, inputs: Array, labels: Array, batch: int) -> None:
        """One step of the optimizer for each batch of `batch` rows, in order. `inputs` are rows × features. How rows
        are divided into calls makes no difference, if each call but the last holds whole batches."""
        if not self._shapes:
            self._begin(inputs.shape[1])
        targets = labels[:, np.newaxis] if self._plan.regression else np.eye(len(CLASSES))[labels]
        for start in range(0, len(labels), batch):
            rows = slice(start, start + batch)
            self._find_slopes(inputs[rows], targets[rows])
            self._step()

    def _find_slopes(self, inputs: Array, targets: Array) -> None:
        """Of the mean loss of these rows, by every weight."""
        learning, activation = self._plan.learning, self._plan.layers.activation
        matrices, biases = self._halves(self._layers)
        values = [inputs, *passed(inputs, matrices, biases, activation, self._plan.regression)]
        error = values[-1] - targets  # the slope of all three losses, by what goes into the last layer's function
        if self._plan.regression and learning.loss == "huber":
            np.clip(error, -learning.huber_delta, learning.huber_delta, out=error)
        for place, (matrix, bias) in reversed(list(enumerate(zip(*self._halves(self._layer_slopes), strict=True)))):
            before = values[place]
            np.matmul(before.T, error, out=matrix)
            np.add.reduce(error, axis=0, out=bias)
            if place:
                error = error @ matrices[place].T
                if activation == "relu":
                    error *= before > 0
                elif activation == "tanh":
                    error *= 1 - before**2
                else:
                    error *= before
                    error *= 1 - before
        if not self._plan.regression:
            self._slopes[: self._penalized] += PENALTY * self._values[: self._penalized]
        self._slopes /= len(inputs)

    def _step(self) -> None:
        rate, slopes = self._plan.learning.learning_rate, self._slopes
        if self._plan.learning.optimizer == "sgd":
            slopes *= rate
            velocities = self._moments["velocities"]
            velocities *= MOMENTUM
            velocities -= slopes
            self._values += MOMENTUM * velocities - slopes
            return
        self._steps += 1
        means, squares = self._moments["ms"], self._moments["vs"]
        means *= FIRST
        means += (1 - FIRST) * slopes
        squares *= SECOND
        squares += (1 - SECOND) * slopes**2
        rate = rate * np.sqrt(1 - SECOND**self._steps) / (1 - FIRST**self._steps)
        self._values -= rate * means / (np.sqrt(squares) + TINY)

    def outputs(self, inputs: Array) -> Array:
        """rows × features -> rows × classes, their chances; or rows, the returns of a regression."""
        return answers(inputs, *self._halves(self._layers), self._plan.layers.activation, self._plan.regression)

    def norm(self) -> float:
        """The square root of the sum of all squared weights, without biases."""
        return float(np.sqrt((self._values[: self._penalized] ** 2).sum()))

    def weights(self) -> tuple[Array, ...]:
        """Copies of all matrices, then of all biases."""
        return tuple(layer.copy() for layer in self._layers)

    def set_weights(self, values: tuple[Array, ...]) -> None:
        for layer, value in zip(self._layers, values, strict=True):
            layer[...] = value

    def state(self) -> tuple[int, dict[str, Array]]:
        """Steps done, and all that the next step depends on."""
        found = numbered("weights", self.weights())
        for name, moments in self._moments.items():
            found |= numbered(name, self._split(moments.copy()))
        return self._steps, found

    def restore(self, steps: int, state: dict[str, Array]) -> None:
        """Go on from `state`, bit for bit. Raises ValueError when it is not of this network."""
        weights = listed("weights", state)
        if not weights:
            raise ValueError("no weights")
        self._begin(weights[0].shape[0])
        if [layer.shape for layer in weights] != self._shapes:
            raise ValueError("other layers")
        self.set_weights(weights)
        for name, kept in self._moments.items():
            moments = listed(name, state)
            if [moment.shape for moment in moments] != self._shapes:
                raise ValueError("other moments")
            for part, moment in zip(self._split(kept), moments, strict=True):
                part[...] = moment
        self._steps = steps

    def network(self, offset: Array, factor: Array) -> Network:
        layers = self.weights()
        half = len(layers) // 2
        return Network(
            layers[:half], layers[half:], self._plan.layers.activation, self._plan.regression, offset, factor
        )
