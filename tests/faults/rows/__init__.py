"""The rows of reliability.md 2.2, a module for each family of faults."""
