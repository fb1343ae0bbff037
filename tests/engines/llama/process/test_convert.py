"""A tiny model of the same make, converted and read again; and the real one, asked."""

import json
import math
import struct
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gguf import GGMLQuantizationType, GGUFReader, TokenType, dequantize

from plugin.engines.llama.process.convert import convert, read_tensors
from plugin.engines.llama.process.state import StateFile

WORDS = [
    "[PAD]",
    "[unused1]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    "hello",
    "##lo",
    "\u2028",
    "\x85",
]
LAYERS = 2
CONFIG = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 4,
    "max_position_embeddings": 16,
    "layer_norm_eps": 1e-12,
    "type_vocab_size": 2,
}
PARTS = {
    "attention.self.query": (64, 64),
    "attention.self.key": (64, 64),
    "attention.self.value": (64, 64),
    "attention.output.dense": (64, 64),
    "attention.output.LayerNorm": (64,),
    "intermediate.dense": (128, 64),
    "output.dense": (64, 128),
    "output.LayerNorm": (64,),
}


def shapes() -> dict[str, tuple[int, ...]]:
    found: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (len(WORDS), 64),
        "embeddings.position_embeddings.weight": (16, 64),
        "embeddings.token_type_embeddings.weight": (2, 64),
        "embeddings.LayerNorm.weight": (64,),
        "embeddings.LayerNorm.bias": (64,),
    }
    for layer in range(LAYERS):
        for name, shape in PARTS.items():
            found[f"encoder.layer.{layer}.{name}.weight"] = shape
            found[f"encoder.layer.{layer}.{name}.bias"] = shape[:1]
    return found


def write_model(directory: Path) -> dict[str, Any]:
    """The files as they are published; the tensors that were written."""
    chance = np.random.default_rng(5)
    tensors: dict[str, Any] = {
        name: chance.standard_normal(shape, dtype=np.float32) for name, shape in shapes().items()
    }
    tensors["embeddings.position_ids"] = np.arange(16, dtype=np.int64).reshape(1, 16)
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    content = b""
    for name, tensor in tensors.items():
        kind = "I64" if tensor.dtype == np.int64 else "F32"
        end = len(content) + tensor.nbytes
        header[name] = {
            "dtype": kind,
            "shape": list(tensor.shape),
            "data_offsets": [len(content), end],
        }
        content += tensor.tobytes()
    head = json.dumps(header).encode()
    (directory / "model.safetensors").write_bytes(struct.pack("<Q", len(head)) + head + content)
    (directory / "config.json").write_text(json.dumps(CONFIG))
    (directory / "vocab.txt").write_text("\n".join(WORDS) + "\n", "utf-8", newline="")
    return tensors


def test_the_tensors_are_read_as_they_were_written(tmp_path: Path) -> None:
    tensors = write_model(tmp_path)
    read = read_tensors(tmp_path / "model.safetensors")
    assert read.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert np.array_equal(read[name], tensor), name


def test_every_tensor_is_there_and_close_to_its_source(tmp_path: Path) -> None:
    tensors = write_model(tmp_path)
    convert(tmp_path, tmp_path / "out.gguf")
    made = {one.name: one for one in GGUFReader(tmp_path / "out.gguf").tensors}
    assert len(made) == len(shapes())
    pairs = {
        "token_embd.weight": "embeddings.word_embeddings.weight",
        "position_embd.weight": "embeddings.position_embeddings.weight",
        "token_types.weight": "embeddings.token_type_embeddings.weight",
        "blk.1.attn_q.weight": "encoder.layer.1.attention.self.query.weight",
        "blk.0.attn_v.bias": "encoder.layer.0.attention.self.value.bias",
        "blk.1.ffn_up.weight": "encoder.layer.1.intermediate.dense.weight",
        "blk.0.ffn_down.weight": "encoder.layer.0.output.dense.weight",
        "blk.1.layer_output_norm.weight": "encoder.layer.1.output.LayerNorm.weight",
    }
    for name, source in pairs.items():
        tensor = made[name]
        values = dequantize(tensor.data, tensor.tensor_type).reshape(tensors[source].shape)
        assert np.allclose(values, tensors[source], atol=0.02), name
        matrix = name.startswith(("blk.", "token_embd.")) and values.ndim == 2
        assert (tensor.tensor_type == GGMLQuantizationType.Q8_0) is matrix, name


def test_the_words_are_marked_as_the_engine_reads_them(tmp_path: Path) -> None:
    write_model(tmp_path)
    convert(tmp_path, tmp_path / "out.gguf")
    fields = GGUFReader(tmp_path / "out.gguf").fields
    tokens = fields["tokenizer.ggml.tokens"].contents()
    assert tokens[:7] == [*WORDS[:6], "\u2581hello"]
    assert tokens[7:] == ["lo", "\u2581\u2028", "\u2581\x85"]
    kinds = fields["tokenizer.ggml.token_type"].contents()
    assert kinds[:3] == [TokenType.CONTROL, TokenType.UNUSED, TokenType.CONTROL]
    assert set(kinds[6:]) == {TokenType.NORMAL}
    assert fields["tokenizer.ggml.cls_token_id"].contents() == 3
    assert fields["tokenizer.ggml.padding_token_id"].contents() == 0
    assert fields["bert.pooling_type"].contents() == 1
    assert fields["bert.context_length"].contents() == 16


def test_the_same_source_gives_the_same_bytes(tmp_path: Path) -> None:
    write_model(tmp_path)
    for name in ("one", "two"):
        convert(tmp_path, tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


@pytest.mark.parametrize("name", ["encoder.layer.1.output.dense.bias", "embeddings.LayerNorm.bias"])
def test_a_model_of_another_make_is_refused(tmp_path: Path, name: str) -> None:
    write_model(tmp_path)
    file = tmp_path / "model.safetensors"
    file.write_bytes(file.read_bytes().replace(name.encode(), b"x" * len(name)))
    with pytest.raises(KeyError):
        convert(tmp_path, tmp_path / "out.gguf")


def vectors(engine: Path, texts: list[str]) -> list[list[float]]:
    state = StateFile(engine).read()
    call = urllib.request.Request(  # noqa: S310 - loopback
        f"{state.vectors}/v1/embeddings",
        json.dumps({"input": texts}).encode(),
        {"Authorization": f"Bearer {state.key}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(call) as response:  # noqa: S310 - loopback
        return [one["embedding"] for one in json.load(response)["data"]]


def test_the_real_model_knows_what_is_near(engine: Path) -> None:
    pairs = [
        ("How is the weather in Berlin?", "Is it raining in Berlin today?"),
        ("A cat sleeps on the sofa.", "The kitten naps on the couch."),
        ("Stock prices fell sharply.", "Shares lost much of their value."),
    ]
    texts = [text for pair in zip(*pairs, strict=True) for text in pair]
    found = dict(zip(texts, vectors(engine, texts), strict=True))
    for vector in found.values():
        assert len(vector) == 384
        assert math.isclose(math.hypot(*vector), 1, rel_tol=1e-4)
    for one, other in pairs:
        near = {text: np.dot(found[one], found[text]) for text in texts if text != one}
        assert max(near, key=lambda text: near[text]) == other
