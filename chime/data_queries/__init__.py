"""Query your own data: read-only SQL over views whose names and columns stay.

A question runs in a process of its own with limits of rows, time and memory, and can name nothing but the views; that
somebody asks, and what, is written down before a row is shown. Whoever sees numbers masked sees them masked here too,
and no free text. Only who reaches everything may ask: a question cannot be narrowed to somebody's teams or numbers.
"""




