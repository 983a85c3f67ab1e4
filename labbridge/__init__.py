"""labbridge: interpretive comments for anti-SRP and anti-HMGCR results, beside the laboratory information system."""

__version__ = "0.1.0"
__built__ = "2026-11-01"  # raised with the version: a clock that says less is wrong
