"""The core under fire: real processes, a Meta of our own, and a checker that believes neither."""
