"""The store, on SQLite or PostgreSQL: journal, ledger, results, cases, outbox, audit; one writer with group commit."""
