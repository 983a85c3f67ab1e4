"""The archive with pandas: import, replay, reports. Nothing else of the house imports pandas, pyarrow or matplotlib."""
