"""What tests share: a small world told by first names, and programs started as processes."""
