"""What is kept in the cache folder between runs: decoded pixels and features of backbones."""
