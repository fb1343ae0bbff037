"""Where state lives: the database, its schema and its migrations."""
