"""The classifier: blind to padding."""

import os
import subprocess
import sys

import pytest
import torch
from torch.nn import functional as F

from courselib.lab.models import SentenceClassifier, tokenise
from courselib.lab.models.classifier import mean_pool

UNEQUAL = ["Fine.", "The soup in this small cafe was cold, late and far too salty.", "I loved it, truly."]


@pytest.fixture
def classifier(pretrained):
    torch.manual_seed(0)
    model = SentenceClassifier(pretrained.model, classes=3)
    torch.nn.init.normal_(model.classifier.weight)
    torch.nn.init.normal_(model.classifier.bias)
    return model.eval()


def test_padding_does_not_change_the_answer(classifier, pretrained):
    tokens = tokenise(pretrained.tokenizer, UNEQUAL)
    assert len(set(tokens["attention_mask"].sum(1).tolist())) == 3
    with torch.no_grad():
        together = classifier(**tokens)  # (3, 3)
        alone = torch.cat([classifier(**tokenise(pretrained.tokenizer, [text])) for text in UNEQUAL])
        wide = {name: F.pad(tensor, (0, 9)) for name, tensor in tokens.items()}
        wider = classifier(**wide)
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-4)
    torch.testing.assert_close(together, wider, rtol=0, atol=1e-4)
    assert (together - together.roll(1, 0)).abs().min() > 1e-2  # three different answers, so equality says something


def test_mean_pool_averages_real_tokens_only():
    hidden = torch.tensor([[[1.0, 2.0], [3.0, 6.0], [1e6, -1e6]], [[5.0, 5.0], [7.0, 1.0], [0.0, 3.0]]])
    mask = torch.tensor([[1, 1, 0], [1, 1, 1]])
    torch.testing.assert_close(mean_pool(hidden, mask), torch.tensor([[2.0, 4.0], [4.0, 3.0]]))


def test_a_fresh_head_is_called_classifier_and_prefers_nothing(pretrained):
    model = SentenceClassifier(pretrained.model, classes=5)
    assert model.classifier.weight.shape == (5, 384)
    with torch.no_grad():
        assert torch.equal(model(**tokenise(pretrained.tokenizer, UNEQUAL)).cpu(), torch.zeros(3, 5))


def test_tokenise_pads_to_the_longest_and_cuts_what_the_model_cannot_read(pretrained):
    tokens = tokenise(pretrained.tokenizer, ["fine", "very very fine"])
    assert tokens["input_ids"].tolist() == [[101, 2986, 102, 0, 0], [101, 2200, 2200, 2986, 102]]
    assert tokens["attention_mask"].tolist() == [[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]]
    assert tokenise(pretrained.tokenizer, ["word " * 600])["input_ids"].shape == (1, 512)


@pytest.mark.parametrize("texts", [[], "a single string"])
def test_tokenise_wants_a_list_of_texts(pretrained, texts):
    with pytest.raises(ValueError, match="list of at least one text"):
        tokenise(pretrained.tokenizer, texts)


def test_importing_models_does_not_import_transformers():
    program = "import sys, courselib.lab.models; sys.exit('transformers' in sys.modules)"
    path = {"PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run([sys.executable, "-c", program], env=os.environ | path).returncode == 0
