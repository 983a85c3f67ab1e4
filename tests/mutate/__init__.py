"""`make mutate`: seeded single edits of hl7/ and normalise/, and of the knowledge, and whether the tests notice."""
