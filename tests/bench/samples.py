"""Twenty prompts in English and twenty in Chinese through the embedded model, as pages of the docs.

Usage: samples.py - writes docs/samples.md and docs/samples.zh.md anew. The answers are what came,
unchanged; temperature 0 and a seed make them come again.
"""

import json
import tempfile
from pathlib import Path

from tests.clients.gpt_service import GptService, serving_gpt

DOCS = Path(__file__).parents[2] / "docs"

ENGLISH = (
    "Hello, world!",
    "What is the capital of France?",
    "Who wrote Romeo and Juliet?",
    "How many legs does a spider have?",
    "What is 7 times 8?",
    "What is 17 + 26?",
    "Write a haiku about autumn.",
    "Tell me a joke.",
    "Explain in one sentence why the sky is blue.",
    "Summarize: The meeting was moved from Monday to Wednesday because the hall is being painted.",
    "Translate to French: Good morning, my friend.",
    "Translate to Chinese: I like tea.",
    "Fix the spelling: I recieved teh letter yesterdy.",
    "Is this review positive or negative? The food was cold and the waiter was rude.",
    "List three primary colors.",
    "Write a Python function that adds two numbers.",
    "If all cats are animals and Tom is a cat, is Tom an animal?",
    "Tom has 3 apples, buys 4 and eats 2. How many are left?",
    "What happened in the year 2025?",
    "Write the opening line of a story about a lighthouse.",
)
CHINESE = (
    "你好！",
    "法国的首都是哪里？",
    "《红楼梦》的作者是谁？",
    "蜘蛛有几条腿？",
    "七乘以八等于多少？",
    "17 加 26 等于多少？",
    "写一首关于秋天的诗。",
    "告诉我一个笑话。",
    "用一句话解释天空为什么是蓝色的。",
    "总结一下：因为礼堂正在粉刷，会议从星期一改到了星期三。",
    "翻译成英文：早上好，我的朋友。",
    "翻译成英文：我喜欢喝茶。",
    "改正错别字：我咋天收到了信。",
    "这条评论是好评还是差评？菜是凉的，服务员很没礼貌。",
    "列出三种基本颜色。",
    "写一个把两个数相加的 Python 函数。",
    "所有的猫都是动物，汤姆是猫，汤姆是动物吗？",
    "小明有 3 个苹果，又买了 4 个，吃了 2 个，还剩几个？",
    "介绍一下巴黎。",
    "写一个关于人工智能的开场白。",
)

HEADS = {
    "samples.md": """# What the embedded model can and cannot do

[中文](samples.zh.md)

SmolLM2-135M-Instruct is a very small model, trained on English. Below are forty prompts and what
it answered, as it came: `temperature` 0, `seed` 1, at most 80 tokens. It greets, completes and
rephrases; it is often wrong in facts and sums, and does not speak Chinese. For more, connect an
[upstream](upstreams.md). Made by `tests/bench/samples.py`.
""",
    "samples.zh.md": """# 自带的模型能做什么、不能做什么

[English](samples.md)

SmolLM2-135M-Instruct 是一个很小的模型，用英语训练。下面是四十个提示和它的回答，原样照录：
`temperature` 0，`seed` 1，最多 80 个 token。它会打招呼、续写、改写；
事实和算术常常出错，也不会中文。
要更好的回答，请接上[上游](upstreams.zh.md)。由 `tests/bench/samples.py` 生成。
""",
}
SECTIONS = {"samples.md": ("English", "Chinese"), "samples.zh.md": ("英语", "中文")}


def ask(gpt: GptService, prompt: str) -> str:
    body = {
        "model": "smollm2-135m-instruct",
        "messages": [{"role": "user", "content": prompt}],
        "temperature": 0,
        "seed": 1,
        "max_tokens": 80,
    }
    headers = {"authorization": f"Bearer {gpt.key}", "content-type": "application/json"}
    content = json.dumps(body)
    answer = gpt.running.address.call("POST", "/v1/chat/completions", headers, content).json()
    said: str = answer["choices"][0]["message"]["content"]
    return said


def shown(prompt: str, said: str) -> str:
    fence = "~~~"
    return f"**{prompt}**\n\n{fence}text\n{said.strip()}\n{fence}\n"


def main() -> None:
    with tempfile.TemporaryDirectory() as directory, serving_gpt(Path(directory)) as gpt:
        english, chinese = ([(one, ask(gpt, one)) for one in some] for some in (ENGLISH, CHINESE))
    for page, head in HEADS.items():
        parts = [head]
        for title, pairs in zip(SECTIONS[page], (english, chinese), strict=True):
            parts += [f"## {title}\n", *(shown(*pair) for pair in pairs)]
        (DOCS / page).write_text("\n".join(parts), "utf-8")


if __name__ == "__main__":
    main()
