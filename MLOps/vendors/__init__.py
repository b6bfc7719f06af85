"""The only doors through which heavy third parties enter, one file each."""
