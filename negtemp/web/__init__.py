"""`negtemp explore`: a page with a live model and a slider of beta through zero, and the small server behind it."""
