"""A cost ceiling: what may still be begun so that it is not passed."""


class Budget:
    """What may be spent (US dollars; None: anything) and what has been (None once a price is unknown).

    The first call runs alone, to learn a price; then as many run at once as the dearest so far allows. Who begins or
    ends calls in several threads brings a lock.
    """

    def __init__(self, most: float | None) -> None:
        self.most = most
        self.spent: float | None = 0.0
        self.dearest: float | None = None
        self.running = 0

    def begin(self) -> bool:
        """Count one more call as begun, if that can be judged now; if not, one that runs must end first."""
        if self.refusal or not (self.most is None or self._allows()):
            return False
        self.running += 1
        return True

    @property
    def refusal(self) -> str:
        """Why no further call may be made, whatever ends; empty if one may, or may later."""
        if self.most is None or self.running:
            return ""
        if self.spent is None:
            return "cost ceiling: the price of a call is unknown"
        return "" if self._allows() else f"cost ceiling of ${self.most:g} reached"

    def _allows(self) -> bool:
        if self.most is None or self.spent is None or self.most <= 0:
            return False
        if self.dearest is None:
            return self.running == 0
        return self.spent + (self.running + 1) * self.dearest <= self.most

    def end(self, cost: float | None) -> None:
        """A call is over; it was billed *cost*, None if nobody knows."""
        self.running -= 1
        if cost is None or self.spent is None:
            self.spent = None
        else:
            self.spent += cost
            self.dearest = max(cost, self.dearest or 0.0)

    def end_free(self) -> None:
        """A call is over that nobody was asked for: the cache had the answer, so it tells no price."""
        self.running -= 1
