"""Reading a foreign file in a process of its own: fork servers, limits, staging."""
