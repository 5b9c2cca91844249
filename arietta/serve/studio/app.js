/**
 * The studio: makes the parts of the page, introduces them to each other, and starts them.
 */

import { listModels } from "./api.js";
import { startCommands } from "./edit/commands.js";
import { Editor } from "./edit/editor.js";
import { Gestures } from "./edit/gestures.js";
import { EditPanel } from "./edit/panel.js";
import { Versions } from "./edit/versions.js";
import { ComposeAction } from "./form/compose.js";
import { MusicFile } from "./form/music_file.js";
import { PhrasePanel } from "./form/phrase_panel.js";
import { RequestForm } from "./form/request.js";
import { byId } from "./page/dom.js";
import { setComposers } from "./page/format.js";
import { startLanguage, translate } from "./page/i18n.js";
import { keyMap } from "./page/key_map.js";
import { showError, showNotice, startMessages } from "./page/messages.js";
import { startShortcuts } from "./page/shortcuts.js";
import { startTheme } from "./page/theme.js";
import { Curve } from "./passage/curve.js";
import { PassagePanel } from "./passage/panel.js";
import { PassageTakes } from "./passage/takes.js";
import { Bars } from "./score/bars.js";
import { RollView } from "./score/roll_view.js";
import { ScoreView } from "./score/score_view.js";
import { Taps } from "./score/taps.js";
import { Transport } from "./score/transport.js";
import { AudioOutput } from "./sound/output.js";
import { Player } from "./sound/player.js";
import { Session } from "./takes/session.js";

startTheme(byId("theme"));
startLanguage(byId("language"));
startMessages();

const output = new AudioOutput();
const player = new Player(output, () => output.now);
const transport = new Transport(player, output, (loop) => { rollView.loop = loop; });
const editor = new Editor(player, output);
const rollView = new RollView(byId("roll"), player, {
  onSeek: goTo,
  onTime: (range) => chooseTime(range),
  onBarLine: (bar, second) => bars.moveLine(bar, second),
  onRecolour: () => { transport.recolour(); session.recolour(); },
});
const gestures = new Gestures(editor, rollView.roll, goTo);
rollView.useTools({ begin: (...down) => gestures.begin(...down), hold: (point) => gestures.hold(point), sound: (note) => editor.sound(note) });
const editPanel = new EditPanel(editor, gestures, {
  zoomRows: (factor) => rollView.zoomRows(factor),
  colourBy: (what) => rollView.colourBy(what),
  redraw: () => rollView.showChosen(editor),
});
const passageTakes = new PassageTakes(editor, { listenFrom, proposeLoop: (loop) => transport.proposeLoop(loop), isHearing: (start, end) => player.isPlaying && player.position >= start && player.position <= end });
const curve = new Curve(rollView.roll);
const passagePanel = new PassagePanel(editor, passageTakes, {
  settings: () => ({ ...form.passageSettings(), ...curve.wishes(), style: session.current.piece.request.style ?? "any" }),
  position: () => player.position,
});
const scoreView = new ScoreView(
  { toggle: byId("score-toggle"), panel: byId("score"), page: byId("score-page"), text: byId("score-text") },
  { save: () => editor.save(), onSeek: (time) => player.seek(time) },
);
const barElements = Object.fromEntries(["find", "double", "half", "earlier", "later", "metre", "here", "undo", "forget", "text"].map((name) => [name, byId(`bars-${name}`)]));
const bars = new Bars(barElements, {
  onChange: (lines, isNews) => { rollView.barLines = lines; if (isNews) scoreView.refresh(); },
  position: () => player.position,
});
const taps = new Taps(player, {
  heard: () => player.positionAt(output.now - output.latency),
  onCount: (count) => bars.showTaps(count),
  onDone: (times) => session.current?.isDone && bars.correct({ taps: times }),
});
let shown = { key: null, head: null }; // the piece, and the version of it, that score and bars were made of
editor.addEventListener("change", () => {
  if (!editor.tree?.revisions.length) return; // not loaded yet
  const now = { key: session.current?.id, head: editor.tree.head };
  if (now.key === shown.key && now.head !== shown.head) {
    scoreView.refresh();
    bars.refresh(() => editor.save());
  }
  shown = now;
});
new Versions(editor);
startCommands(editor, bars);
const session = new Session(player, {
  onChoose: () => { taps.cancel(); passageTakes.leave(); transport.forgetLoop(); rollView.follow(); goOnFrom(null); },
  onShow: () => { const key = session.current?.isDone ? session.current.id : null; bars.open(key); scoreView.open(key); form.allowContinuing(Boolean(session.current?.isDone)); editor.open(session.current); },
});
const form = new RequestForm(byId("request"), { onCompose: () => composeAction.run(), onBeginning: beginWith });
const phrasePanel = new PhrasePanel(output, () => player.pause());
new MusicFile({ input: byId("file"), status: byId("file-name"), overlay: byId("drop-overlay") }, (piece) => {
  session.begin([piece]);
  beginWith("file");
});
const composeAction = new ComposeAction(
  { form, phrasePanel, output, player },
  { current: () => session.current, save: () => editor.save(), onPieces: (pieces) => session.begin(pieces) },
);

