"""Stage promote_to_paper: gates between a challenger and the champion."""
