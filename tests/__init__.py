"""The tests. `packaging/test` runs them."""
