"""What EDC does that a specification would not lead one to expect."""

from typing import Final

from tests.conformance.edc.steps import Step

STEPS: Final[list[Step]] = []
