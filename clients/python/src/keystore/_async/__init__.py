"""The client for asyncio, from which keystore/_sync is generated."""
