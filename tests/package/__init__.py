"""What only the shipped files show: the built archive, the proxies' examples, the unit, the two commands."""
