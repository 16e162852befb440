"""What is kept of a run on disk, and whether another may go on with it."""
