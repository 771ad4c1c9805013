"""The portal: users see, test and enrol their methods; the helpdesk sees why users aren't let in, and helps."""
