"""The platform as one image, and what deployment/docker/compose.yaml mounts beside it."""
