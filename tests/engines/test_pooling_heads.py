"""The classification head of a model, by its config.json."""

from typing import Any

import pytest

from llmbatch.core.errors import UsageError
from llmbatch.engines import pooling, pooling_heads

HEAD = {"architectures": ["BertForSequenceClassification"]}
NAMES = {"id2label": {"1": "good", "0": "bad", "10": "odd"}}
ONE = HEAD | {"id2label": {"0": "LABEL_0"}}


@pytest.mark.parametrize(
    ("config", "output"),
    [
        (NAMES, "softmax"),
        (NAMES | {"problem_type": "single_label_classification"}, "softmax"),
        (NAMES | {"problem_type": "multi_label_classification"}, "sigmoid"),
        ({"num_labels": 1}, "sigmoid"),
    ],
)
def test_probabilities_of_labels(config: dict[str, Any], output: str) -> None:
    assert pooling_heads.of_heads(HEAD | config).output == output


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (NAMES | {"problem_type": "regression"}, "is a regression .* gives a number and no label"),
        ({"id2label": {"0": "a", "1": "b", "2": "a"}}, "id2label names 'a' twice"),
        ({"architectures": ["BertModel"]}, "the model has no classification head"),
    ],
)
def test_a_model_without_labels_is_refused(config: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        pooling_heads.of_heads(HEAD | config)


def test_labels_are_in_the_order_of_their_numbers() -> None:
    assert pooling_heads.of_heads(HEAD | NAMES).labels == ("bad", "good", "odd")
    assert pooling_heads.of_heads(HEAD | {"num_labels": 2}).labels == ("LABEL_0", "LABEL_1")


@pytest.mark.parametrize(
    ("config", "output"),
    [
        ({}, "sigmoid"),
        ({"sbert_ce_default_activation_function": "torch.nn.modules.linear.Identity"}, "raw"),
        ({"sentence_transformers": {"activation_fn": "torch.nn.modules.linear.Identity"}}, "raw"),
        (
            {
                "sentence_transformers": {"activation_fn": "torch.nn.modules.activation.Sigmoid"},
                "problem_type": "regression",
            },
            "sigmoid",
        ),
        ({"problem_type": "regression"}, "raw"),
    ],
)
def test_a_score_is_what_the_model_says(config: dict[str, Any], output: str) -> None:
    assert pooling_heads.of_score(ONE | config).output == output


def test_a_head_writes_no_text() -> None:
    pooling_heads.require_none({"architectures": ["LlamaForCausalLM"]})
    with pytest.raises(UsageError, match=r"writes no text: .* its own \(bad, good, odd\)"):
        pooling_heads.require_none(HEAD | NAMES)


def test_a_score_is_one_number() -> None:
    with pytest.raises(UsageError, match=r"3 labels .*: bad, good, odd"):
        pooling_heads.of_score(HEAD | NAMES)


def test_other_activations_are_refused() -> None:
    config = ONE | {"sbert_ce_default_activation_function": "torch.nn.modules.activation.Tanh"}
    with pytest.raises(UsageError, match="Tanh; this engine holds Sigmoid and Identity"):
        pooling_heads.of_score(config)


def test_the_line_of_a_head() -> None:
    said = pooling.line(pooling_heads.of_heads(HEAD | NAMES).to_json())
    assert said == "3 numbers, probabilities that add up to 1 (softmax) (config.json: id2label)"


def test_the_line_of_independent_probabilities() -> None:
    several = NAMES | {"problem_type": "multi_label_classification"}
    said = pooling.line(pooling_heads.of_heads(HEAD | several).to_json())
    assert said.startswith("3 numbers, probabilities that are independent of each other (sigmoid)")
