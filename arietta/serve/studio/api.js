/**
 * Talks with the server, in the words of its HTTP API: pieces, their events, the models.
 *
 * A refusal comes as `Refusal` with the server's own sentence; a server that does not answer as `Unreachable`.
 * `events` yields what happens to a piece as it happens, and goes on after a broken connection where it stopped.
 */

const LONGEST_WAIT = 8; // seconds between attempts to reach the server again

/** The server answered, and said no: `detail` is its sentence, `retrySeconds` when it may say yes. */
export class Refusal extends Error {
  constructor(status, detail, retrySeconds) {
    super(detail);
    Object.assign(this, { status, detail, retrySeconds });
  }
}

/** The server did not answer. */
export class Unreachable extends Error {}

async function ask(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new Unreachable(String(error));
  }
  if (!answer.ok) throw await refusal(answer);
  return answer;
}

async function refusal(answer) {
  const text = await answer.text();
  let detail = text.slice(0, 300) || answer.statusText;
  try {
    detail = JSON.parse(text).detail ?? detail;
  } catch {
    // not a problem document: its text must do
  }
  const retry = Number(answer.headers.get("Retry-After"));
  return new Refusal(answer.status, String(detail), retry > 0 ? retry : null);
}

const json = async (path, options) => (await ask(path, options)).json();

function sent(method, body) {
  return { method, headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
}

export const listModels = async () => (await json("/v1/models")).models;

export const findPiece = (id) => json(`/v1/pieces/${encodeURIComponent(id)}`);

export const readNotes = (piece) => json(piece.links.json);

/** A page of the history, newest first: {pieces, next}. */
export function listPieces({ before = null, favourites = false, limit = 30 } = {}) {
  const query = new URLSearchParams({ limit });
  if (before) query.set("before", before);
  if (favourites) query.set("favourites", "true");
  return json(`/v1/pieces?${query}`);
}

/** Ask for pieces; a MIDI `file` to go on from travels with the form. Returns the pieces, which wait or run. */
export async function composePieces(request, file = null) {
  if (!file) return (await json("/v1/pieces", sent("POST", request))).pieces;
  const form = new FormData();
  for (const [name, value] of Object.entries(request)) {
    if (value !== null) form.set(name, value);
  }
  form.set("prompt", file, file.name);
  return (await json("/v1/pieces", { method: "POST", body: form })).pieces;
}

/** Rename a piece or mark it as a favourite. */
export const changePiece = (id, changes) => json(`/v1/pieces/${encodeURIComponent(id)}`, sent("PATCH", changes));

/** Cancel a piece that is being composed, or delete one that is not. */
export const removePiece = (id) => ask(`/v1/pieces/${encodeURIComponent(id)}`, { method: "DELETE", keepalive: true });

/** Yield {kind, data} of a piece until its end; `trouble` hears true when the server is gone, false when it is back. */
export async function* events(piece, { signal, trouble = () => {} }) {
  let last = null;
  let wait = 0.5;
  for (;;) {
    try {
      for await (const event of read(piece.links.events, last, signal)) {
        if (wait > 0.5) trouble(false);
        wait = 0.5;
        last = event.id ?? last;
        yield event;
        if (event.kind === "end") return;
      }
    } catch (error) {
      if (signal.aborted || error instanceof Refusal) throw error;
    }
    trouble(true);
    await pause(wait, signal);
    wait = Math.min(LONGEST_WAIT, 2 * wait);
  }
}

async function* read(path, last, signal) {
  const headers = { Accept: "text/event-stream", ...(last && { "Last-Event-ID": last }) };
  const answer = await ask(path, { headers, signal, cache: "no-store" });
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  let event = {};
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const lines = (rest + value).split(/\r?\n/);
    rest = lines.pop();
    for (const line of lines) {
      if (line) note(event, line);
      else if (event.data) yield { id: event.id, kind: event.event ?? "message", data: JSON.parse(event.data) };
      if (!line) event = {};
    }
  }
}

/** Keep one line of an event: `field: value`; comments have no field. */
function note(event, line) {
  const colon = line.indexOf(":");
  if (colon > 0) event[line.slice(0, colon)] = line.slice(colon + 1).trimStart();
}

function pause(seconds, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, 1000 * seconds);
    signal.addEventListener("abort", () => { clearTimeout(timer); resolve(); }, { once: true });
  });
}
