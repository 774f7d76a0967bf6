"""Networks as files: plain arrays in NumPy's format, which cannot run anything when it is opened."""

import json
import zipfile
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from panel.files.archive import DAMAGE
from panel.files.drafts import draft_of

Array = np.ndarray[Any, np.dtype[Any]]

MAX_FILE = 256 * 1024 * 1024  # bytes, unpacked; the largest network that a strategy may have takes 84 MB
_ABOUT = "about"  # the array that holds everything else, as JSON

_ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "relu": lambda values: np.maximum(values, 0, out=values),
    "tanh": lambda values: np.tanh(values, out=values),
    "sigmoid": lambda values: 1 / (1 + np.exp(-np.clip(values, -500, 500))),
}


def passed(
    values: Array, matrices: Sequence[Array], biases: Sequence[Array], activation: str, regression: bool
) -> Iterator[Array]:
    """rows × inputs -> the values of each layer, rows × its size. The last one's are chances, or just numbers for a
    regression."""
    for number, (matrix, bias) in enumerate(zip(matrices, biases, strict=True), 1):
        values = values @ matrix
        values += bias
        if number < len(matrices):
            values = _ACTIVATIONS[activation](values)
        elif not regression:
            values -= values.max(axis=1, keepdims=True)
            np.exp(values, out=values)
            values /= values.sum(axis=1, keepdims=True)
        yield values


def answers(
    values: Array, matrices: Sequence[Array], biases: Sequence[Array], activation: str, regression: bool
) -> Array:
    """rows × inputs -> rows × classes, their chances; or rows, the returns of a regression."""
    last = deque(passed(values, matrices, biases, activation, regression), maxlen=1).pop()  # the others are not kept
    return last[:, 0] if regression else last


class Unreadable(Exception):
    """The file's content is invalid; the text says how."""


@dataclass(frozen=True, slots=True)
class Network:
    """A trained multi-layer perceptron."""

    weights: tuple[Array, ...]  # one matrix for each layer: inputs × outputs
    biases: tuple[Array, ...]
    activation: str  # of the hidden layers
    regression: bool
    offset: Array  # each input is (value - offset) × factor
    factor: Array

    def outputs(self, inputs: Array) -> Array:
        """rows × features as `features.network_inputs` gives them -> rows × classes, the chances; or rows, the returns
        of a regression."""
        scaled = (inputs - self.offset) * self.factor
        return answers(scaled, self.weights, self.biases, self.activation, self.regression)

    def save(self, file: Path) -> None:
        arrays = {"offset": self.offset, "factor": self.factor}
        arrays |= numbered("weights", self.weights) | numbered("biases", self.biases)
        save_arrays(file, {"activation": self.activation, "regression": self.regression}, arrays)

    @classmethod
    def load(cls, file: Path) -> "Network":
        """Raises Unreadable."""
        about, arrays = load_arrays(file)
        weights, biases = listed("weights", arrays), listed("biases", arrays)
        sizes = [weight.shape for weight in weights]
        fits = bool(weights) and len(weights) == len(biases) and all(len(size) == 2 for size in sizes)
        fits = fits and all(first[1] == then[0] for first, then in zip(sizes, sizes[1:], strict=False))
        fits = fits and all(bias.shape == size[1:] for bias, size in zip(biases, sizes, strict=False))
        ends = (sizes[0][0],) if fits else ()
        fits = fits and all(name in arrays and arrays[name].shape == ends for name in ("offset", "factor"))
        if not fits or about.get("activation") not in _ACTIVATIONS:
            raise Unreadable("its layers do not fit together")
        regression = about.get("regression") is True
        return cls(weights, biases, about["activation"], regression, arrays["offset"], arrays["factor"])


def save_arrays(file: Path, about: dict[str, Any], arrays: dict[str, Array]) -> None:
    """Complete when it appears."""
    encoded: Any = np.frombuffer(json.dumps(about).encode(), np.uint8)
    with draft_of(file) as draft, draft.open("wb") as stream:
        np.savez(stream, allow_pickle=False, **{_ABOUT: encoded, **arrays})


def load_arrays(file: Path) -> tuple[dict[str, Any], dict[str, Array]]:
    """What `save_arrays` wrote. Pickled objects are refused, never loaded. Raises Unreadable."""
    try:
        with zipfile.ZipFile(file) as archive:
            if sum(member.file_size for member in archive.infolist()) > MAX_FILE:
                raise Unreadable("it is too large")
        with np.load(file, allow_pickle=False) as found:
            arrays = {name: found[name] for name in found.files}
        about = json.loads(arrays.pop(_ABOUT).tobytes())
    except (OSError, MemoryError, *DAMAGE) as exc:
        raise Unreadable("it is damaged, or no file of arrays") from exc
    if not isinstance(about, dict) or not all(array.dtype.kind in "fiu" for array in arrays.values()):
        raise Unreadable("it does not hold numbers")
    return about, arrays


def numbered(name: str, arrays: Any) -> dict[str, Array]:
    return {f"{name}_{number}": array for number, array in enumerate(arrays)}


def listed(name: str, arrays: dict[str, Array]) -> tuple[Array, ...]:
    found: list[Array] = []
    while (array := arrays.get(f"{name}_{len(found)}")) is not None:
        found.append(array)
    return tuple(found)
