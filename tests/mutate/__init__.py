"""`make mutate`: seeded single edits of hl7/ and normalise/, and whether the tests notice."""
