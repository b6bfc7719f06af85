"""Model folders and the policies that run from them, without any training library."""
