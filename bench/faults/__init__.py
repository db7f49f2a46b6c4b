"""What the board survives: every kind of fault made with real parts, each figure beside its goal.

`python -m bench.faults [NAME …] [--list]`; LONG=1 takes the full numbers. What was acknowledged is written down by the
client that sent it, and looked for with plain sqlite3 or psycopg, past everything the board itself could get wrong.
"""
