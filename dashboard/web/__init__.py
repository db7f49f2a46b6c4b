"""One module per kind of visitor. Reads the request, asks one part of the house, answers. Knows no SQL."""
