"""EDGE. What the poller and the writer of tables share: a connection by ODBC, its dialect, its catalogue, its faults. Runs
in processes of their own alone, where pyodbc is imported."""
