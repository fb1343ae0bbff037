"""The phrases behind local moderation, in English and Chinese: threats, insults, hatred of groups.

Written to be read: no slurs, no swear words for their own sake, nothing that takes context to
judge. Each pattern sees one sentence, in lower case, with straight apostrophes.
"""

from collections.abc import Mapping

# Without the verbs that are as often meant of games and arguments: beat, crush, destroy, execute.
# Whom a threat is against. "It", "this" and things are left out: one kills processes and pain.
_WHOM = (
    r"(?:you(?: all| guys)?|u|him|her|them(?: all)?|all of (?:you|them)|everyone|everybody|"
    r"(?:your|his|her|their) (?:whole )?(?:family|wife|husband|kids?|children|mother|mom|father|"
    r"dad|parents|sister|brother|son|daughter)|"
    r"(?:that|this) (?:guy|man|woman|girl|boy|bastard|bitch|idiot|teacher|person))"
)
_HARM = (
    r"(?:kill|murder|shoot|stab|strangle|choke|slaughter|behead|drown|poison|"
    r"hurt|torture|punch|slap)"
)
_BODY = (
    r"(?:legs?|arms?|necks?|bones?|fingers?|face|skull|jaw|nose|ribs|throat|teeth|"
    r"head|tongue|ears?|eyes?|hands?|knees?|kneecaps?|back)"
)
_HOME = r"(?:house|home|car|shop|store|office|school|church|mosque|synagogue)"
_WILL = (
    r"(?:i|we)(?:'ll| will|'m going to|'m gonna| am going to| am gonna| gonna|'re going to|"
    r"'re gonna| are going to| are gonna| want to| wanna|'d love to| would love to| swear i'll| "
    r"am about to|'m about to| should)(?: \w+){0,2}?"
)
_ADVERB = (
    r"(?:(?:really|so|such|just|nothing but|truly|absolutely|fucking|damn|total|complete|"
    r"absolute|utter|bloody|real) )*"
)

_INSULT = (
    r"(?:idiots?|morons?|imbeciles?|losers?|scumbags?|scum|dumbass(?:es)?|assholes?|bastards?|"
    r"bitch(?:es)?|freaks?|cretins?|half-?wits?|dimwits?|dumb fools?|fools?|jerks?|creeps?|clowns?|"
    r"disgrace to your family|"
    r"pigs?|swine|vermin|garbage|trash|filth|waste of (?:space|oxygen|air)|"
    r"(?:piece|pile) of (?:garbage|trash|shit|crap|dirt|filth)|"
    r"(?:dumbest|stupidest|ugliest|laziest|worst|most (?:stupid|disgusting|pathetic)) "
    r"(?:person|human|man|woman|thing)(?: alive)?)(?! (?:farmer|collector|bag|can|man|day))"
)
_BAD = (
    r"(?:stupid|dumb|pathetic|worthless|disgusting|ugly|useless|filthy|idiotic|moronic|brainless|"
    r"repulsive|lazy|fat|rotten|miserable)"
)

# Groups in the words that they use themselves: what is said of them decides.
_GROUP = (
    r"(?:muslims?|jews?|christians?|hindus?|buddhists?|sikhs?|catholics?|immigrants?|migrants?|"
    r"refugees?|foreigners?|gays?|lesbians?|homosexuals?|transgenders?|women|blacks|whites|asians|"
    r"arabs?|africans?|mexicans?|chinese|indians?|pakistanis?|russians?|americans?|latinos?|"
    r"(?:gay|trans|transgender|queer|bisexual|black|white|brown|asian|jewish|muslim|arab|disabled|"
    r"deaf|blind|autistic|old|indigenous|roma|romani|native) "
    r"(?:people|folks|men|women|kids|person)|people of colou?r|people with disabilities|"
    r"those people|these people)"
)
_LOW = (
    r"(?:vermin|parasites?|cockroach(?:es)?|rats|animals|sub-?humans?|terrorists?|"
    r"criminals?|rapists?|thieves|scum|filth|trash|garbage|a (?:disease|plague|cancer|burden)|"
    r"degenerates?|too (?:stupid|dumb|emotional|weak) to|not (?:really )?(?:human|people)|"
    r"(?:disgusting|evil|dirty|stupid|inferior)(?=\s*(?:[.,;!?]|$|and\b|to\b|by\b)))"
)
_AWAY = (
    r"(?:killed|exterminated|eliminated|eradicated|wiped out|gassed|shot|hanged|hung|burned|burnt|"
    r"slaughtered|gotten rid of|got rid of|put down|castrated|sterili[sz]ed)"
)
_OUT = r"(?:deported|banned|expelled|kicked out|locked up|segregated|enslaved)"

