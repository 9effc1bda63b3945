"""Chapter 04: why fine-tuning forgets, and what holds it back.

interference   the gradients of two tasks, and the angle between them
penalties      L2-SP and elastic weight consolidation, with the diagonal and with the whole matrix
fisher         how much each weight matters to a task
synaptic       the same, measured along the way: synaptic intelligence
interpolation  half-way back to the old weights
two_tasks      task A, then task B, and what is left of A
plane          the loss of both tasks on the plane through three sets of weights
"""

from courselib.forgetting.fisher import batch_mean_square, empirical_fisher, fisher_memory, quadratic_form, trace, true_fisher
from courselib.forgetting.interpolation import interpolated
from courselib.forgetting.penalties import anchor, distance, ewc_penalty, l2sp_penalty

__all__ = [
    "anchor", "batch_mean_square", "distance", "empirical_fisher", "ewc_penalty", "fisher_memory", "interpolated",
    "l2sp_penalty", "quadratic_form", "trace", "true_fisher",
]
