// The page's own labels, in Chinese and English. What people and the bot write is never translated here.

const WORDS = {
  zh: {
    clock: "沙盒的钟", wind15m: "+15 分", wind1h: "+1 小时", wind1d: "+1 天",
    wind15mLong: "把钟拨快 15 分钟", wind1hLong: "把钟拨快 1 小时", wind1dLong: "把钟拨快 1 天", wound: "已拨快 {0}",
    otherLanguage: "EN", otherLanguageLong: "Labels in English",
    lost: "沙盒没有回应，正在重新连接…", unreachable: "沙盒没有回应，内容还在，稍后再发。",
    tabs: "聊天", tabDistrict: "商圈", tabUnit: "单位", tabOffice: "社区", tabPrivate: "私聊",
    kindDistrict: "商圈", kindUnit: "共建单位", kindOffice: "社区与街道", kindPrivate: "与机器人私聊", kindOther: "其他群",
    chooseChat: "显示哪个聊天", chooseWho: "以谁的身份", iAm: "我是", more: "这个聊天的更多操作", privateWith: "{0}的私聊",
    hintTitle: "试试看", hintClose: "不再提示",
    hint1: "点图片样张，选「井盖破损」，按回车上报。",
    hint2: "看单位那一栏：卡片来了，点「接单」或「已处置」。",
    hint3: "把钟拨快 1 小时，看提醒怎么来。",
    write: "写点什么", send: "发送", attach: "添加图片", samples: "图片样张", places: "发送位置",
    asFile: "作为文件", remove: "移除", cancel: "取消", close: "关闭", ok: "知道了", drop: "松手即添加",
    reply: "回复", edit: "修改", replyTo: "回复 {0}", editing: "修改这条消息", edited: "已编辑",
    onlyYou: "仅你可见 · only you see this", bot: "机器人", reactions: "回应",
    photo: "图片", file: "文件", place: "位置", sticker: "贴纸", otherMessage: "暂不显示的消息类型", gone: "已删除的消息",
    picture: "图片", live: "实况", openPicture: "放大图片", forwarded: "转自 {0}", anonymous: "匿名管理员",
    emptyGroup: "还没有消息。", emptyPrivate: "还没有和机器人说过话。", start: "开始",
    botAway: "机器人不在这个聊天里。", letBotJoin: "让它加入", noAnswer: "机器人没有回应这次点击。",
    botLeaves: "机器人离开这个群", botJoins: "机器人加入这个群", block: "屏蔽机器人", unblock: "解除屏蔽", migrate: "升级为超级群", asAnonymous: "以匿名管理员身份发言",
    toNewest: "到最新消息", copied: "已复制",
    saidCover: "自来水井盖被货车压裂了", saidObstruction: "货物堆在人行道上，走不过去", saidBikes: "电动车乱停，堵住店门",
    saidRubbish: "垃圾成堆，没人清", saidLight: "路灯不亮了",
    cover: "井盖破损", fixed: "已修好", obstruction: "占道堆物", bikes: "车辆乱停", rubbish: "暴露垃圾", light: "路灯不亮",
    hereLocation: "位置：关帝庙", hereVenue: "地点：关帝庙，张记面馆", venueTitle: "张记面馆", venueAddress: "关帝庙商圈，中山路 12 号",
    joined: "{0}加入了", left: "{0}离开了", created: "群建好了", upgraded: "这个群升级成了超级群", upgradedFrom: "由普通群升级而来",
    titled: "群名改为“{0}”", pinned: "置顶了一条消息", topic: "话题：{0}", addTo: "加到哪个群", unread: "有新消息", day: "天", hour: "小时", minute: "分",
  },
  en: {
    clock: "The sandbox's clock", wind15m: "+15 min", wind1h: "+1 h", wind1d: "+1 d",
    wind15mLong: "Wind the clock on by 15 minutes", wind1hLong: "Wind the clock on by 1 hour", wind1dLong: "Wind the clock on by 1 day", wound: "wound on {0}",
    otherLanguage: "中文", otherLanguageLong: "界面用中文",
    lost: "The sandbox does not answer. Reconnecting…", unreachable: "The sandbox does not answer. Your words are kept; send again in a moment.",
    tabs: "Chats", tabDistrict: "District", tabUnit: "Unit", tabOffice: "Office", tabPrivate: "Private",
    kindDistrict: "Districts", kindUnit: "Partner units", kindOffice: "Offices", kindPrivate: "Private with the bot", kindOther: "Other groups",
    chooseChat: "Which chat to show", chooseWho: "Who you are", iAm: "I am", more: "More for this chat", privateWith: "{0}, in private",
    hintTitle: "Try this", hintClose: "Do not show again",
    hint1: "Press the sample pictures by the text field, choose Manhole cover, press Enter.",
    hint2: "See the unit's pane: the card is there. Press 接单 (accept) or 已处置 (done).",
    hint3: "Wind the clock on by 1 h and watch the reminders come.",
    write: "Write something", send: "Send", attach: "Add pictures", samples: "Sample pictures", places: "Send a place",
    asFile: "as file", remove: "Remove", cancel: "Cancel", close: "Close", ok: "OK", drop: "Let go to add",
    reply: "Reply", edit: "Edit", replyTo: "Reply to {0}", editing: "Edit this message", edited: "edited",
    onlyYou: "仅你可见 · only you see this", bot: "bot", reactions: "Reactions",
    photo: "Picture", file: "File", place: "Place", sticker: "Sticker", otherMessage: "A kind of message not shown here", gone: "Deleted message",
    picture: "Picture", live: "Live", openPicture: "Enlarge the picture", forwarded: "Forwarded from {0}", anonymous: "Anonymous admin",
    emptyGroup: "No messages yet.", emptyPrivate: "Nothing said to the bot yet.", start: "Start",
    botAway: "The bot is not in this chat.", letBotJoin: "Let it join", noAnswer: "The bot did not answer this press.",
    botLeaves: "The bot leaves this group", botJoins: "The bot joins this group", block: "Block the bot", unblock: "Unblock the bot", migrate: "Make it a supergroup", asAnonymous: "Post as anonymous admin",
    toNewest: "To the newest message", copied: "Copied",
    saidCover: "The water manhole cover is cracked", saidObstruction: "Goods on the pavement, no way through",
    saidBikes: "Scooters parked across the shop door", saidRubbish: "A heap of rubbish", saidLight: "The street light is out",
    cover: "Manhole cover", fixed: "Mended cover", obstruction: "Goods on pavement", bikes: "Bikes in the way", rubbish: "Rubbish", light: "Street light",
    hereLocation: "Location: Guandi Temple", hereVenue: "Venue: Zhang's Noodles", venueTitle: "张记面馆", venueAddress: "关帝庙商圈,中山路 12 号",
    joined: "{0} joined", left: "{0} left", created: "The group was created", upgraded: "This group became a supergroup", upgradedFrom: "Upgraded from a basic group",
    titled: "The group is now called “{0}”", pinned: "pinned a message", topic: "Topic: {0}", addTo: "Add to which group", unread: "new messages", day: "d", hour: "h", minute: "min",
  },
};

