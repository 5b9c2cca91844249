/**
 * The studio: joins the parts. Asking for pieces, the takes on the stage, hearing and seeing them, the history.
 *
 * A piece on the stage stands in the address (/p/{id}), so that a reload or a link brings it back.
 */

import { Refusal, changePiece, composePieces, findPiece, listModels, removePiece } from "./api.js";
import { clockTime, learnComposers, lengthName } from "./page/format.js";
import { History } from "./takes/history.js";
import { announce, hideNotice, showError, showNotice, showToast, startMessages } from "./page/messages.js";
import { MidiFile } from "./form/midi_file.js";
import { PhrasePanel } from "./form/phrase_panel.js";
import { Player } from "./sound/player.js";
import { noteText, startPointing } from "./score/roll_input.js";
import { askName } from "./takes/rename.js";
import { RequestForm } from "./form/request.js";
import { Roll } from "./score/roll.js";
import { Score } from "./score/notes.js";
import { copyLink, showFiles, showMade, showReport } from "./takes/share.js";
import { startShortcuts } from "./page/shortcuts.js";
import { Sound } from "./sound/output.js";
import { pieceName, stateLine } from "./takes/status.js";
import { Take } from "./takes/take.js";
import { Takes } from "./takes/takes.js";
import { startTheme, switchTheme } from "./page/theme.js";
import { Transport } from "./score/transport.js";
import { chooseLanguage, currentLanguage, say, sayCount, startWords } from "./page/i18n.js";

const MOST_ATTEMPTS = 5; // at a full queue
const TELL_SHARE = 0.25; // of a piece, between two spoken words on its progress
const part = (id) => document.querySelector(`#${id}`);

startTheme();
startWords();
startMessages();

const sound = new Sound();
const instrument = {
  strike: (...key) => sound.piano?.strike(...key) ?? null,
  release: (...voice) => sound.piano?.release(...voice),
  hush: () => sound.piano?.hush(),
};
const player = new Player(instrument, () => sound.now);
const roll = new Roll(part("roll"));
const transport = new Transport(player, sound, (loop) => { roll.loop = loop; paint.isDue = true; });
const takes = new Takes(part("takes"), { choose, keep, discard });
const phrase = new PhrasePanel(sound, instrument, () => player.pause());
const form = new RequestForm(part("request"), { onCompose: compose, onBeginning: begin });
const file = new MidiFile({ input: part("file"), told: part("file-name"), curtain: part("dropping") }, () => begin("file"));
const history = new History(
  ["history", "history-empty", "history-more", "only-favourites"].map(part),
  { open: (piece) => open(piece), change, remove: (piece) => discard(takes.takes.find(({ id }) => id === piece.id) ?? new Take(piece)), fail: showError },
);
const paint = { isDue: true, version: -1 };
let spokenShare = 0;
let isAsking = false;

/** Ask for pieces, and play the first as soon as there is something to hear. */
async function compose(attempt = 1) {
  if (isAsking) return;
  const asked = readRequest();
  if (!asked) return;
  isAsking = true;
  part("compose").setAttribute("aria-busy", "true");
  phrase.stop();
  const asking = composePieces(asked.request, asked.file);
  const waking = sound.wake();
  try {
    const pieces = await asking;
    hideNotice();
    stage(pieces.map((piece) => new Take(piece)));
    announce(say("announceComposing", { length: lengthName(pieces[0].request) }));
    await waking;
    player.play();
  } catch (error) {
    failed(error, attempt);
  } finally {
    isAsking = false;
    part("compose").removeAttribute("aria-busy");
  }
}

/** What the form asks for, or null after saying what is missing. */
function readRequest() {
  try {
    const request = form.read();
    if (form.beginning === "nothing") return { request, file: null };
    if (form.beginning === "piece") return { request: { ...request, continues: takes.current.id }, file: null };
    if (form.beginning === "phrase") return { request: { ...request, prompt: phrase.prompt() ?? refuse("phraseMissing") }, file: null };
    const first = Number(part("prompt-notes").value);
    return { request: { ...request, ...(first > 0 && { prompt_notes: first }) }, file: file.file ?? refuse("fileMissing") };
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    showNotice(error.message);
    return null;
  }
}

