"""What many formats are kept in: folders, archives, XML and JSON, each read within limits."""
