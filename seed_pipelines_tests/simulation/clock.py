"""A clock that runs faster than the world's, and can be put forward."""

import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta


@dataclass(slots=True, kw_only=True)
class Clock:
    """Simulated time: `speed` simulated seconds pass in each real one."""

    start: datetime
    speed: float
    _began: float = field(default_factory=time.monotonic)

    def now(self) -> datetime:
        return self.start + timedelta(seconds=(time.monotonic() - self._began) * self.speed)

    def sleep(self, seconds: float) -> None:
        """So many simulated seconds."""
        time.sleep(max(0.0, seconds) / self.speed)

    def put_forward(self, moment: datetime) -> None:
        """Nobody may be sleeping."""
        self.start, self._began = moment, time.monotonic()
