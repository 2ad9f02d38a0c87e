// The page does to the sandbox only what a test may do too: every wish goes through the control API here,
// and a refusal comes back as one line that can be shown to a person.

export class Refusal extends Error {}

async function ask(method, path, body) {
  const form = body instanceof FormData;
  let answer;
  try {
    answer = await fetch(`/sandbox/${path}`, {
      method,
      headers: body && !form ? { "Content-Type": "application/json" } : {},
      body: body && !form ? JSON.stringify(body) : body,
    });
  } catch {
    throw new Refusal("");
  }
  const told = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Refusal(told.error ?? `HTTP ${answer.status}`);
  return told;
}

export const fileAddress = (fileId) => `/sandbox/file/${encodeURIComponent(fileId)}`;

export const state = () => ask("GET", "state");
export const edit = (wish) => ask("POST", "edit", wish);
export const press = (wish) => ask("POST", "press", wish);
export const wind = (seconds) => ask("POST", "clock", { advance: seconds });
export const membership = (wish) => ask("POST", "membership", wish);
export const join = (wish) => ask("POST", "join", wish);
export const migrate = (chat) => ask("POST", "migrate", { chat });

/** Own pictures travel as multipart, everything else as JSON; the fields are the same. */
export function send(wish, files = []) {
  if (!files.length) return ask("POST", "send", wish);
  const form = new FormData();
  for (const [name, value] of Object.entries(wish)) {
    form.append(name, typeof value === "object" ? JSON.stringify(value) : String(value));
  }
  for (const file of files) form.append("photo", file, file.name || "picture.png");
  return ask("POST", "send", form);
}
