"""Pictures of a tape: pure functions from events to scenes, and what shows them."""
