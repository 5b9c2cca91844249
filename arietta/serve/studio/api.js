/**
 * The HTTP API of the server as functions: pieces, their events, the models.
 *
 * A refusal comes as `Refusal` with the server's own sentence; a server that does not response as `Unreachable`.
 * `events` yields what happens to a piece as it happens, and goes on after a broken connection where it stopped.
 */

const SHORTEST_WAIT = 0.5; // seconds between attempts to reach the server again; each waits twice as long
const LONGEST_WAIT = 8;

/** The server answered, and said no: `detail` is its sentence, `retrySeconds` when it may say yes. */
export class Refusal extends Error {
  constructor(status, detail, retrySeconds) {
    super(detail);
    Object.assign(this, { status, detail, retrySeconds });
  }
}

/** The server did not response. */
export class Unreachable extends Error {}

async function request(path, options = {}) {
  let response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new Unreachable(String(error));
  }
  if (!response.ok) throw await readRefusal(response);
  return response;
}

async function readRefusal(response) {
  const text = await response.text();
  let detail = text.slice(0, 300) || response.statusText;
  try {
    detail = JSON.parse(text).detail ?? detail;
  } catch {
    // a proxy between the server and the page answers in plain text or HTML
  }
  const retry = Number(response.headers.get("Retry-After"));
  return new Refusal(response.status, String(detail), retry > 0 ? retry : null);
}

const json = async (path, options) => (await request(path, options)).json();

function jsonBody(method, body) {
  return { method, headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
}

export const listModels = async () => (await json("/v1/models")).models;

export const findPiece = (id) => json(`/v1/pieces/${encodeURIComponent(id)}`);

export const readNotes = (piece, signal) => json(piece.links.json, { signal });

/** A page of the history, newest first: {pieces, next}. */
export function listPieces({ before = null, favourites = false, limit = 30 } = {}) {
  const query = new URLSearchParams({ limit });
  if (before) query.set("before", before);
  if (favourites) query.set("favourites", "true");
  return json(`/v1/pieces?${query}`);
}

/** Ask for pieces. Returns them, as they wait or run. */
export const composePieces = async (wanted) => (await json("/v1/pieces", jsonBody("POST", wanted))).pieces;

/** Let the server prepare for what may be asked for next; it does so where it is idle. */
export const preparePrompt = (wanted) => request("/v1/prompts", jsonBody("POST", wanted));

/** Store a file, MIDI or MusicXML, as a piece that is done. */
export const uploadFile = (file, name) => json(`/v1/uploads?${new URLSearchParams({ name })}`, { method: "POST", body: file, headers: { "Content-Type": "application/octet-stream" } });

const meterOf = (id) => `/v1/pieces/${encodeURIComponent(id)}/meter`;

/** The metre of a piece with its bar lines, or null. */
export const readMeter = (id) => json(meterOf(id));

/** Give a piece a metre, as `readMeter` describes one; answers with it. */
export const setMeter = (id, { signatures, tempos, keys, is_exact }) => json(meterOf(id), jsonBody("PUT", { signatures, tempos, keys, is_exact }));

/**
 * Correct the bars of a piece, or those found in it: {beats: "double" or "half", downbeat: beats later, taps: [seconds],
 * metre: "3/4", bar_line: [bar, second]}.
 */
export const correctMeter = (id, correction) => json(meterOf(id), jsonBody("POST", correction));

export const forgetMeter = (id) => request(meterOf(id), { method: "DELETE" });

/** The score of a piece: {pages, moments}. */
export const readScore = (id) => json(`/v1/pieces/${encodeURIComponent(id)}/score`);

const revisionsOf = (id) => `/v1/pieces/${encodeURIComponent(id)}/revisions`;

function matching(version, options) {
  return { ...options, headers: { ...options.headers, "If-Match": `"${version}"` } };
}

/** The tree of a piece's changed versions: {version, head, revisions}. */
export const listRevisions = (id) => json(revisionsOf(id));

export const readRevision = (id, number) => json(`${revisionsOf(id)}/${number}`);

/** Store a changed version, made from the tree's `version`; as all that change the tree it answers with the tree. */
export const addRevision = (id, version, revision) => json(revisionsOf(id), matching(version, jsonBody("POST", revision)));

export const chooseRevision = (id, version, head) => json(revisionsOf(id), matching(version, jsonBody("PATCH", { head })));

export const nameRevision = (id, number, name) => json(`${revisionsOf(id)}/${number}`, jsonBody("PATCH", { name }));

/** Rename a piece or mark it as a favourite. */
export const changePiece = (id, changes) => json(`/v1/pieces/${encodeURIComponent(id)}`, jsonBody("PATCH", changes));

/** Stop composing a piece; it is then finished, with the notes it has. */
export const stopPiece = (id) => json(`/v1/pieces/${encodeURIComponent(id)}/stop`, { method: "POST" });

/** Cancel a piece that is being composed, or delete one that is not; `keepalive` lets it happen as the page is left. */
export const removePiece = (id) => request(`/v1/pieces/${encodeURIComponent(id)}`, { method: "DELETE", keepalive: true });

/**
 * Yield what happens to a piece as it happens, as {id, kind, data}, until it ends.
 *
 * After a broken connection it goes on behind the last event; `onConnection(isConnected)` hears of breaks and returns.
 */
export async function* events(piece, { signal, onConnection = () => {} }) {
  let lastId = null;
  let wait = SHORTEST_WAIT;
  for (;;) {
    try {
      for await (const event of readStream(piece.links.events, lastId, signal)) {
        if (wait > SHORTEST_WAIT) onConnection(true);
        wait = SHORTEST_WAIT;
        lastId = event.id ?? lastId;
        yield event;
        if (event.kind === "end") return;
      }
    } catch (error) {
      if (signal.aborted || error instanceof Refusal) throw error;
    }
    onConnection(false);
    await sleep(wait, signal);
    wait = Math.min(LONGEST_WAIT, 2 * wait);
  }
}

/** Read server-sent events until the connection ends; an EventSource would hide the status of a refusal. */
async function* readStream(path, lastId, signal) {
  const headers = { Accept: "text/event-stream", ...(lastId && { "Last-Event-ID": lastId }) };
  const response = await request(path, { headers, signal, cache: "no-store" });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = ""; // a line that has not ended yet
  let fields = {};
  for (;;) {
    const { value: chunk, done } = await reader.read();
    if (done) return;
    const lines = (rest + chunk).split(/\r?\n/);
    rest = lines.pop();
    for (const line of lines) {
      if (line) addField(fields, line);
      else if (fields.data) yield { id: fields.id, kind: fields.event ?? "message", data: JSON.parse(fields.data) };
      if (!line) fields = {}; // an empty line ends an event
    }
  }
}

/** Add one line of an event, `field: value`; a comment has no field. */
function addField(fields, line) {
  const colon = line.indexOf(":");
  if (colon > 0) fields[line.slice(0, colon)] = line.slice(colon + 1).trimStart();
}

function sleep(seconds, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, 1000 * seconds);
    signal.addEventListener("abort", () => { clearTimeout(timer); resolve(); }, { once: true });
  });
}
