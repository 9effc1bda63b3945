"""Chapter 02: transfer learning.

remarks              labelled remarks whose words all occur in training, or not
two_stages           pretraining on some digits, fine-tuning on others
theory               when a start helps: ridge regression towards it, how many examples it is worth
maximum_likelihood   the losses as likelihoods
strategies           scratch, feature extraction, partial, gradual and full fine-tuning
race                 the strategies against each other, over two budgets
costs                what each strategy costs in memory and time
sample_efficiency    how many labels a start is worth
"""
