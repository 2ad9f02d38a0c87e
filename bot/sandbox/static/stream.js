// One stream of events feeds all panes. It outlives the server: when the line is cut the page says so,
// tries again by itself, and fetches the whole state once it is back.

const KINDS = ["message", "edited", "deleted", "reaction", "clock", "chat", "reset"];
const PAUSES = [500, 1000, 2000, 4000];    // milliseconds between tries

export function follow({ onEvent, onUp, onDown }) {
  let tries = 0;
  let retry = 0;
  let source = null;

  function connect() {
    clearTimeout(retry);
    source?.close();
    source = new EventSource("/sandbox/events");
    source.onopen = async () => {
      try {
        await onUp();
        tries = 0;
      } catch {
        again();
      }
    };
    source.onerror = again;
    for (const kind of KINDS) source.addEventListener(kind, (event) => onEvent(kind, JSON.parse(event.data)));
  }

  function again() {
    source.close();
    onDown();
    clearTimeout(retry);
    retry = setTimeout(connect, PAUSES[Math.min(tries++, PAUSES.length - 1)]);
  }

  addEventListener("online", connect);
  addEventListener("pagehide", () => source?.close());
  addEventListener("pageshow", (event) => { if (event.persisted) connect(); });
  connect();
}
