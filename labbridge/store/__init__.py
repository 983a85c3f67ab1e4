"""The store on SQLite: journal, ledger, results, cases, comments, outbox, audit; one writer with group commit."""
