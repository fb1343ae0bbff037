"""What `plugin api` can be told to do: each verb with its address, its options and its reply."""

import difflib
from dataclasses import dataclass
from enum import Enum, auto

from plugin.cli.gpt_api.api_options import Option, choice_of, format_of, json_or_file, tools_of


class Shown(Enum):
    """How a reply is printed where `--json` does not ask for it as it is."""

    CHAT = auto()
    TEXT = auto()
    OBJECT = auto()
    BYTES = auto()


@dataclass(frozen=True, slots=True)
class Verb:
    """One call. `{id}` in the path is the option of that name; `names` has the documented first."""

    names: tuple[str, ...]
    method: str
    path: str
    summary: str
    options: tuple[Option, ...] = ()
    shown: Shown = Shown.OBJECT
    files: frozenset[str] = frozenset()
    """Members that name a file to be sent."""


def named(name: str) -> Verb | None:
    """The verb of that name, old or new."""
    return next((verb for verb in verbs() if name in verb.names), None)


def nearest(name: str) -> str | None:
    """What was probably meant."""
    known = [one for verb in verbs() for one in verb.names]
    return next(iter(difflib.get_close_matches(name, known, n=1)), None)


def verbs() -> tuple[Verb, ...]:
    """All of them, in the order of the help."""
    return (*_texts(), *_others(), *_images(), *_files(), *_fine_tunes())


_MODEL = Option("-m --model", "model", "the model to ask", required=True)
_ANY_MODEL = Option("-m --model", "model", "the model to ask")
_ENGINE = Option("-e --engine", "model", "the old name of --model")
_ID = Option("-i --id", "id", "its id", required=True)
_N = Option("-n --n", "n", "how many answers", int)
_STREAM = Option("--stream", "stream", "print the text as it is made", None)
_LINE = Option("-p --prompt", "prompt", "what to show; - reads standard input", required=True)
_USER = Option("--user", "user", "a name for the end user")
_INPUTS = Option("-i --input", "input", "a text; can be repeated", required=True, many=True)
_SAMPLING = (
    Option("-t --temperature", "temperature", "0 to 2; 0 is the likeliest text", float),
    Option("-P --top-p", "top_p", "the share of likely tokens to draw from, 0 to 1", float),
)
_PENALTIES = (
    Option("--frequency-penalty", "frequency_penalty", "against repeating a word, -2 to 2", float),
    Option("--presence-penalty", "presence_penalty", "for new words, -2 to 2", float),
)
_GENERATION = (
    _N,
    Option("-M --max-tokens", "max_tokens", "the longest answer, in tokens", int),
    *_SAMPLING,
    Option("--stop", "stop", "a text that ends the answer; up to four", many=True),
    *_PENALTIES,
    Option("--seed", "seed", "the same seed and question give the same text", int),
    Option("--logit-bias", "logit_bias", "token ids with what to add, JSON or @FILE", json_or_file),
    _USER,
    _STREAM,
)


def _texts() -> tuple[Verb, ...]:
    return (_chat(), _completion(), _edit())


def _chat() -> Verb:
    given = (
        "TEXT, or ROLE TEXT (system, developer, user, assistant); can be repeated; - reads stdin"
    )
    shape = "text, json_object, or an object with a schema as JSON or @FILE"
    options = (
        Option("-g --message", "messages", given, required=True, many=True),
        _ANY_MODEL,
        _ENGINE,
        Option("--system", "system", "what the model is told before all else"),
        *_GENERATION,
        Option("--max-completion-tokens", "max_completion_tokens", "as --max-tokens", int),
        Option("--logprobs", "logprobs", "how likely each token was (with --json)", None),
        Option("--top-logprobs", "top_logprobs", "and that many others, 0 to 20", int),
        Option("--response-format", "response_format", shape, format_of),
        Option("--tools", "tools", "tools as JSON or @FILE (`plugin tools`)", tools_of),
        Option("--tool-choice", "tool_choice", "auto, none, required, or a tool", choice_of),
    )
    names = ("chat.completions.create", "chat_completions.create")
    summary = "Ask a model in a conversation."
    return Verb(names, "POST", "/chat/completions", summary, options, Shown.CHAT)


def _completion() -> Verb:
    options = (
        Option("-p --prompt", "prompt", "the text to continue; - reads standard input"),
        _ANY_MODEL,
        _ENGINE,
        Option("--no-echo", "no_echo", "print only what was added", None),
        Option("--echo", "echo", "print the prompt too: the default without --suffix", None),
        Option("--suffix", "suffix", "what comes behind"),
        Option("--best-of", "best_of", "make so many, keep the likeliest", int),
        Option("--logprobs", "logprobs", "how likely so many tokens were, 0 to 5", int),
        *_GENERATION,
    )
    summary = "Continue a text; it is printed with what was added."
    return Verb(("completions.create",), "POST", "/completions", summary, options, Shown.TEXT)


