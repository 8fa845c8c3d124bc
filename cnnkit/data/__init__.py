"""A folder, a CSV file or a built-in name enters; checked images and their batches leave."""
