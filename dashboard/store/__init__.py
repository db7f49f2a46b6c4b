"""All SQL, synchronous, session first. Knows no HTTP and no HTML."""