def _edit() -> Verb:
    options = (
        _MODEL,
        Option("-i --input", "input", "the text to change; - reads standard input"),
        Option("--instruction", "instruction", "how to change it", required=True),
        _N,
        *_SAMPLING,
    )
    summary = "Change a text as an instruction says."
    return Verb(("edits.create",), "POST", "/edits", summary, options, Shown.TEXT)


def _others() -> tuple[Verb, ...]:
    return (
        Verb(("models.list",), "GET", "/models", "What models there are."),
        Verb(("models.get", "models.retrieve"), "GET", "/models/{id}", "One model.", (_ID,)),
        Verb(("models.delete",), "DELETE", "/models/{id}", "Delete a tuned model.", (_ID,)),
        Verb(("engines.list",), "GET", "/engines", "The old name of models.list."),
        Verb(("engines.get", "engines.retrieve"), "GET", "/engines/{id}", "One engine.", (_ID,)),
        Verb(
            ("embeddings.create",),
            "POST",
            "/embeddings",
            "Texts as vectors.",
            (
                _MODEL,
                _INPUTS,
                Option("--dimensions", "dimensions", "the length of a vector", int),
                Option("--encoding-format", "encoding_format", "float or base64"),
                _USER,
            ),
        ),
        Verb(
            ("moderations.create",),
            "POST",
            "/moderations",
            "What a text holds that a reader should not see.",
            (
                _INPUTS,
                _ANY_MODEL,
            ),
        ),
    )


def _images() -> tuple[Verb, ...]:
    size = Option("-s --size", "size", "1024x1024 and the like")
    rest = (
        _ANY_MODEL,
        Option("-n --n --num-images", "n", "how many images", int),
        size,
        Option("--response-format", "response_format", "url or b64_json"),
        _USER,
    )
    image = Option("-I --image", "image", "a PNG file", required=True)
    mask = Option("-M --mask", "mask", "a PNG file, transparent where to paint")
    files = frozenset({"image", "mask"})
    return (
        Verb(
            ("images.generate", "images.create", "image.create"),
            "POST",
            "/images/generations",
            "Images from words.",
            (_LINE, *rest, Option("--quality", "quality", "as the model offers")),
        ),
        Verb(
            ("images.edit", "images.create_edit", "image.create_edit"),
            "POST",
            "/images/edits",
            "An image, changed.",
            (_LINE, image, mask, *rest),
            files=files,
        ),
        Verb(
            ("images.create_variation", "image.create_variation"),
            "POST",
            "/images/variations",
            "Images like one.",
            (image, *rest),
            files=files,
        ),
    )


def _files() -> tuple[Verb, ...]:
    return (
        Verb(
            ("files.create", "files.upload"),
            "POST",
            "/files",
            "Upload a file.",
            (
                Option("-f --file", "file", "the file", required=True),
                Option("-p --purpose", "purpose", "fine-tune, batch …", required=True),
            ),
            files=frozenset({"file"}),
        ),
        Verb(("files.list",), "GET", "/files", "What files there are."),
        Verb(("files.get", "files.retrieve"), "GET", "/files/{id}", "About one file.", (_ID,)),
        Verb(
            ("files.content", "files.download"),
            "GET",
            "/files/{id}/content",
            "What a file holds, as it is.",
            (_ID,),
            Shown.BYTES,
        ),
        Verb(("files.delete",), "DELETE", "/files/{id}", "Delete a file.", (_ID,)),
    )


def _fine_tunes() -> tuple[Verb, ...]:
    create = (
        Option("-t --training-file", "training_file", "the id of an uploaded file", required=True),
        Option("-v --validation-file", "validation_file", "the id of another"),
        _ANY_MODEL,
        Option("--suffix", "suffix", "a part of the new model's name"),
        Option("--n-epochs", "n_epochs", "how often to go through the file", int),
        Option("--batch-size", "batch_size", "examples at a time", int),
        Option("--learning-rate-multiplier", "learning_rate_multiplier", "how fast", float),
    )
    found: list[Verb] = []
    for names, path in (
        (("fine_tunes",), "/fine-tunes"),
        (("fine_tuning.jobs", "fine_tuning.job"), "/fine_tuning/jobs"),
    ):
        for verb, method, rest, summary, options in (
            ("create", "POST", "", "Tune a model on a file.", create),
            ("list", "GET", "", "What was tuned.", ()),
            ("get", "GET", "/{id}", "How one is doing.", (_ID,)),
            ("events", "GET", "/{id}/events", "What became of it.", (_ID,)),
            ("cancel", "POST", "/{id}/cancel", "Stop one.", (_ID,)),
        ):
            every = tuple(f"{name}.{verb}" for name in names)
            found.append(Verb(every, method, path + rest, summary, options))
    return tuple(found)
