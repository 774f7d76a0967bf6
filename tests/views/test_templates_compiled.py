"""Templates are compiled before anybody waits for them."""

from panel.views import templating


def test_all_are_compiled_and_the_home_pages_come_first(monkeypatch):
    fresh, order = templating.environment.overlay(cache_size=-1), list[str]()
    monkeypatch.setattr(templating, "environment", fresh)
    load = fresh.get_template
    monkeypatch.setattr(fresh, "get_template", lambda name, *more: (order.append(name), load(name, *more))[1])
    templating.compile_templates()
    assert set(order) == set(fresh.list_templates()) and len(order) == len(set(order))
    first = [name.startswith(templating.FIRST) for name in order]
    assert any(first) and first == sorted(first, reverse=True)
