"""The kinds of matters a district reports, with the limits shipped for each and the words that name them.

The limits are local, not a standard: an alliance overrides any of them in its file. "X" below is a city's
published table of components (部件) and incidents (事件); where it says "none found", the figure is ours.

* cover.*: X; Tianjin 30 min on site and 6 h; Guangzhou 6 h, else 36 h; Xuzhou 2 h
* cover.unknown: as the others; Tianjin gives a claim round one working day
* fire, telecom.box, power, pole: X (power also knows 24 h for middling works; the longest is kept here)
* rubbish, debris, dirty, green, illegal: a district's table of incidents
* light, obstruction, stall, bikes, road: none found; other: ours
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from bot.domain.durations import Duration


@dataclass(frozen=True)
class Category:
    """One kind of matter.

    ``accept``, ``safe`` (None: nothing to cordon off) and ``repair`` run from dispatch; ``repair_works`` is
    the repair limit where it needs works (None: no such case). ``safe_if_dangerous`` takes the place of
    ``safe`` once a person has called this one incident dangerous. ``dangerous`` kinds pass quiet hours.
    ``keywords`` are what people write, Chinese and English, lower case; one word belongs to one category.
    """

    key: str
    name_en: str
    name_zh: str
    icon: str
    dangerous: bool
    accept: Duration
    safe: Duration | None
    repair: Duration
    repair_works: Duration | None
    keywords: tuple[str, ...]
    safe_if_dangerous: Duration | None = None


DANGEROUS: Final = frozenset({"fire", "power", "pole"})
"""Kinds that may hurt somebody before morning, beside every cover.*."""

COVER_WORDS: Final = ("井盖", "窨井盖", "阴井盖", "窨井", "阴井", "井", "的井盖", "公司井盖", "公司的井盖")
"""Said after an owner's name: 自来水 + 井盖. Without a name before them they mean cover.unknown."""


def _kind(key: str, en: str, zh: str, icon: str, limits: str, chinese: str, english: str = "") -> Category:
    """``limits``: accept, safe, repair, repair with works; ``-`` for none, ``?60m`` only if dangerous.

    ``chinese``: words apart by spaces; ``english``: phrases apart by commas, in the singular.
    """
    accept, safe, repair, works = limits.split()
    phrases = (" ".join(phrase.split()) for phrase in english.split(","))
    return Category(
        key=key,
        name_en=en,
        name_zh=zh,
        icon=icon,
        dangerous=key in DANGEROUS or key.startswith("cover."),
        accept=Duration.parse(accept),
        safe=None if safe[0] in "-?" else Duration.parse(safe),
        repair=Duration.parse(repair),
        repair_works=None if works == "-" else Duration.parse(works),
        keywords=(*chinese.split(), *(phrase for phrase in phrases if phrase)),
        safe_if_dangerous=Duration.parse(safe[1:]) if safe[0] == "?" else None,
    )


def _cover(owner: str, en: str, zh: str, icon: str, owners: str, more: str = "", english: str = "") -> Category:
    """A manhole cover by its owner; ``owners`` are the names said before 井盖, ``more`` is said alone."""
    named = " ".join(who + cover for who in owners.split() for cover in COVER_WORDS)
    phrases = [f"{who.strip()} {cover}" for who in english.split(",") for cover in ("manhole", "manhole cover")]
    return _kind(
        f"cover.{owner}", en, zh, icon, "30m 60m 6h 3d", f"{named} {more}", ",".join((*phrases, f"{owner} cover"))
    )


