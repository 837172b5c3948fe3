"""Language models in this process, asked in batches: free, constrained or by choice."""
