"""The tests of a walk-forward as one curve."""

from panel.views.joined_curve import HEIGHT, WIDTH, Step, joined_curve


def _points(line):
    return [tuple(map(float, point.split(","))) for point in line.split()]


def test_each_test_begins_with_what_the_one_before_it_left():
    curve = joined_curve([Step("2024-01-01", "2024-02-01", 0.1, 0.0), Step("2024-02-01", "2024-03-01", 0.1, -0.1)])
    model, held = _points(curve.model), _points(curve.held)
    assert round(curve.high, 4) == 0.21 and round(curve.low, 4) == -0.1
    assert [x for x, _ in model] == [x for x, _ in held] == [0, WIDTH / 2, WIDTH]
    assert model[0][1] == held[0][1] == curve.zero  # both begin with no return
    assert 0 < model[2][1] < model[1][1] < curve.zero < held[2][1] < HEIGHT
    assert (curve.first, curve.last) == ("2024-01-01", "2024-03-01")


def test_what_buying_gave_is_drawn_only_when_it_is_known_of_every_test():
    curve = joined_curve([Step("a", "b", 0.0, 0.2), Step("b", "c", 0.0, None)])
    assert curve.held == "" and {y for _, y in _points(curve.model)} == {curve.zero}
    assert joined_curve([Step("a", "b", 0.1, 0.1)]) is None
