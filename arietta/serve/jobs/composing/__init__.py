"""Where the pieces of running jobs are composed: in this process (batches), or in others (workers)."""
