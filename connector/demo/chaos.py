"""Chaos: connectors are killed at random moments in the middle of ten random steps, and served again at once."""

import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from connector.demo.cast import Actor

KILLS: Final = 10
INVOLVED: Final = 0.75
"""Share of the kills that fall on a connector that the step needs; the others may fall on any."""


class Chaos:
    """Kills at each of ten random steps of a story.

    A moment is drawn between nothing and what the step is expected to take; a step that is over sooner hands its
    kill on to the next, so that every kill falls into running work and there are always ten.

    Args:
        seed: decides steps, moments and victims.
        steps: how many steps there are to choose from.
        cast: who may be killed.
        kill: kills one of them, in the middle of the step of this name.
    """

    def __init__(self, seed: int, steps: int, cast: Sequence[Actor], kill: Callable[[Actor, str], None]) -> None:
        self.done = 0
        self._roll = random.Random(seed)  # noqa: S311 - a dice, not a secret
        self._chosen = set(self._roll.sample(range(steps), KILLS))
        self._steps = steps
        self._cast = cast
        self._kill = kill
        self._step = 0
        self._pace = 1.0
        self._turn = threading.Lock()

    @contextmanager
    def during(self, what: str, seconds: float, involved: Sequence[Actor]) -> Iterator[None]:
        """Run a step, with a kill in it where its turn has come.

        Args:
            what: the step, for people.
            seconds: how long it takes about on an idle machine.
            involved: whose connectors it needs.
        """
        owed = sum(step <= self._step for step in self._chosen) - self.done
        self._step += 1
        over = threading.Event()
        if owed > 0:
            # Where there are no more steps than kills, none can be handed on: they come at once.
            spare = self._steps - self._step - (KILLS - self.done)
            share = self._roll.random() if spare >= 0 else 0.0
            victim = self._roll.choice(involved if self._roll.random() < INVOLVED else self._cast)
            moment = share * seconds * self._pace
            threading.Thread(target=self._strike, args=(over, moment, victim, what), daemon=True).start()
        begun, before = time.monotonic(), self.done
        try:
            yield
        finally:
            with self._turn:
                over.set()
        if self.done == before:
            # How much slower than expected this machine is now, from the steps in which nobody died.
            self._pace += ((time.monotonic() - begun) / seconds - self._pace) / 4

    def _strike(self, over: threading.Event, moment: float, victim: Actor, what: str) -> None:
        over.wait(moment)
        with self._turn:
            if not over.is_set():
                self.done += 1
                self._kill(victim, what)
