"""Chinese requests without a Chinese model: a small glossary, and the words that carry no value."""

import re

_GLOSSARY = {
    "weather": "天气 气温 温度 下雨 下雪 刮风 预报 多少度 冷不冷 热不热 带伞",
    "flight": "航班 机票 飞机 飞往 飞到",
    "hotel": "酒店 宾馆 旅馆 住宿",
    "restaurant": "餐厅 餐馆 饭店 饭馆",
    "recipe": "菜谱 食谱 做法 怎么做菜",
    "stock": "股票 股价 股市",
    "news": "新闻 头条 资讯",
    "alarm": "闹钟 叫醒 起床",
    "timer": "计时 倒计时 定时",
    "light": "灯 灯光 照明",
    "thermostat": "空调 暖气 恒温",
    "song": "播放 歌曲 一首歌 音乐 听歌 放歌",
    "music": "播放 歌曲 音乐 听歌 放歌",
    "todo": "待办 提醒 清单 任务 记得 别忘",
    "email": "邮件 邮箱 电子邮件",
    "message": "短信 消息 发信息",
    "translate": "翻译成 翻译 译成 怎么说 英语怎么说",
    "calculate": "计算 等于多少 算一下 加上 减去 乘以 除以",
    "currency": "汇率 兑换 换成 美元 欧元 日元 人民币",
    "order": "订单 订购 下单 快递 物流",
    "time": "几点 时间 时区",
    "calendar": "日程 日历 会议 预约",
    "taxi": "打车 出租车 叫车",
    "train": "火车 高铁 车票",
    "route": "路线 导航 怎么走 怎么去",
    "map": "地图 路线 导航",
    "search": "搜索 搜一下 查找",
    "document": "文档 文件 资料",
    "user": "用户 账户 账号",
    "price": "价格 多少钱 股价",
    "movie": "电影 影片",
    "book": "书籍 图书",
    "dictionary": "词典 字典 词义",
}
_WORDS = {word: tuple(said.split()) for word, said in _GLOSSARY.items()}
_ENGLISH = {"todos": "todo", "task": "todo", "reminder": "todo", "lamp": "light", "mail": "email"}

_FUNCTION = """
    怎么样 怎样 如何 多少 什么 哪里 哪些 哪个 请问 请 告诉 帮我 帮忙 一下 给我
    我想 我要 我 你 您 现在 当前 最新 今天 明天 昨天 后天 早上 上午 下午 晚上
    一个 一项 一首 有没有 是不是 可以 能不能 关于 中的 里的 里 中 的 了 吗 呢 吧
    啊 是 有 会 在 把 将 对 从 到 去 和 与 或 查询 获取 添加 设置 打开 关闭
    播放 搜索 预订 发送 创建 显示 列出 个 张 位
""".split()  # noqa: SIM905 - so many read best as words
_FUNCTION_LONGEST_FIRST = "|".join(sorted(_FUNCTION, key=len, reverse=True))
_PUNCTUATION = r"[\s，。？！；：、,.?!;:（）()《》「」“”\"']+"
_COUNT = re.compile("[0-9一二两三四五六七八九十百]+[个天晚张位人次份家]?")
_RUN = re.compile(r"[㐀-䶿一-鿿]+")


def concepts(text: str) -> frozenset[str]:
    """The words of the glossary that a text speaks of, in either language."""
    lowered = text.lower()
    found = {word for word, said in _WORDS.items() if any(form in text for form in said)}
    for word in re.findall(r"[a-z]+", lowered.replace("_", " ")):
        plain = _ENGLISH.get(word, word.removesuffix("s"))
        if plain in _WORDS:
            found.add(plain)
    return frozenset(found)


def pairs(text: str) -> frozenset[str]:
    """Two Chinese characters that stand together, but for those that every request has."""
    kept = re.sub(_FUNCTION_LONGEST_FIRST, " ", text)
    return frozenset(
        run[index : index + 2] for run in _RUN.findall(kept) for index in range(len(run) - 1)
    )


def values(text: str, spoken: frozenset[str]) -> list[str]:
    """What is left of a request without the words that ask: its values, as they stand in it.

    `spoken` are words of the tool's own description.
    """
    titles = re.findall(r"《([^》]+)》|「([^」]+)」|“([^”]+)”", text)
    if titles:
        return ["".join(groups) for groups in titles]
    said = {form for word in concepts(text) for form in _WORDS[word]}
    taken = sorted(said | spoken, key=len, reverse=True)
    asking = "|".join([*map(re.escape, taken), _FUNCTION_LONGEST_FIRST])
    pieces = [piece for piece in re.split(f"(?:{asking})|{_PUNCTUATION}", text) if piece]
    pieces = [piece for piece in pieces if not _COUNT.fullmatch(piece)]
    return list(dict.fromkeys(pieces or filter(None, re.split(_PUNCTUATION, text))))
