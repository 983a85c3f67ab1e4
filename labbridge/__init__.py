"""labbridge: interpretive comments for anti-SRP and anti-HMGCR results, beside the laboratory information system."""

__version__ = "0.1.0"
