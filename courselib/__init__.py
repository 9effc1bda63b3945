"""Reference implementations for a course on fine-tuning: a room a chapter, one module an idea, in the order of the chapters.

lab           what several chapters use: data, models, training, experiments, plots
pretraining   01    transfer      02    sentiment     02b    domain   03
forgetting    04    continual     05    lora          08
"""