function refuse(key) {
  throw new RangeError(say(key));
}

/** Say why no piece was begun; where the queue is full, ask again when the server said. */
function failed(error, attempt) {
  showError(error, () => compose());
  if (!(error instanceof Refusal) || error.status !== 429 || attempt >= MOST_ATTEMPTS) return;
  const timer = setTimeout(() => !part("notice").hidden && compose(attempt + 1), 1000 * (error.retrySeconds ?? 5));
  part("notice-close").addEventListener("click", () => clearTimeout(timer), { once: true });
}

/** Put takes on the stage, the first one chosen. */
function stage(staged, { isNew = true } = {}) {
  takes.show(staged);
  const followed = staged.map(follow);
  if (staged.length > 1) Promise.all(followed).then(() => markNearest(staged));
  if (isNew) for (const { piece } of staged) history.put(piece);
  choose(staged[0] ?? null);
}

function follow(take) {
  take.addEventListener("change", () => told(take));
  return take.follow();
}

/** Look again at takes that were done before the last of them: by now the server has chosen among them. */
async function markNearest(staged) {
  const done = staged.filter((take) => take.piece.state === "done" && takes.takes.includes(take));
  await Promise.all(done.map(async (take) => take.update(await findPiece(take.id).catch(() => take.piece))));
  if (takes.nearest) announce(say("announceNearest", { number: takes.nearest }));
}

/** Bring a take before the listener, from its beginning. */
function choose(take) {
  takes.current = take;
  takes.refresh();
  transport.forgetLoop();
  spokenShare = 0;
  roll.isFollowing = true;
  show(take);
  player.load(take?.score ?? new Score());
  const path = take ? `/p/${encodeURIComponent(take.id)}` : "/";
  if (location.pathname !== path) window.history.pushState(null, "", path);
}

/** A take has news: while it is being written only its progress, which comes often, so little is done then. */
function told(take) {
  takes.refresh();
  if (!take.isRunning) history.put(take.piece);
  if (take !== takes.current) return;
  if (player.score !== take.score) player.load(take.score);
  if (take.isRunning) part("state").textContent = stateLine(take);
  else show(take);
  speak(take);
}

/** Say how far the piece is, now and then, and when it is finished. */
function speak({ piece, score }) {
  const share = piece.progress.done / piece.progress.whole;
  if (piece.state === "composing" && share >= spokenShare + TELL_SHARE) {
    spokenShare = share;
    announce(say("announceProgress", { percent: Math.round(100 * share) }));
  }
  if (piece.state === "done" && spokenShare < 2) {
    spokenShare = 2;
    announce(say("announceDone", { notes: sayCount("notes", score.notes.length), time: clockTime(score.end) }));
  }
}

/** Fill in all that is said about the take on the stage. */
function show(take) {
  const isThere = Boolean(take);
  for (const id of ["rename", "favourite", "piece"]) part(id).hidden = !isThere;
  part("invitation").hidden = isThere;
  part("stop").hidden = !take?.isRunning;
  part("title").textContent = isThere ? pieceName(take.piece) : say("nothingYet");
  part("state").textContent = isThere ? stateLine(take) : "";
  document.title = isThere ? `${pieceName(take.piece)} – Arietta` : "Arietta";
  form.allowPiece(take?.piece.state === "done");
  history.mark(take?.id ?? null);
  if (!isThere) return;
  part("favourite").setAttribute("aria-pressed", String(take.piece.is_favourite));
  showFiles(part("files"), take.piece);
  showReport(part("report"), take.piece);
  showMade(part("made"), take.piece);
  describeRoll(take.score);
}

function describeRoll({ notes, end, isComplete }) {
  const text = say("rollText", { notes: sayCount("notes", notes.length), time: clockTime(end) });
  if (isComplete) part("roll").setAttribute("aria-label", text);
}

/** Open a piece that the server keeps. */
async function open(piece) {
  const known = takes.takes.find(({ id }) => id === piece.id);
  if (known) return choose(known);
  player.pause();
  stage([new Take(piece)], { isNew: false });
  return part("title").focus();
}

