"""Model answers, one module a chapter, one function an exercise."""