_ALL: Final = (
    _cover(
        "water", "Water manhole cover", "上水井盖", "💧", "自来水 供水 上水 给水 水务 水司 水表 水阀 阀门",
        "水表箱盖", "water, water meter, water company",
    ),
    _cover(
        "sewer", "Sewer manhole cover", "污水井盖", "🚽", "污水 排污 下水 下水道 化粪池",
        "下水道盖 化粪池盖", "sewer, sewage, septic",
    ),
    _cover(
        "storm", "Storm drain cover", "雨水井盖", "☔", "雨水 排水 沙",
        "雨水篦子 雨水箅子 雨篦子 雨水口 水篦子 排水沟盖", "storm, storm drain, rain, drain, drainage",
    ),
    _cover(
        "power", "Power manhole cover", "电力井盖", "🔌", "电力 供电 国网 国家电网 电缆 高压 电",
        "电缆沟盖", "power, electric, electricity, electrical",
    ),
    _cover(
        "light", "Street light pit cover", "路灯井盖", "🔦", "路灯 照明",
        "", "street light, streetlight, lighting",
    ),
    _cover(
        "telecom", "Telecom manhole cover", "通讯井盖", "📞",
        "通讯 通信 电信 移动 联通 广电 弱电 网络 光缆 有线", "", "telecom, telephone, cable",
    ),
    _cover("heat", "Heating manhole cover", "热力井盖", "🔥", "热力 供热 供暖 暖气", "", "heat, heating"),
    _cover("gas", "Gas manhole cover", "燃气井盖", "💨", "燃气 天然气 煤气", "", "gas, gas company"),
    _kind(
        "cover.unknown", "Manhole cover, owner unknown", "无主井盖", "❓", "30m 60m 6h 3d",
        "井盖 窨井 窨井盖 阴井 阴井盖 马路井盖 无主井盖 井盖子 井口 井圈 检查井 检查井盖 沟盖板 铁盖板",
        """manhole, manhole cover, man hole, man hole cover, broken cover, missing cover, cover missing,
        cover broken, pit cover, inspection cover, road cover""",
    ),
    _kind(
        "fire", "Fire facility", "消防设施", "🧯", "60m 60m 12h 3d",
        """消防 消防栓 消火栓 消防设施 消防井 消防井盖 消防通道 消防水带 消防箱 灭火器 烟感 应急灯
        安全出口""",
        """fire hydrant, hydrant, fire extinguisher, extinguisher, fire exit, fire lane, fire escape,
        fire hose, smoke detector""",
    ),
    _kind(
        "telecom.box", "Telecom cabinet", "通讯交接箱", "📡", "2wh ?60m 12h 3d",
        """交接箱 通讯箱 通信箱 通讯交接箱 通信交接箱 光交箱 光缆交接箱 电信箱 弱电箱 网络箱 光纤箱
        网线 光缆 电话线 宽带线 通讯线 通信线""",
        """telecom box, telecom cabinet, cable cabinet, cable box, junction box, fibre box, fiber box,
        phone line, phone cable, fibre cable, fiber cable""",
    ),
    _kind(
        "power", "Power facility", "电力设施", "⚡", "60m 60m 3h 3d",
        """电线 电缆 电箱 配电箱 配电柜 电表箱 变压器 变电箱 箱变 高压线 电力设施 裸露电线 漏电 触电
        断电 停电 飞线 开关箱""",
        """power line, power cable, electric wire, electrical wire, live wire, bare wire, loose wire,
        hanging wire, exposed wire, wire, transformer, power box, electric box, electrical box, fuse box,
        electric shock, power cut, power outage""",
    ),
    _kind(
        "pole", "Pole", "立杆", "🚏", "2wh 60m 12h 3d",
        """立杆 电线杆 电杆 水泥杆 路灯杆 灯杆 线杆 杆子 监控杆 信号杆 标志杆 路牌 指示牌 标志牌
        隔离桩 石墩 护栏 栏杆""",
        """pole, lamp post, lamppost, light pole, utility pole, telephone pole, electric pole, sign post,
        signpost, road sign, bollard, guardrail, guard rail, railing""",
    ),
    _kind(
        "light", "Street light", "路灯", "💡", "4wh - 24h -",
        "路灯 路灯不亮 路灯坏 街灯 灯不亮 灯坏 灯灭 灯泡 照明 景观灯 草坪灯 太黑 没灯",
        """street light, streetlight, street lamp, streetlamp, lamp, light out, lights out, light is out,
        light broken, no light, light bulb, too dark""",
    ),
    _kind(
        "obstruction", "Pavement obstruction", "占道堆物", "🚧", "2wh - 4wh -",
        """堆物 占道 占道堆物 堆放 乱堆 乱堆放 乱堆乱放 堆货 堆满 杂物 货物 纸箱 挡路 挡道 堵路 堵门
        堵住门口 占用人行道 占盲道 占用盲道 盲道被占 堵塞通道 拦路 地锁""",
        """blocked pavement, blocked sidewalk, pavement blocked, sidewalk blocked, pavement is blocked,
        sidewalk is blocked, blocked path, blocking the pavement, blocking the sidewalk, blocking the way,
        goods on the pavement, goods on the sidewalk, goods on pavement, boxes on the pavement,
        boxes on the sidewalk, obstruction, obstacle, pallet, in the way""",
    ),
    _kind(
        "stall", "Trading outside the shop", "店外经营", "🏪", "2wh - 4wh -",
        """店外经营 出店 出店经营 跨店经营 跨门经营 跨门营业 店外 占道经营 占道摆摊 摆摊 地摊 流动摊
        流动摊贩 摊贩 小贩 路边摊 烧烤摊 夜宵摊 摊位 外摆""",
        """street stall, stall, trading outside, selling outside, outside the shop, street vendor, vendor,
        hawker, peddler, food cart""",
    ),
    _kind(
        "bikes", "Bicycles and scooters blocking", "非机动车乱停", "🛵", "2wh - 4wh -",
        """非机动车 非机动车乱停 电动车 电瓶车 电动自行车 电驴 小电驴 共享单车 共享电车 共享电动车
        自行车 单车 脚踏车 三轮车 摩托车 僵尸车 乱停 乱停放 乱停车 乱停乱放 车辆乱停 停车占道 违停""",
        """scooter, e scooter, escooter, bicycle, bike, e bike, ebike, shared bike, share bike, motorbike,
        motorcycle, moped, tricycle, parked on the pavement, parked on the sidewalk, illegal parking""",
    ),
    _kind(
        "rubbish", "Exposed rubbish", "暴露垃圾", "🚮", "2wh - 4wh -",
        """垃圾 暴露垃圾 垃圾桶 垃圾箱 垃圾堆 垃圾堆放 垃圾乱堆 乱堆垃圾 堆放垃圾 堆满垃圾 垃圾满溢
        乱扔垃圾 生活垃圾 厨余垃圾 大件垃圾 旧家具 废弃家具 烟头 纸屑 废纸 果皮箱 乱扔 乱丢""",
        """garbage, rubbish, trash, litter, waste, dustbin, bin, trash can, garbage can, garbage bag,
        old furniture, fly tipping, cigarette butt""",
    ),
    _kind(
        "debris", "Building waste", "渣土", "🧱", "2wh - 4wh 2wd",
        """渣土 建筑垃圾 装修垃圾 装潢垃圾 工程垃圾 施工垃圾 渣土车 砖块 碎砖 砖头 水泥块 沙石 沙子
        沙堆 黄沙 石子 土堆 泥土""",
        """rubble, debris, building waste, construction waste, construction debris, brick, soil heap,
        heap of soil, heap of sand, gravel, spoil""",
    ),
    _kind(
        "dirty", "Dirty road, standing water", "道路不洁·积水", "💦", "2wh - 2wh 4wh",
        """积水 油污 污水 污水横流 污水外溢 污水满溢 污水冒溢 冒污水 路面积水 道路积水 道路不洁 路面脏
        地面脏 水坑 水塘 水洼 泥水 泥浆 油渍 呕吐物 狗屎 狗粪 粪便 臭水 下水道 下水道堵 下水道堵塞
        下水道不通 漏水 渗水 爆管 内涝 结冰""",
        """puddle, standing water, flooded, flooding, flood, water on the road, dirty road, dirty pavement,
        dirty sidewalk, dirty, oil spill, oil, grease, sewage, sewage overflow, mud, water leak,
        leaking pipe, burst pipe, blocked drain, drain blocked, clogged drain, dog poo, vomit""",
    ),
    _kind(
        "road", "Broken pavement", "道路破损", "🔨", "4wh ?60m 3wd -",
        """路面破损 道路破损 人行道破损 路面坑 坑 坑洼 坑坑洼洼 大坑 塌陷 路面塌陷 地面塌陷 塌方 路面裂
        路面开裂 路面沉降 沉降 路面坏 路面不平 地不平 地砖 地砖破 地砖松动 砖松动 盲道 盲道砖 盲道破损
        路沿石 路缘石 侧石 路牙 台阶 减速带""",
        """pothole, pot hole, broken pavement, broken sidewalk, broken road, damaged road, damaged pavement,
        cracked pavement, cracked sidewalk, road damage, sinkhole, loose tile, loose paving, loose slab,
        paving slab, paving stone, paving, kerb, curb, uneven, tactile paving, speed bump,
        hole in the road, hole in the pavement, hole""",
    ),
    _kind(
        "green", "Planting", "绿化", "🌳", "4wh - 5wd -",
        """绿化 绿化带 树枝 树木 行道树 大树 树倒 倒树 树断 树歪 枯树 死树 树叶 落叶 草坪 草地 花坛 花箱
        灌木 毁绿 杂草 树根""",
        """tree, branch, fallen tree, fallen branch, dead tree, broken branch, bush, shrub, hedge,
        flower bed, flowerbed, planter, lawn, grass, weed, leaves""",
    ),
    _kind(
        "illegal", "Illegal building", "违法搭建", "🚫", "4wh - 7d 20d",
        "违建 违章建筑 违法建筑 违法搭建 违章搭建 私搭乱建 私搭 乱搭 搭建 搭棚 雨棚 遮阳棚 彩钢棚 彩钢房",
        """illegal building, illegal construction, illegal structure, unauthorised building,
        unauthorized building, illegal extension, awning, lean to""",
    ),
    _kind(
        "other", "Other", "其他", "📌", "4wh - 3wd -",
        "广告牌 小广告 噪音 噪声 扰民 油烟", "noise, noisy, billboard, fumes",
    ),
)  # fmt: skip

CATEGORIES: Final[dict[str, Category]] = {category.key: category for category in _ALL}
"""Every shipped category by key, in the order of menus. ``illegal``: work stops when the unit accepts (4 wh)."""

FREQUENT: Final = ("cover.unknown", "obstruction", "bikes", "rubbish")
"""What a district reports most, most frequent first: the suggestions when a caption says nothing."""