/** Open the piece that the address names, or clear the stage. */
async function openAddress() {
  const id = location.pathname.match(/^\/p\/([^/]+)/)?.[1];
  if (!id) return stage([]);
  try {
    const known = takes.takes.find((take) => take.id === id);
    if (known) return choose(known);
    return stage([new Take(await findPiece(decodeURIComponent(id)))], { isNew: false });
  } catch (error) {
    return showError(error, openAddress);
  }
}

async function change(piece, changes) {
  try {
    const changed = await changePiece(piece.id, changes);
    history.put(changed);
    takes.takes.find(({ id }) => id === piece.id)?.update(changed);
  } catch (error) {
    showError(error);
  }
}

function keep(take) {
  return take && change(take.piece, { is_favourite: !take.piece.is_favourite });
}

async function renameCurrent() {
  const take = takes.current;
  if (!take) return;
  const name = await askName(part("title"), pieceName(take.piece));
  part("rename").focus();
  if (name) change(take.piece, { name });
}

/** Take a piece away, and let the musician think better of it for a while. */
function discard(take) {
  const { piece, isRunning } = take;
  const before = takes.takes;
  if (isRunning) removePiece(piece.id).catch(() => {});
  history.drop(piece.id);
  if (before.includes(take)) {
    player.pause();
    choose(takes.remove(take));
  }
  const settle = () => removePiece(piece.id).catch((error) => error.status === 404 || showError(error));
  showToast(say("discarded", { name: pieceName(piece) }), () => bringBack(take, before), settle);
}

/** Undo a discarding: to its place among the other takes, where they are still on the stage. */
function bringBack({ piece }, before) {
  const back = new Take(piece);
  const isSame = before.length > 1 && takes.takes.every((take) => before.includes(take)) && takes.takes.length === before.length - 1;
  history.refresh();
  if (!isSame) return open(piece);
  takes.show(before.map((take) => (takes.takes.includes(take) ? take : back)));
  follow(back);
  return choose(back);
}

async function stopComposing() {
  const take = takes.current;
  if (!take?.isRunning) return;
  try {
    await take.cancel();
    announce(say("announceStopped"));
  } catch (error) {
    showError(error);
  }
}

/** Begin with something else: a file, a phrase, this piece, nothing. */
function begin(beginning) {
  if (form.beginning !== beginning) form.beginning = beginning;
  phrase.isOpen = beginning === "phrase";
  form.allowPiece(takes.current?.piece.state === "done");
}

/** Move to the next note, or the one before, and say what it is. */
function stepNote(direction) {
  const { notes } = player.score ?? { notes: [] };
  const here = player.score?.indexFrom(player.position + (direction > 0 ? 0.002 : -0.002)) ?? 0;
  const isOn = direction > 0 && notes[here] && Math.abs(notes[here].onset - player.position) < 0.002;
  const note = notes[direction > 0 ? here + Number(isOn) : here - 1];
  if (!note) return;
  player.seek(note.onset);
  roll.hovered = { note, text: noteText(note) };
  announce(noteText(note));
}

function zoom(factor) {
  roll.zoom(factor, player.position);
  paint.isDue = true;
}

/** Draw what has changed; called for every frame of the screen. */
function frame(now) {
  requestAnimationFrame(frame);
  const { score } = player;
  const position = player.positionAt(sound.now - sound.latency);
  transport.show(position, now);
  takes.draw(now);
  if (!player.isPlaying && !paint.isDue && paint.version === score?.version) return;
  Object.assign(paint, { isDue: false, version: score?.version });
  roll.score = score;
  roll.draw(Math.min(position, score?.end || position));
}

function loadPiano() {
  const tell = (done, whole) => { part("piano-state").textContent = done < whole ? say("pianoLoading", { done, whole }) : ""; };
  return sound.load(tell).catch(() => showNotice(say("noPiano"), { key: "tryAgain", run: loadPiano }));
}

async function loadModels() {
  try {
    const models = await listModels();
    learnComposers(models.flatMap(({ styles }) => styles));
    form.offer(models);
  } catch (error) {
    showError(error, loadModels);
  }
}

