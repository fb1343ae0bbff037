"""Requests with the tool and the arguments that fit them, written for measuring."""

from typing import Any


def tool(name: str, description: str, required: str = "", /, **properties: Any) -> dict[str, Any]:
    """A tool of chat completions; a property is its description, or a schema."""
    shapes = {
        key: {"type": "string", "description": value} if isinstance(value, str) else value
        for key, value in properties.items()
    }
    parameters = {"type": "object", "properties": shapes, "required": required.split()}
    function = {"name": name, "description": description, "parameters": parameters}
    return {"type": "function", "function": function}


NUMBER = {"type": "number"}
WHOLE = {"type": "integer"}

WEATHER = tool(
    "get_current_weather",
    "Get the current weather in a given location",
    "location",
    location="The city, e.g. San Francisco",
    unit={"type": "string", "enum": ["celsius", "fahrenheit"]},
)
TODO = tool("create_todo", "Add an item to the to-do list", "title", title="What is to be done")
LIST = tool("list_todos", "Show all items on the to-do list")
STOCK = tool(
    "get_stock_price", "Get the latest share price of a company", "symbol", symbol="Ticker symbol"
)
MAIL = tool(
    "send_email",
    "Send an email to somebody",
    "to subject",
    to="Email address of the recipient",
    subject="Subject line",
)
CALC = tool(
    "calculate", "Evaluate an arithmetic expression", "expression", expression="e.g. 2 + 3 * 4"
)
CONVERT = tool(
    "convert_currency",
    "Convert an amount of money from one currency to another",
    "amount from_currency to_currency",
    amount=NUMBER,
    from_currency={"type": "string", "enum": ["USD", "EUR", "GBP", "JPY"]},
    to_currency={"type": "string", "enum": ["USD", "EUR", "GBP", "JPY"]},
)
FLIGHT = tool(
    "search_flights",
    "Search for flights between two cities",
    "origin destination",
    origin="City of departure",
    destination="City of arrival",
    passengers={**WHOLE, "description": "Number of passengers", "minimum": 1},
)
LIGHT = tool(
    "set_light",
    "Switch a lamp in the house on or off",
    "room state",
    room={"type": "string", "enum": ["kitchen", "bedroom", "bathroom", "garage"]},
    state={"type": "string", "enum": ["on", "off"]},
)
TEMPERATURE = tool(
    "set_thermostat",
    "Set the temperature of the heating",
    "degrees",
    degrees={**NUMBER, "description": "Degrees Celsius"},
)
MUSIC = tool("play_song", "Play a song on the speakers", "title", title="Title of the song")
RECIPE = tool(
    "find_recipe", "Find a cooking recipe", "ingredient", ingredient="Main ingredient of the dish"
)
NEWS = tool("get_news", "Get the latest news headlines on a topic", "topic", topic="The topic")
ALARM = tool("set_alarm", "Set an alarm clock", "time", time="Time of day, e.g. 07:30")
ORDER = tool(
    "get_order_status",
    "Look up the status of a customer's order",
    "order_id",
    order_id={**WHOLE, "description": "Number of the order"},
)
RANDOM = tool("roll_dice", "Roll dice", "sides", sides={**WHOLE, "description": "Sides of the die"})
DEFINE = tool("define_word", "Look up a word in the dictionary", "word", word="The word")
TAXI = tool(
    "book_taxi", "Book a taxi", "pickup destination", pickup="Address", destination="Address"
)

HOME = [LIGHT, TEMPERATURE, MUSIC, ALARM]
OFFICE = [MAIL, TODO, LIST, CALC]
TRAVEL = [WEATHER, FLIGHT, TAXI, CONVERT]
MIXED = [WEATHER, STOCK, NEWS, ORDER, CALC]
KITCHEN = [RECIPE, DEFINE, RANDOM, TODO]

Case = tuple[list[dict[str, Any]], str, str, dict[str, Any]]

