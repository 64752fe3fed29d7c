"""Metrics read by the parser of prometheus_client."""

from __future__ import annotations

from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

import kmsfast
from kmsfast.metrics import Collector

__all__ = ["Scrape", "scrape"]


class Scrape:
    """The samples of one page."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.families = {each.name: each for each in text_string_to_metric_families(text)}
        self.samples = [each for family in self.families.values() for each in family.samples]

    def all(self, name: str, **labels: str) -> dict[tuple[str, ...], float]:
        """The values of a sample with these labels, by its other labels in order of their names."""
        return {
            tuple(value for label, value in sorted(each.labels.items()) if label not in labels):
                each.value
            for each in self.samples
            if each.name == name and labels.items() <= each.labels.items()
        }  # fmt: skip

    def value(self, name: str, **labels: str) -> float:
        """The one value of a sample with these labels; 0 where there is none."""
        found = self.all(name, **labels)
        assert len(found) <= 1, found
        return next(iter(found.values()), 0.0)


def scrape(kms: kmsfast.Kms, **options: Any) -> Scrape:
    """What a program that registers a collector shows."""
    registry = CollectorRegistry()
    registry.register(Collector(kms, **options))
    return Scrape(generate_latest(registry).decode())
