"""The messages of the API, generated when the package is built. Private: they may move."""
