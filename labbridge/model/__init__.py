"""The words of the laboratory that every part of labbridge shares. Pure data: no I/O, no knowledge."""
