"""A real Home Assistant with the integration, on a simulated or the real service."""
