"""A token bucket: so much a minute, evenly."""


class Bucket:
    """Lets *per_minute* through, at most a second's worth of it at once.

    Who takes when it is empty goes into its debt, and waits until that is paid; so those who wait have each a time of
    their own, in the order they came, and nobody has to look again. The clock is the caller's, in seconds.
    """

    def __init__(self, per_minute: float, now: float) -> None:
        self.rate = per_minute / 60
        self.most = max(self.rate, 1.0)
        self.level = self.most
        self.at = now

    def take(self, amount: float, now: float) -> float:
        """Take *amount*; the seconds to wait until it may be used."""
        self._fill(now)
        # More than fits can only be had from a full bucket, and is paid for afterwards.
        missing = min(amount, self.most) - self.level
        self.level -= amount
        return max(0.0, missing / self.rate)

    def give(self, amount: float, now: float) -> None:
        """Give *amount* back, or take it if it is negative: what was taken was an estimate."""
        self._fill(now)
        self.level = min(self.most, self.level + amount)

    def _fill(self, now: float) -> None:
        self.level = min(self.most, self.level + (now - self.at) * self.rate)
        self.at = now
