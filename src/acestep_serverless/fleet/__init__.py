"""How many workers should be alive? A pure policy, a fleet that follows it, and launchers that start and end
workers."""
