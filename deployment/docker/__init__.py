"""Images: one folder each, built from the project's root; what one copies stands in its Dockerfile."""
