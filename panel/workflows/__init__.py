"""What the panel does over time: starts, the queue, plans, resumes."""
