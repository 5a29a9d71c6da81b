"""The package tried under a systemd of its own: a machine, other versions to upgrade between, and the steps."""
