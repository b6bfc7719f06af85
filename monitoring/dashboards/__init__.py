"""Pages over what is measured."""
