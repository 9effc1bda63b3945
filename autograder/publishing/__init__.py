"""From the chapters' sources to what students and instructors get. Authors only."""
