"""What a person gets wrong when running the board: looked for, said in a sentence each, with the way to mend it."""
