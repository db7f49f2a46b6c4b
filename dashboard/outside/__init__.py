"""Calls on servers outside: which may be made, and how. Knows no call, no database and no page."""