// The world's roles are written in English with a Chinese detail; a Chinese page shows them in Chinese.
const ROLES = {
  "shop owner": "商户", "community secretary": "社区书记", "deputy secretary": "社区副书记", "street office": "街道",
  unit: "共建单位", operator: "管理员", water: "水务", power: "供电", "urban management": "综合执法", telecom: "通信", property: "物业",
  "speaks English": "说英语",
};

let chosen = sessionStorage.getItem("sandbox.language") ?? (navigator.language.startsWith("zh") ? "zh" : "en");

export const language = () => chosen;

export function choose(next) {
  chosen = next;
  sessionStorage.setItem("sandbox.language", next);
}

export function word(key, ...values) {
  const text = WORDS[chosen][key] ?? key;
  return values.reduce((filled, value, at) => filled.replace(`{${at}}`, value), text);
}

export function role(text) {
  if (chosen !== "zh" || !text) return text ?? "";
  return text.split(" · ").map((part) => ROLES[part] ?? part).join(" · ");
}

/** Fills every element that names its words in data-word, data-word-label, -title or -placeholder. */
export function label(root) {
  const each = (name, write) =>
    root.querySelectorAll(`[data-${name}]`).forEach((node) => write(node, word(node.getAttribute(`data-${name}`))));
  each("word", (node, text) => { node.textContent = text; });
  each("word-title", (node, text) => { node.title = text; });
  each("word-placeholder", (node, text) => { node.placeholder = text; });
  each("word-label", (node, text) => {
    node.setAttribute("aria-label", text);
    if (node.matches("button")) node.title = text;
  });
}
