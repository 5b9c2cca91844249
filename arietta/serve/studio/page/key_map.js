/**
 * Which key does what in the studio, and the string that explains it in the list of shortcuts.
 */

import { byId } from "./dom.js";
import { switchTheme } from "./theme.js";

const SEEK_SECONDS = 2;
const LONG_SEEK_SECONDS = 10; // with Shift
const VOLUME_STEP = 5; // percent

/** The shortcuts of the studio, for `startShortcuts`; the arguments are the parts that they act on. */
export function keyMap({ compose, editor, editPanel, form, passagePanel, passageTakes, player, rollView, session, tapBeat, transport }) {
  return [
    { keys: [" "], text: "shortcut.play", run: () => transport.toggle() },
    { keys: ["c"], text: "shortcut.compose", run: compose },
    { keys: ["Escape"], text: "shortcut.stop", run: () => escape({ editor, passageTakes, session }) },
    { keys: ["Home"], text: "shortcut.toStart", run: () => player.seek(0) },
    { keys: ["ArrowLeft", "ArrowRight"], text: "shortcut.seek", run: (event) => transport.seekBy(seekSeconds(event)) },
    { keys: [",", "."], text: "shortcut.step", run: ({ key }) => rollView.stepNote(key === "." ? 1 : -1) },
    { keys: ["l"], text: "shortcut.loop", run: () => transport.toggleLoop() },
    { keys: ["[", "]"], text: "shortcut.loopEnds", run: ({ key }) => transport.setLoopEdge(key === "[" ? "start" : "end") },
    { keys: ["p"], text: "shortcut.tap", run: tapBeat },
    { keys: ["h", "v", "b"], text: "shortcut.tools", run: ({ key }) => editPanel.useTool({ h: "hand", v: "select", b: "draw" }[key.toLowerCase()]) },
    { keys: ["s"], text: "shortcut.chooseNote", run: () => rollView.note && editor.isOpen && editor.toggle(rollView.note) },
    { keys: ["e"], text: "shortcut.chooseLoop", run: () => editor.isOpen && player.loop && editor.chooseTime(player.loop) },
    { keys: ["a"], text: "shortcut.again", run: () => (passageTakes.isOpen ? passageTakes.add() : passagePanel.write("regenerate")) },
    { keys: ["x"], text: "shortcut.compare", run: () => passageTakes.compare() },
    { keys: ["k"], text: "shortcut.keepTake", run: () => passageTakes.keep() },
    { keys: ["i", "o"], text: "shortcut.rows", run: ({ key }) => rollView.zoomRows(key.toLowerCase() === "i" ? 1.3 : 1 / 1.3) },
    { keys: ["+", "-"], text: "shortcut.zoom", run: ({ key }) => (key === "+" ? rollView.zoomIn() : rollView.zoomOut()) },
    { keys: ["1", "2", "3", "4"], text: "shortcut.take", run: ({ key }) => (passageTakes.isOpen ? passageTakes : session).chooseNumber(Number(key)) },
    { keys: ["f"], text: "shortcut.favourite", run: () => session.toggleFavourite() },
    { keys: ["n"], text: "shortcut.rename", run: () => session.rename() },
    { keys: ["r"], text: "shortcut.randomSeed", run: () => form.drawSeed() },
    { keys: ["ArrowUp", "ArrowDown"], text: "shortcut.volume", run: ({ key }) => transport.changeVolume(key === "ArrowUp" ? VOLUME_STEP : -VOLUME_STEP) },
    { keys: ["m"], text: "shortcut.mute", run: () => transport.toggleMute() },
    { keys: ["t"], text: "shortcut.theme", run: switchTheme },
    { keys: ["?"], text: "shortcut.help", run: () => byId("shortcuts").showModal() },
  ];
}

/** Leave what one is in the midst of: composing, takes of a passage, a selection. */
function escape({ editor, passageTakes, session }) {
  if (session.current?.isRunning) return session.stopComposing();
  return passageTakes.isOpen ? passageTakes.discard() : editor.clear();
}

function seekSeconds({ key, shiftKey }) {
  const seconds = shiftKey ? LONG_SEEK_SECONDS : SEEK_SECONDS;
  return key === "ArrowLeft" ? -seconds : seconds;
}
