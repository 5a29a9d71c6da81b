"""Keys, sealed values, passwords, signatures, limits and permissions. The only package that does cryptography."""
