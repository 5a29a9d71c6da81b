"""What several tests stand on: worlds, processes, doubles for the border."""
