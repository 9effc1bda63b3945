"""Chapter 07: preference alignment, one idea a module, in the order of the chapter.

bradley_terry   from scores to preferences: the pairwise loss, and the ceiling of a reward model
taste           a reader whose taste is known, and an annotator who is taken in by length
rollouts        responses of a causal model, with their masks
reward_model    the causal model with a head of one number, fitted to clicks
categorical     the KL-regularised objective and its optimum, exact on a table
ppo             the clip, the whole loss, estimates of the KL, GAE
tables          PPO on a table of probabilities
small_world     reward hacking in eleven answers
direct          DPO, and the losses that differ from it in a line
shared_prompt   both responses of a pair in one row, the prompt read once
aligning        DPO and PPO on the causal model
runs            whole runs, from sampled pairs to a win rate
groups          GRPO's advantages and loss
calculator      a model that has half learned to add, and a checker
verifiable      GRPO, PPO, imitation and a null on it
on_policy       distillation on the student's own samples
critic          written principles in the annotator's place

Papers: Ouyang et al. 2022, arXiv:2203.02155; Schulman et al. 2017, arXiv:1707.06347; Rafailov et al. 2023, arXiv:2305.18290;
Shao et al. 2024, arXiv:2402.03300.
"""
