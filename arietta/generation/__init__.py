"""From a request to a take: prompts, the loop, continuous batching, retries."""
