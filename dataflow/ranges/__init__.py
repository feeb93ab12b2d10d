"""Which values each signal can take: interval arithmetic, observation, orders of sums."""
