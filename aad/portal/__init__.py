"""The portal: users see their methods, test and enrol them; the helpdesk sees why somebody isn't let in, and helps."""
