"""Parts of tools/bench: whole logins against real servers, measured, compared between checkouts, drawn."""
