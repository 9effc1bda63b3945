"""Chapter 05: learning one task after another without losing the first.

replay         a reservoir of old examples, mixed in; or of old answers
projection     a step that does not point against the old tasks
distillation   the old model as a second teacher
isolation      weights of its own for every task
heads          a head for each task: what the remedies become when the task is known
scores         the matrix of accuracies, and ACC, BWT and FWT read from it
recipe         the practical recipe, its settings checked
five_tasks     five tasks of real digits, and each method on them
"""

from courselib.continual.distillation import distillation_gradient, distillation_loss, softened
from courselib.continual.isolation import Adapter, TaskNetwork
from courselib.continual.projection import conflict, projected
from courselib.continual.replay import Reservoir, replay_counts, replay_loss
from courselib.continual.scores import average_accuracy, backward_transfer, forward_transfer, target_and_general
from courselib.transfer.maximum_likelihood import entropy

__all__ = [
    "Adapter", "Reservoir", "TaskNetwork", "average_accuracy", "backward_transfer", "conflict", "distillation_gradient",
    "distillation_loss", "entropy", "forward_transfer", "projected", "replay_counts", "replay_loss", "softened",
    "target_and_general",
]
