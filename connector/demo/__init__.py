"""The demo: its story, and the small real data files it is told with."""