ENGLISH: list[Case] = [
    (TRAVEL, "What's the weather like in Boston?", "get_current_weather", {"location": "Boston"}),
    (TRAVEL, "Is it raining in London right now?", "get_current_weather", {"location": "London"}),
    (
        MIXED,
        "How warm is it in Rome today, in celsius?",
        "get_current_weather",
        {"location": "Rome", "unit": "celsius"},
    ),
    (MIXED, "Do I need an umbrella in Hamburg?", "get_current_weather", {"location": "Hamburg"}),
    (
        TRAVEL,
        "I want to fly from Berlin to Tokyo",
        "search_flights",
        {"origin": "Berlin", "destination": "Tokyo"},
    ),
    (
        TRAVEL,
        "Find flights from Paris to New York for 3 passengers",
        "search_flights",
        {"origin": "Paris", "destination": "New York", "passengers": 3},
    ),
    (
        TRAVEL,
        "How much is 50 USD in EUR?",
        "convert_currency",
        {"amount": 50, "from_currency": "USD", "to_currency": "EUR"},
    ),
    (
        TRAVEL,
        "Convert 200 GBP to JPY",
        "convert_currency",
        {"amount": 200, "from_currency": "GBP", "to_currency": "JPY"},
    ),
    (
        TRAVEL,
        "Get me a cab from 5 Main Street to the airport",
        "book_taxi",
        {"pickup": "5 Main Street", "destination": "airport"},
    ),
    (HOME, "Turn on the light in the kitchen", "set_light", {"room": "kitchen", "state": "on"}),
    (HOME, "Switch off the bedroom lamp please", "set_light", {"room": "bedroom", "state": "off"}),
    (HOME, "Garage lights on", "set_light", {"room": "garage", "state": "on"}),
    (HOME, "Set the heating to 21 degrees", "set_thermostat", {"degrees": 21}),
    (HOME, "I'm cold, make it 23.5 degrees", "set_thermostat", {"degrees": 23.5}),
    (HOME, "Play Bohemian Rhapsody", "play_song", {"title": "Bohemian Rhapsody"}),
    (HOME, "I'd like to hear Yellow Submarine", "play_song", {"title": "Yellow Submarine"}),
    (HOME, "Wake me up at 6:45", "set_alarm", {"time": "6:45"}),
    (HOME, "Set an alarm for 07:15", "set_alarm", {"time": "07:15"}),
    (OFFICE, "Remind me to buy milk", "create_todo", {"title": "buy milk"}),
    (OFFICE, "Put 'call the dentist' on my list", "create_todo", {"title": "call the dentist"}),
    (OFFICE, "What is on my to-do list?", "list_todos", {}),
    (OFFICE, "Show me all my tasks", "list_todos", {}),
    (
        OFFICE,
        "Send an email to anna@example.com about the budget",
        "send_email",
        {"to": "anna@example.com", "subject": "budget"},
    ),
    (
        OFFICE,
        "Mail bob@example.org with the subject Lunch",
        "send_email",
        {"to": "bob@example.org", "subject": "Lunch"},
    ),
    (OFFICE, "What is 17 * 23?", "calculate", {"expression": "17 * 23"}),
    (OFFICE, "Compute 144 / 12", "calculate", {"expression": "144 / 12"}),
    (MIXED, "What's the share price of AAPL?", "get_stock_price", {"symbol": "AAPL"}),
    (MIXED, "How is MSFT stock doing?", "get_stock_price", {"symbol": "MSFT"}),
    (MIXED, "Any news about electric cars?", "get_news", {"topic": "electric cars"}),
    (MIXED, "Give me today's headlines on football", "get_news", {"topic": "football"}),
    (MIXED, "Where is my order 48213?", "get_order_status", {"order_id": 48213}),
    (MIXED, "Has order number 77 been shipped yet?", "get_order_status", {"order_id": 77}),
    (MIXED, "How much is 3.5 * 12?", "calculate", {"expression": "3.5 * 12"}),
    (KITCHEN, "What can I cook with chicken?", "find_recipe", {"ingredient": "chicken"}),
    (KITCHEN, "Give me a recipe with mushrooms", "find_recipe", {"ingredient": "mushrooms"}),
    (KITCHEN, "What does serendipity mean?", "define_word", {"word": "serendipity"}),
    (KITCHEN, "Look up the word ubiquitous", "define_word", {"word": "ubiquitous"}),
    (KITCHEN, "Roll a 20 sided die", "roll_dice", {"sides": 20}),
    (KITCHEN, "Throw a die with 6 sides for me", "roll_dice", {"sides": 6}),
    (
        KITCHEN,
        "I must not forget to water the plants",
        "create_todo",
        {"title": "water the plants"},
    ),
    (TRAVEL, "Tell me the forecast for Madrid", "get_current_weather", {"location": "Madrid"}),
    (HOME, "Lights out in the bathroom", "set_light", {"room": "bathroom", "state": "off"}),
]

NO_TOOL: list[tuple[list[dict[str, Any]], str]] = [
    (TRAVEL, "Hello, how are you?"),
    (TRAVEL, "Tell me a joke"),
    (TRAVEL, "Who wrote Hamlet?"),
    (HOME, "What is the meaning of life?"),
    (HOME, "Write a short poem about the sea"),
    (HOME, "Thanks a lot, that was helpful!"),
    (OFFICE, "What is the capital of Australia?"),
    (OFFICE, "Who are you?"),
    (OFFICE, "Explain photosynthesis in one sentence"),
    (MIXED, "Can you help me learn Spanish?"),
    (MIXED, "Why is the sky blue?"),
    (MIXED, "Good morning!"),
    (KITCHEN, "How do airplanes fly?"),
    (KITCHEN, "Which planet is the largest?"),
    (KITCHEN, "Give me advice for a job interview"),
    (TRAVEL, "How many legs does a spider have?"),
]

