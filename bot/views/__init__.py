"""What people see: each view is a function of rows and a moment that returns content no channel is named in."""
