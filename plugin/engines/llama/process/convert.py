"""all-MiniLM-L6-v2 as its authors publish it, made into a GGUF file that the engine reads."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gguf import GGUFWriter
    from numpy.typing import NDArray

    Tensors = dict[str, NDArray[Any]]

_EMBEDDINGS = {
    "token_embd.weight": "embeddings.word_embeddings.weight",
    "position_embd.weight": "embeddings.position_embeddings.weight",
    "token_types.weight": "embeddings.token_type_embeddings.weight",
    "token_embd_norm.weight": "embeddings.LayerNorm.weight",
    "token_embd_norm.bias": "embeddings.LayerNorm.bias",
}
_LAYER = {
    "attn_q": "attention.self.query",
    "attn_k": "attention.self.key",
    "attn_v": "attention.self.value",
    "attn_output": "attention.output.dense",
    "attn_output_norm": "attention.output.LayerNorm",
    "ffn_up": "intermediate.dense",
    "ffn_down": "output.dense",
    "layer_output_norm": "output.LayerNorm",
}
_SPECIAL = {
    "bos": "[CLS]",
    "eos": "[SEP]",
    "unk": "[UNK]",
    "sep": "[SEP]",
    "pad": "[PAD]",
    "mask": "[MASK]",
}
_TYPES = {"F32": "<f4", "I64": "<i8"}
_WORD_BEGIN = "\u2581"


def convert(source: Path, target: Path) -> None:
    """Write `target` from model.safetensors, config.json and vocab.txt in `source`; matrices Q8_0.

    Raises `KeyError` or `ValueError` for a model of another make.
    """
    from gguf import GGUFWriter

    tensors = read_tensors(source / "model.safetensors")
    config = json.loads((source / "config.json").read_bytes())
    words = (source / "vocab.txt").read_text("utf-8").removesuffix("\n").split("\n")
    writer = GGUFWriter(target, "bert")
    _describe(writer, config)
    _add_vocabulary(writer, words, config)
    for name, published in _names(config["num_hidden_layers"]):
        _add_tensor(writer, name, tensors[published])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def read_tensors(path: Path) -> "Tensors":
    """The tensors of a safetensors file, mapped, not read."""
    import numpy as np

    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
    header.pop("__metadata__", None)
    return {
        name: np.memmap(
            path,
            dtype=_TYPES[tensor["dtype"]],
            mode="r",
            offset=8 + length + tensor["data_offsets"][0],
            shape=tuple(tensor["shape"]),
        )
        for name, tensor in header.items()
    }


def _describe(writer: "GGUFWriter", config: dict[str, Any]) -> None:
    from gguf import LlamaFileType, PoolingType

    writer.add_name("all-MiniLM-L6-v2")
    writer.add_license("apache-2.0")
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_layer_norm_eps(config["layer_norm_eps"])
    writer.add_causal_attention(False)
    writer.add_pooling_type(PoolingType.MEAN)
    writer.add_file_type(LlamaFileType.MOSTLY_Q8_0)


def _add_vocabulary(writer: "GGUFWriter", words: list[str], config: dict[str, Any]) -> None:
    writer.add_tokenizer_model("bert")
    writer.add_tokenizer_pre("default")
    tokens = [_token(word) for word in words]
    writer.add_token_list([text for text, _ in tokens])
    writer.add_token_types([kind for _, kind in tokens])
    writer.add_token_type_count(config["type_vocab_size"])
    for role, word in _SPECIAL.items():
        getattr(writer, f"add_{role}_token_id")(words.index(word))
    writer.add_uint32("tokenizer.ggml.cls_token_id", words.index("[CLS]"))


def _token(word: str) -> tuple[str, int]:
    """A word of WordPiece as llama.cpp marks it: where words begin, not where they go on."""
    from gguf import TokenType

    if word.startswith("[") and word.endswith("]"):
        unused = word.startswith("[unused")
        return word, TokenType.UNUSED if unused else TokenType.CONTROL
    if word.startswith("##"):
        return word.removeprefix("##"), TokenType.NORMAL
    return _WORD_BEGIN + word, TokenType.NORMAL


def _names(layers: int) -> Iterator[tuple[str, str]]:
    yield from _EMBEDDINGS.items()
    for layer in range(layers):
        for name, published in _LAYER.items():
            for part in ("weight", "bias"):
                yield f"blk.{layer}.{name}.{part}", f"encoder.layer.{layer}.{published}.{part}"


def _add_tensor(writer: "GGUFWriter", name: str, tensor: "NDArray[Any]") -> None:
    import numpy as np
    from gguf import GGMLQuantizationType, quantize

    plain = np.ascontiguousarray(tensor, dtype=np.float32)
    if plain.ndim == 2 and name.startswith(("blk.", "token_embd.")):  # noqa: PLR2004 - a matrix
        kind = GGMLQuantizationType.Q8_0
        writer.add_tensor(name, quantize(plain, kind), raw_dtype=kind)
    else:
        writer.add_tensor(name, plain)