WEATHER_ZH = tool("get_current_weather", "获取当前天气", "location", location="城市名称")
TODO_ZH = tool("create_todo", "在待办清单中添加一项", "title", title="待办事项的内容")
LIGHT_ZH = tool(
    "set_light",
    "打开或关闭房间里的灯",
    "room state",
    room={"type": "string", "enum": ["厨房", "卧室", "客厅"]},
    state={"type": "string", "enum": ["打开", "关闭"]},
)
STOCK_ZH = tool("get_stock_price", "查询股票价格", "symbol", symbol="股票代码")
ALARM_ZH = tool("set_alarm", "设置闹钟", "time", time="时间，例如 07:30")
NEWS_ZH = tool("get_news", "获取最新新闻", "topic", topic="新闻主题")
ZH = [WEATHER_ZH, TODO_ZH, LIGHT_ZH, STOCK_ZH, ALARM_ZH, NEWS_ZH]

CHINESE: list[Case] = [
    ([WEATHER_ZH], "北京天气怎么样？", "get_current_weather", {"location": "北京"}),
    (ZH, "上海今天的天气如何？", "get_current_weather", {"location": "上海"}),
    (ZH, "请告诉我广州现在的天气", "get_current_weather", {"location": "广州"}),
    (ZH, "深圳明天会下雨吗？", "get_current_weather", {"location": "深圳"}),
    (ZH, "打开厨房的灯", "set_light", {"room": "厨房", "state": "打开"}),
    (ZH, "请关闭卧室的灯", "set_light", {"room": "卧室", "state": "关闭"}),
    (ZH, "查询 AAPL 的股票价格", "get_stock_price", {"symbol": "AAPL"}),
    (ZH, "腾讯的股价是多少？", "get_stock_price", {"symbol": "腾讯"}),
    (ZH, "设置一个 07:30 的闹钟", "set_alarm", {"time": "07:30"}),
    (ZH, "早上 6:45 的闹钟", "set_alarm", {"time": "6:45"}),
    (ZH, "有什么关于足球的新闻？", "get_news", {"topic": "足球"}),
    (ZH, "获取人工智能的最新新闻", "get_news", {"topic": "人工智能"}),
    (ZH, "在待办清单中添加买牛奶", "create_todo", {"title": "买牛奶"}),
    (ZH, "添加待办：给妈妈打电话", "create_todo", {"title": "给妈妈打电话"}),
    (TRAVEL, "北京天气怎么样？", "get_current_weather", {"location": "北京"}),
    (TRAVEL, "从上海到东京的航班", "search_flights", {"origin": "上海", "destination": "东京"}),
    (HOME, "播放《月亮代表我的心》", "play_song", {"title": "月亮代表我的心"}),
]

CHINESE_NO_TOOL: list[tuple[list[dict[str, Any]], str]] = [
    ([WEATHER_ZH], "你好"),
    ([WEATHER_ZH], "告诉我一个笑话"),
    (ZH, "你是谁？"),
    (ZH, "写一首关于大海的诗"),
    (ZH, "谢谢你的帮助"),
    (ZH, "为什么天空是蓝色的？"),
    (ZH, "中国的首都是哪里？"),
    (TRAVEL, "请介绍一下你自己"),
]

SEVERAL: list[tuple[list[dict[str, Any]], str, list[tuple[str, dict[str, Any]]]]] = [
    (
        TRAVEL,
        "What's the weather in Paris and London?",
        [
            ("get_current_weather", {"location": "Paris"}),
            ("get_current_weather", {"location": "London"}),
        ],
    ),
    (
        TRAVEL,
        "Weather in Oslo, Rome and Madrid please",
        [
            ("get_current_weather", {"location": "Oslo"}),
            ("get_current_weather", {"location": "Rome"}),
            ("get_current_weather", {"location": "Madrid"}),
        ],
    ),
    (
        HOME,
        "Turn on the kitchen light and set the heating to 20 degrees",
        [("set_light", {"room": "kitchen", "state": "on"}), ("set_thermostat", {"degrees": 20})],
    ),
    (
        MIXED,
        "Check the price of TSLA stock, then show me the news about solar power",
        [("get_stock_price", {"symbol": "TSLA"}), ("get_news", {"topic": "solar power"})],
    ),
    (
        HOME,
        "Play Yesterday; wake me up at 7:00",
        [("play_song", {"title": "Yesterday"}), ("set_alarm", {"time": "7:00"})],
    ),
    (
        ZH,
        "北京和上海的天气怎么样？",
        [
            ("get_current_weather", {"location": "北京"}),
            ("get_current_weather", {"location": "上海"}),
        ],
    ),
    (
        ZH,
        "打开厨房的灯，设置 07:00 的闹钟",
        [("set_light", {"room": "厨房", "state": "打开"}), ("set_alarm", {"time": "07:00"})],
    ),
    (
        OFFICE,
        "Remind me to buy bread and butter",
        [("create_todo", {"title": "buy bread and butter"})],
    ),
    (HOME, "Play Salt and Pepper", [("play_song", {"title": "Salt and Pepper"})]),
    (
        MIXED,
        "News about war and peace in the Middle East",
        [("get_news", {"topic": "war and peace in the Middle East"})],
    ),
]
