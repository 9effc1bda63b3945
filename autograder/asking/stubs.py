"""What is handed out in the place of an answer, and says by itself that nothing has been answered yet. Imports nothing."""

STUB = "write your answer here, then run the check below"  # what the handed-out functions raise
TEXT_STUB = "Write your answer here."  # what the handed-out written answers read