ENGLISH: Mapping[str, tuple[str, ...]] = {
    "threat": (
        rf"\b{_WILL} {_HARM} {_WHOM}\b(?! (?:off|an?)\b)",
        rf"\b{_WILL} beat (?:the \w+ out of {_WHOM}|{_WHOM} (?:up|bloody|to (?:death|a pulp)))\b",
        (
            rf"\b{_WILL} (?:break|smash|cut|slit|bash|crush|burn|shoot)(?: off| out)? "
            rf"(?:your|his|her|their) {_BODY}\b"
        ),
        (
            rf"\b{_WILL} (?:burn|blow up|torch|bomb) (?:down )?"
            rf"(?:your|his|her|their|this|that|the) {_HOME}\b"
        ),
        rf"\b{_WILL} (?:find|hunt|track) you\b.{{0,40}}\b(?:break|kill|hurt|cut|make you pay)\b",
        (
            r"\b(?:somebody|someone) (?:should|needs to|has to|must) (?:please )?"
            rf"{_HARM} {_WHOM}\b"
        ),
        rf"^(?:let's |let us |go )?(?:kill|murder|shoot|hang|slaughter) {_WHOM}[\s!.]*$",
        (
            r"\byou(?:'re| are| will|'ll)? (?:going to |gonna |all )?"
            r"(?:be dead|a dead man|dead meat)\b"
            r"(?! (?:tired|sure|certain|set|right|wrong|last|broke))"
        ),
        r"\byou(?:'re| are) (?:so )?dead (?:soon|tomorrow|tonight|when|if|meat)\b",
        (
            r"\byou(?:'re going to| are going to|'re gonna| will|'ll) "
            r"(?:die|bleed|pay with your life)"
            r"(?: soon| tonight| tomorrow| for (?:this|that|what)| painfully)\b"
        ),
        (
            r"\b(?:you|they|he|she) (?:deserves? to|should|needs? to|must|ought to) (?:all )?"
            r"(?:die (?:now|slowly|painfully|in \w+)|"
            r"be (?:killed|shot|beaten up|hanged|hung|stabbed))\b"
        ),
        r"\b(?:you|they|he|she) deserves? to die\b|\byou won't survive\b",
        (
            r"\bi (?:really )?(?:hope|wish) (?:that )?(?:you|he|she|they)(?: all)?"
            r"(?: would| will)? (?:just )?"
            r"(?:die|dies|gets? (?:hit|run over|shot|killed|cancer)|suffer|rot)\b"
        ),
        r"\bwatch your back\b.{0,40}\b(?:dead|die|come for you|coming for you|get you|find you)\b",
    ),
    "insult": (
        (
            rf"\byou(?:'re| are|r) {_ADVERB}(?:all )?(?:a |an |the |one )?{_ADVERB}"
            rf"(?:{_BAD},? (?:and )?)*(?:little |old )?{_INSULT}\b"
        ),
        rf"\byou (?:{_BAD},? )*(?:little |old )?{_INSULT}\b",
        rf"\bare you (?:such|always such|really such) (?:a|an) (?:{_BAD} )*{_INSULT}\b",
        (
            r"\b(?:get lost|shut up|go away|your?|nobody)\b.{0,40}, "
            rf"(?:you )?(?:{_BAD} )*{_INSULT}\b"
        ),
        rf"\byou (?:{_BAD},? )+(?:animal|thing|man|woman|boy|girl|person|creature|cow|dog|rat)\b",
        (
            rf"\byou(?:'re| are) {_ADVERB}(?:too )?{_BAD}"
            rf"(?:[\s!.,]*$| (?:that )?it hurts| and (?:{_BAD}|nobody|no one)\b)"
        ),
        rf"\bwhat an? (?:{_BAD} )*{_INSULT} you are\b",
        r"\bgo to hell\b(?!.{0,10}\bor\b)|\bshut (?:the (?:hell|fuck) )?up,? you\b",
        r"\bi (?:really |fucking )?(?:hate|despise|loathe) you\b",
        r"\byou make me sick\b|\bnobody (?:likes|loves|wants) you\b|\byou disgust me\b",
        r"\b(?:go )?(?:kill yourself|drop dead)\b|\bfuck (?:you|off)\b|\bscrew you\b",
    ),
    "hate": (
        rf"\b(?:all )?(?:the )?{_GROUP} (?:are|is) (?:all |just |nothing but |basically )*{_LOW}\b",
        (
            r"\bi (?:really |fucking )?(?:hate|despise|loathe) (?:all )?(?:the |those |these )?"
            rf"{_GROUP}\b"
        ),
        (
            rf"\b{_GROUP} (?:should|must|ought to|have to|need to) "
            rf"(?:all )?(?:not exist|disappear|be {_OUT})\b"
        ),
        rf"\b{_GROUP}\b.{{0,40}}\b(?:are|is) (?:all )?{_LOW}.{{0,12}}\bshould (?:all )?be {_OUT}\b",
        rf"\b(?:deport|ban|expel|kick out) (?:all|every|these|those) (?:of )?(?:the )?{_GROUP}\b",
        (
            rf"\b{_GROUP} (?:do not|don't|should not|shouldn't) "
            r"(?:deserve|belong|have|get|be allowed) "
            r"(?:to (?:exist|live|vote|be here|drive|work|marry)|here|(?:any )?rights)\b"
        ),
        rf"\b{_GROUP} are (?:less (?:intelligent|human|worthy)|dumber|worth less)\b",
    ),
    "hate_threat": (
        (
            rf"\b{_GROUP} (?:should|must|ought to|have to|need to|deserve to) (?:all )?"
            rf"(?:die|be {_AWAY})\b"
        ),
        rf"\b{_GROUP}\b.{{0,40}}\b(?:should|must) (?:all )?be {_AWAY}\b",
        (
            rf"\b(?:kill|gas|exterminate|eliminate|shoot|hang|burn|slaughter|murder) "
            rf"(?:all|every|these|those)(?: of)?(?: the| these| those)? {_GROUP}\b"
        ),
        (
            rf"\b(?:send|put) (?:all |every |these |those )*(?:the )?{_GROUP} "
            r"(?:to|in|into) (?:the )?(?:gas chambers?|ovens?|camps?)\b"
        ),
    ),
}

