"""One file per revision, in order; a revision never imports the tables, whose present is not its past."""
