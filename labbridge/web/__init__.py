"""The workbench: pages for the people of the laboratory, in a process of its own."""
