"""Look into a trained model: what its layers see in an image, and what they have learned."""
