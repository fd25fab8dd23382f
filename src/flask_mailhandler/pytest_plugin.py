"""The pytest plugin: fixtures that capture what an app sends."""
