"""Grading a class: the wall between a student's code and the judge. `grader.Grader` is the way in."""