_ZH_WHOM = r"(?:你们?|妳|您|他们?|她们?|你全家|你一家|你家人|你老婆|你孩子)"
_ZH_HARM = (
    r"(?:杀(?:了|死|掉)?|弄死|打死|砍死?|捅死?|掐死|揍(?:扁|死)?|干掉|宰了?|毒死|烧死|枪毙|"
    r"打断|废了?|做掉|整死|搞死|淹死)"
)
_ZH_INSULT = (
    r"(?:白痴|蠢货|蠢猪|废物|垃圾|混蛋|王八蛋|贱人|人渣|败类|畜生|狗东西|脑残|智障|弱智|神经病|"
    r"窝囊废|猪脑子|饭桶|杂种|渣滓|下三滥|丑八怪|死肥猪)"
)
_ZH_GROUP = (
    r"(?:黑人|白人|亚洲人|犹太人|穆斯林|回民|基督徒|阿拉伯人|印度人|非洲人|日本人|韩国人|美国人|"
    r"中国人|外国人|外地人|乡下人|农民工|移民|难民|同性恋者?|双性恋者?|跨性别者?|女人|女性|"
    r"残疾人|残障人士?|聋哑人|少数民族|自闭症(?:患者|儿童))"
)
_ZH_LOW = (
    r"(?:垃圾|畜生|蛆虫?|寄生虫|害虫|蟑螂|老鼠|劣等(?:人|民族)?|低等(?:人|民族)?|恐怖分子|罪犯|"
    r"小偷|人渣|败类|变态|恶心|不是人|社会的?(?:累赘|负担|毒瘤)|废物|祸害|下贱)"
)

