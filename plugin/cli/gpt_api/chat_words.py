"""What `plugin chat` says, in English and in Chinese."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Words:
    """Everything that the person at the terminal reads; `{}` takes what it is about."""

    welcome: str
    hint: str
    you: str
    model: str
    goodbye: str
    help: str
    failed: str
    again: str
    nothing_to_repeat: str
    left_out: str
    cut_off: str
    filtered: str
    stopped: str
    reset: str
    system_is: str
    no_system: str
    model_is: str
    saved: str
    not_saved: str
    exists: str
    which_file: str
    unknown: str


ENGLISH = Words(
    welcome="=== Welcome to the GPT chatbot (exit or quit ends it) ===",
    hint="{} at {}; /help shows the commands.",
    you="You: ",
    model="GPT: ",
    goodbye="Goodbye!",
    help="""/system TEXT   tell the model what to be; without TEXT show it
/model NAME    go on with another model; without NAME show it
/retry         send the last message again
/history       show the conversation
/save FILE     write it: JSON, or one message a line for a .jsonl file
/reset         begin anew; what /system said stays
/help          this list
exit, quit     end; so do Ctrl-D, and Ctrl-C while nothing is being answered
A message that begins with / is sent when it begins with //.""",
    failed="[call failed] {}",
    again="Your message is kept out of the history. Enter sends it again.",
    nothing_to_repeat="There is no message to send again.",
    left_out="[the conversation is too long for the model: its oldest turn is left out]",
    cut_off="[the answer reached its longest length]",
    filtered="[the answer was filtered]",
    stopped="[stopped; this turn is not kept]",
    reset="The conversation begins anew.",
    system_is="The model was told: {}",
    no_system="The model was told nothing. /system TEXT does it.",
    model_is="The model is {}.",
    saved="Saved in {}.",
    not_saved="Not saved: {}",
    exists="{} is there already; give another name",
    which_file="/save FILE needs the name of a file.",
    unknown="There is no command {}; /help shows what there is.",
)

CHINESE = Words(
    welcome="=== 欢迎使用 GPT 聊天机器人（输入 exit 或 quit 结束） ===",
    hint="模型 {}，地址 {}；输入 /help 查看命令。",
    you="你：",
    model="GPT：",
    goodbye="再见！",
    help="""/system 文本   设定系统提示；不带文本则显示当前设定
/model 名称    换一个模型继续；不带名称则显示当前模型
/retry         重新发送上一条消息
/history       显示对话历史
/save 文件     保存对话：JSON；文件名以 .jsonl 结尾时每行一条消息
/reset         重新开始；系统提示保留
/help          显示本帮助
exit、quit、退出   结束；也可按 Ctrl-D，或在没有回答时按 Ctrl-C
以 / 开头的消息，请写成 // 开头。""",
    failed="[调用出错] {}",
    again="这条消息没有写入历史。按回车重新发送。",
    nothing_to_repeat="没有可以重新发送的消息。",
    left_out="[对话超出模型的上下文长度：已略去最早的一轮]",
    cut_off="[回答达到长度上限]",
    filtered="[回答被过滤]",
    stopped="[已停止；这一轮没有保留]",
    reset="对话已重新开始。",
    system_is="系统提示：{}",
    no_system="还没有系统提示。用 /system 文本 设定。",
    model_is="当前模型：{}",
    saved="已保存到 {}。",
    not_saved="没有保存：{}",
    exists="{} 已存在，请换一个名称",
    which_file="/save 后面要写文件名。",
    unknown="没有命令 {}；输入 /help 查看所有命令。",
)


def words(environment: Mapping[str, str]) -> Words:
    """The language of the terminal."""
    names = ("LC_ALL", "LC_MESSAGES", "LANG")
    language = next((environment[name] for name in names if environment.get(name)), "")
    return CHINESE if language.startswith("zh") else ENGLISH
