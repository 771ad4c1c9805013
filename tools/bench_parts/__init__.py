"""What tools/bench is made of: whole logins against real servers, measured, compared between checkouts, drawn."""
