"""What stored runs say of a level over time: the store, its series, their proposed and confirmed changes."""