/** Set what the next piece begins with: nothing, a file, a phrase, or the piece on the stage. */
function beginWith(beginning) {
  if (form.beginning !== beginning) form.beginning = beginning;
  phrasePanel.isOpen = beginning === "phrase";
  form.allowContinuing(Boolean(session.current?.isDone));
  if (!["file", "piece"].includes(beginning)) goOnFrom(null);
}

/** Take a beat as tapped; where nothing plays, play. */
function tapBeat() {
  if (session.current?.isDone && !taps.tap()) transport.toggle();
}

/** Go where the musician clicked: there the next piece goes on, too. */
function goTo(time) {
  player.seek(time);
  goOnFrom(time);
}

/** Set where the next piece goes on, where it begins with the one on the stage: null for its end. */
function goOnFrom(time) {
  const isGoingOn = ["file", "piece"].includes(form.beginning);
  if (time !== null && !isGoingOn) return;
  byId("prompt-notes").value = time === null ? "" : session.current.sequence.notes.filter(({ onset }) => onset <= time).length || "";
  rollView.seam = time;
}

/** Play from a moment, from within a click or a key. */
async function listenFrom(time) {
  await output.resume();
  player.seek(Math.max(0, time));
  player.play();
}

/** Choose a stretch of time with the notes in it; Loop then plays it. */
function chooseTime(range) {
  if (editor.isComparing) return;
  const snapped = bars.snap(range);
  editor.chooseTime(snapped);
  if (snapped) transport.proposeLoop(snapped);
}

function drawFrame(now) {
  requestAnimationFrame(drawFrame);
  const position = player.positionAt(output.now - output.latency);
  transport.show(position, now);
  session.draw(now);
  rollView.draw(position);
  scoreView.draw(position);
  curve.draw();
}

function loadPiano() {
  const showProgress = (done, total) => { byId("piano-state").textContent = done < total ? translate("pianoLoading", { done, total }) : ""; };
  return output.load(showProgress).catch(() => showNotice(translate("noPiano"), { key: "tryAgain", run: loadPiano }));
}

async function loadModels() {
  try {
    const models = await listModels();
    setComposers(models.flatMap(({ all_styles: names }) => names));
    form.offer(models);
  } catch (error) {
    showError(error, loadModels);
  }
}

const clicks = {
  "stop": () => session.stopComposing(),
  "rename": () => session.rename(),
  "favourite": () => session.toggleFavourite(),
  "share": () => session.share(),
  "use-settings": () => form.use(session.current.piece.request),
  "zoom-in": () => rollView.zoomIn(),
  "zoom-out": () => rollView.zoomOut(),
  "bars-tap": tapBeat,
};
for (const [id, run] of Object.entries(clicks)) byId(id).addEventListener("click", run);
// Browsers allow an audio context only after a gesture; the first one of any kind makes it, before Play is pressed.
for (const gesture of ["pointerdown", "keydown"]) addEventListener(gesture, () => output.prepare().catch(() => {}), { once: true });
startShortcuts(
  keyMap({ compose: () => composeAction.run(), editor, editPanel, form, passagePanel, passageTakes, player, rollView, session, tapBeat, transport }),
  { dialog: byId("shortcuts"), list: byId("shortcut-list"), opener: byId("help"), isOn: byId("shortcuts-on") },
);

requestAnimationFrame(drawFrame);
loadPiano();
await loadModels();
await session.start();
document.documentElement.dataset.ready = "true"; // tests wait for it
