"""The course's own tokenizer: byte-level byte-pair encoding, trained here, with a chat template that marks answers.

Byte-pair encoding (Sennrich et al. 2016, arXiv:1508.07909) starts from single bytes and merges the most frequent pair, again and
again. Byte-level means that no text is ever unknown. The template wraps what the assistant says in `{% generation %}`, so
that `apply_chat_template(..., return_assistant_tokens_mask=True)` knows which tokens a model should learn to say.
"""

from __future__ import annotations

from collections.abc import Iterable

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

END_OF_TEXT, PAD, END_OF_TURN = "<|endoftext|>", "<|pad|>", "<|end|>"
ROLES = ("system", "user", "assistant")
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "<|{{ message['role'] }}|>\n"
    "{% if message['role'] == 'assistant' %}{% generation %}{{ message['content'] }}<|end|>{% endgeneration %}"
    "{% else %}{{ message['content'] }}<|end|>{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)


def train_tokenizer(texts: Iterable[str], vocab_size: int = 4096, longest: int = 512) -> PreTrainedTokenizerFast:
    """A tokenizer of `vocab_size` tokens trained on `texts`; `longest` is the longest input its model reads.

    The same texts in the same order give the same tokenizer. Raises ValueError for a vocabulary that does not hold the 256
    bytes and the special tokens.
    """
    special = [END_OF_TEXT, PAD, END_OF_TURN, *(f"<|{role}|>" for role in ROLES)]
    if vocab_size < 256 + len(special):
        raise ValueError(f"a byte-level vocabulary needs at least {256 + len(special)} tokens, but {vocab_size} came.")
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size, special_tokens=special, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=END_OF_TEXT, eos_token=END_OF_TEXT, pad_token=PAD, model_max_length=longest,
        extra_special_tokens=special[2:], chat_template=CHAT_TEMPLATE, clean_up_tokenization_spaces=False,
    )
