"""The validation pack: what a laboratory director files of the rules in force and of the cases they were tried on.

form says what is in it; rows, coverage and difference gather it; files keeps it; page shows it to people.
"""
