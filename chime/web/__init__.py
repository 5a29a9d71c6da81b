"""The HTTP kit that knows no feature: services, guards, sessions, forms, pages, errors, lists, live nudges."""
