"""Reference implementations for a course on fine-tuning: one module an idea, in the order of the chapters."""
