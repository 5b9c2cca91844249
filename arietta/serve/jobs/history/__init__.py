"""Every piece that a server was asked for, what became of it and its notes: in SQLite, or in PostgreSQL for several."""