function wire() {
  const reducedMotion = matchMedia("(prefers-reduced-motion: reduce)");
  const pageOrMove = () => { roll.isPaged = reducedMotion.matches; };
  reducedMotion.addEventListener("change", pageOrMove);
  pageOrMove();
  new ResizeObserver(() => { roll.resize(); transport.recolour(); takes.recolour(); paint.isDue = true; }).observe(part("roll"));
  document.addEventListener("theme", () => { roll.recolour(); transport.recolour(); takes.recolour(); paint.isDue = true; });
  document.addEventListener("language", () => { part("language").value = currentLanguage(); takes.refresh(); show(takes.current); });
  player.addEventListener("change", () => { if (player.isPlaying) Object.assign(roll, { isFollowing: true, hovered: null }); paint.isDue = true; });
  addEventListener("popstate", openAddress);
  for (const first of ["pointerdown", "keydown"]) addEventListener(first, () => sound.prepare().catch(() => {}), { once: true });
  startPointing(part("roll"), roll, { seek: (time) => player.seek(time), loop: (loop) => transport.setLoop(loop), changed: () => { paint.isDue = true; } });
  part("language").value = currentLanguage();
  part("language").addEventListener("change", ({ target }) => chooseLanguage(target.value));
  const clicks = {
    theme: switchTheme, stop: stopComposing, rename: renameCurrent, favourite: () => keep(takes.current),
    "zoom-in": () => zoom(1.3), "zoom-out": () => zoom(1 / 1.3), again: () => form.use(takes.current.piece.request),
    share: async () => announceLink(await copyLink(takes.current.piece)),
  };
  for (const [id, act] of Object.entries(clicks)) part(id).addEventListener("click", act);
}

function announceLink(isCopied) {
  showNotice(isCopied ? say("linkCopied") : say("linkShown", { address: location.href }));
}

const takeKeys = ["1", "2", "3", "4"];
startShortcuts([
  { keys: [" "], say: "do.play", act: () => transport.toggle() },
  { keys: ["c"], say: "do.compose", act: () => compose() },
  { keys: ["Escape"], say: "do.stop", act: stopComposing },
  { keys: ["Home"], say: "do.toStart", act: () => player.seek(0) },
  { keys: ["ArrowLeft", "ArrowRight"], say: "do.seek", act: ({ key, shiftKey }) => transport.seekBy((key === "ArrowLeft" ? -1 : 1) * (shiftKey ? 10 : 2)) },
  { keys: [",", "."], say: "do.step", act: ({ key }) => stepNote(key === "." ? 1 : -1) },
  { keys: ["l"], say: "do.loop", act: () => transport.toggleLoop() },
  { keys: ["[", "]"], say: "do.loopEnds", act: ({ key }) => transport.loopHere(key === "[" ? "start" : "end") },
  { keys: ["+", "-"], say: "do.zoom", act: ({ key }) => zoom(key === "+" ? 1.3 : 1 / 1.3) },
  { keys: takeKeys, say: "do.take", act: ({ key }) => takes.takes[key - 1] && choose(takes.takes[key - 1]) },
  { keys: ["f"], say: "do.favourite", act: () => keep(takes.current) },
  { keys: ["n"], say: "do.rename", act: renameCurrent },
  { keys: ["r"], say: "do.dice", act: () => form.rollDice() },
  { keys: ["ArrowUp", "ArrowDown"], say: "do.volume", act: ({ key }) => transport.changeVolume(key === "ArrowUp" ? 5 : -5) },
  { keys: ["m"], say: "do.mute", act: () => transport.toggleMute() },
  { keys: ["t"], say: "do.theme", act: switchTheme },
  { keys: ["?"], say: "do.help", act: () => part("shortcuts").showModal() },
], { dialog: part("shortcuts"), list: part("shortcut-list"), opener: part("help"), isOn: part("shortcuts-on") });

wire();
requestAnimationFrame(frame);
loadPiano();
await loadModels();
await history.refresh();
await openAddress();
document.documentElement.dataset.ready = "true";
