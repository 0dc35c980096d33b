"""The judge: compares the tables of any pipeline with the known truth of a run."""
