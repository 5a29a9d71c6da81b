"""One module for each way of hurting an office server; `tests.reliability.scenario` says what each of them has."""
