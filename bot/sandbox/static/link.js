// Where an address may lead: http and https only, and the bot's own deep links not at all,
// because they would lead out of the sandbox to the real Telegram; the page follows those itself.

export function safeAddress(address) {
  try {
    const url = new URL(address);
    return url.protocol === "http:" || url.protocol === "https:" ? url.href : null;
  } catch {
    return null;
  }
}

/** `https://t.me/<username>?start=payload` → {start, startgroup} (one of them null), anything else → null. */
export function deepLink(address, username) {
  const url = new URL(address);
  const own = url.pathname.slice(1).toLowerCase() === username.toLowerCase();
  if (!own || !["t.me", "telegram.me"].includes(url.hostname)) return null;
  const [start, startgroup] = ["start", "startgroup"].map((name) => url.searchParams.get(name));
  return startgroup === null ? { start: start ?? "", startgroup } : { start: null, startgroup };
}
