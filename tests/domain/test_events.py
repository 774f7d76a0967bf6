"""Events reach every listener of their type, in order, whatever another listener does."""

import logging

from panel.domain.events import EventBus, QueueChanged, StartsChanged


def test_listeners_are_called_in_order_and_only_for_their_type():
    bus, heard = EventBus(), []
    bus.subscribe(QueueChanged, lambda event: heard.append(("first", event)))
    bus.subscribe(StartsChanged, lambda event: heard.append(("other", event)))
    bus.subscribe(QueueChanged, lambda event: heard.append(("second", event)))
    bus.publish(QueueChanged())
    assert heard == [("first", QueueChanged()), ("second", QueueChanged())]


def test_a_listener_that_fails_is_logged_and_costs_the_others_nothing(caplog):
    bus, heard = EventBus(), []

    def broken(event: QueueChanged) -> None:
        raise ValueError("broken listener")

    bus.subscribe(QueueChanged, broken)
    bus.subscribe(QueueChanged, heard.append)
    with caplog.at_level(logging.ERROR, "panel.domain.events"):
        bus.publish(QueueChanged())
    assert heard == [QueueChanged()]
    (record,) = caplog.records
    assert "QueueChanged" in record.message and "broken listener" in str(record.exc_info[1])


def test_a_listener_may_publish_and_subscribe():
    bus, heard = EventBus(), []
    bus.subscribe(StartsChanged, lambda _: bus.subscribe(QueueChanged, heard.append))
    bus.subscribe(StartsChanged, lambda _: bus.publish(QueueChanged()))
    bus.publish(StartsChanged())
    assert heard == [QueueChanged()]
