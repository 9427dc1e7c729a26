"""The client for threads, generated from keystore/_async by tools/generate.py."""
