"""FHIR R4, read and answered: JSON as it came, resources, the reports in them. Pure: no socket, no store, no clock."""
