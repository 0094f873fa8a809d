"""The events of an engine's parts, such as replicas, as a run tells them."""

from collections.abc import Callable

from llmbatch.engines.parts import PartEvent
from llmbatch.pipeline.monitoring.progress import Observer


def tell(event: PartEvent, observer: Observer, died: Callable[[PartEvent], None]) -> None:
    """Tell an event to the run's log and, unless the loss of its requests is told, to the user;
    `died` is called for the death of a part."""
    of_death = {"reason": event.died, "in_flight": event.in_flight} if event.died else {}
    observer.event(event.name, part=event.part, **of_death)
    if event.died:
        died(event)
    if not event.in_flight:
        observer.phase(event.text)