CHINESE: Mapping[str, tuple[str, ...]] = {
    "threat": (
        (
            rf"(?:我|我们|老子|俺)[^，。！？]{{0,8}}?(?:要|会|想|去|来|一定|迟早|早晚|必须)"
            rf"[^，。！？]{{0,6}}?(?:把{_ZH_WHOM}[^，。！？]{{0,4}}?{_ZH_HARM}|{_ZH_HARM}{_ZH_WHOM})"
        ),
        rf"(?:我|老子)(?:要|就)?(?:{_ZH_HARM}{_ZH_WHOM}|把{_ZH_WHOM}{_ZH_HARM})",
        rf"信不信(?:我|老子)[^，。！？]{{0,6}}{_ZH_HARM}",
        rf"(?:打断|砍断|废了|弄断){_ZH_WHOM}的?(?:腿|手|脖子|狗腿|胳膊)",
        r"(?:烧了|炸了|一把火烧了?)(?:你|他|她)们?(?:的)?(?:家|房子|店|车)",
        r"你(?:死定了|活不过|小心(?:点)?你的(?:狗)?命|别想活)|(?:要|取)你(?:的)?(?:狗)?命",
        r"(?:你|他|她)们?(?:都)?(?:该死|活该去死|应该去死|怎么不去死|不得好死)",
        r"(?:希望|巴不得|祝)(?:你|他|她)们?(?:全家)?(?:早点|快点|赶紧)?(?:去)?(?:死|被车撞)",
    ),
    "insult": (
        (
            rf"(?:你|妳)们?(?:这|真|就|简直|都|全|果然|他妈)?(?:的)?(?:是|个|群|种|头)*"
            rf"(?:一)?(?:个|群|堆|头)?(?:没用的|恶心的|臭|死|大|该死的)?{_ZH_INSULT}"
        ),
        r"去死(?:吧|啊|！|!|$)|滚(?:蛋|出去|开)|给我滚|闭上你的(?:狗|臭)嘴",
        r"(?:你|妳)(?:真|太|好)?(?:让人)?(?:恶心|不要脸)(?:了|！|!|。|$)|我(?:恨死?|讨厌死)你",
        r"(?:你|妳)(?:怎么)?(?:这么|那么|真)(?:蠢|笨得像猪|贱|丑得)",
        r"没人(?:喜欢|会喜欢|爱)你|你是猪(?:吗|啊|[，！。!]|$)",
    ),
    "hate": (
        (
            rf"{_ZH_GROUP}(?:们)?(?:就|都|全|全都|全部|根本|天生|只)*(?:是|就是|都是)?"
            rf"(?:一群|一帮|些)?{_ZH_LOW}"
        ),
        (
            rf"(?:我|我们)(?:最|真|就是|非常)?(?:恨|讨厌|憎恨|厌恶|瞧不起)(?:死)?"
            rf"(?:所有|全部|这些|那些)(?:的)?{_ZH_GROUP}"
        ),
        (
            rf"{_ZH_GROUP}(?:们)?(?:就|都|全|全都)*(?:应该|该|必须|就该)(?:被)?(?:都)?"
            r"(?:赶走|驱逐|滚出去|消失|关起来|遣返)"
        ),
        rf"(?:赶走|驱逐)(?:所有|全部|这些)(?:的)?{_ZH_GROUP}|{_ZH_GROUP}(?:们)?(?:滚出|滚回)",
        rf"{_ZH_GROUP}(?:们)?(?:就|都|根本)*不(?:配|该)(?:活|存在|投票|当人|拥有|生在)",
    ),
    "hate_threat": (
        rf"(?:杀光|杀死|消灭|灭绝|清除|烧死|枪毙|屠杀)(?:所有|全部|这些|那些)?(?:的)?{_ZH_GROUP}",
        (
            rf"{_ZH_GROUP}(?:们)?(?:就|都|全|全都)*(?:应该|该|必须|就该)(?:都|全)?(?:被)?(?:都)?"
            r"(?:去死|死光|杀光|消灭|灭绝|枪毙|处死|烧死)"
        ),
        rf"(?:把)?(?:所有|全部|这些)?{_ZH_GROUP}(?:都|全)?(?:送进|关进)(?:毒气室|集中营)",
    ),
}

REPORTED = (
    r"\b(?:said|says|saying|say|told|tells|tell me|called|calls|call|wrote|writes|claims?|claimed|"
    r"stereotypes?|myths?|slogans?|phrases?|sentences?|words|lyrics|quotes?|translate|translation|"
    r"example of|means?|why (?:do|does|did|is|are)|is it (?:true|wrong|illegal|legal|okay|ok)|"
    r"people (?:think|believe)|debunk|refute)\b"
    r"|(?:他|她|他们|她们|有人|别人|同学|老板|老师|网友|对方)[^，。！？]{0,6}(?:说|骂|叫|喊|称|写)"
    r"|(?:翻译|例句|歌词|台词|刻板印象|偏见|谣言|为什么|是不是|对不对|吗[？?]?$)"
)
"""Where a sentence speaks of such words, insults and hatred in it are not the caller's."""

INVENTED = (
    r"\b(?:novel|character|plot|lyrics|screenplay|scene|fairy ?tale|short story|villain|chapter)\b"
    r"|小说|角色|台词|剧本|剧情|歌词|情节"
)
"""Where a sentence speaks of fiction, threats in it are not the caller's either."""

QUOTED = r"“[^”]*”|「[^」]*」|『[^』]*』|《[^》]*》|\"[^\"]*\"|(?<!\w)'[^']{1,300}'(?!\w)"
