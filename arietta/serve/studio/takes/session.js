/**
 * The session: the takes on the stage, the one being listened to, and what a musician does with them.
 *
 * All state about takes is here; the stage, the cards and the history only show it. The piece that is listened to
 * stands in the address (/p/{id}), so that a reload or a link brings it back.
 */

import { changePiece, findPiece, removePiece } from "../api.js";
import { byId } from "../page/dom.js";
import { translate } from "../page/i18n.js";
import { announce, showError, showNotice, showSuccess, showToast } from "../page/messages.js";
import { NoteSequence } from "../score/notes.js";
import { History } from "./history.js";
import { askName } from "./rename.js";
import { copyLink, isLoopback } from "./share.js";
import { Stage } from "./stage.js";
import { pieceName } from "./status.js";
import { Take } from "./take.js";
import { TakeCards, isNearest } from "./takes.js";

export class Session {
  takes = [];
  current = null;
  #player;
  #onChoose;
  #onShow;
  #stage = new Stage();
  #cards;
  #history;

  /** `onChoose` is called when another take comes to the stage, `onShow` whenever the current one is shown anew. */
  constructor(player, { onChoose, onShow }) {
    this.#player = player;
    this.#onChoose = onChoose;
    this.#onShow = onShow;
    this.#cards = new TakeCards(byId("takes"), {
      choose: (take) => this.choose(take),
      toggleFavourite: (take) => this.toggleFavourite(take),
      discard: (take) => this.discard(take),
    });
    const elements = { rows: byId("history"), empty: byId("history-empty"), more: byId("history-more"), filter: byId("only-favourites") };
    this.#history = new History(elements, {
      open: (piece) => this.open(piece),
      change: (piece, changes) => this.#change(piece, changes),
      remove: (piece) => this.discard(this.#find(piece.id) ?? new Take(piece)),
      fail: showError,
    });
    document.addEventListener("language", () => { this.#cards.refresh(this.current); this.#show(); });
    addEventListener("popstate", () => this.openAddress());
  }

  /** Show the history, and the piece that the address names. */
  async start() {
    await this.#history.refresh();
    await this.openAddress();
  }

  /** Put pieces that were just asked for on the stage, and the stage into view. */
  begin(pieces) {
    this.#enter(pieces.map((piece, index) => new Take(piece, index + 1)));
    for (const piece of pieces) this.#history.put(piece);
    byId("stage").scrollIntoView({ block: "start" });
  }

  /** Open a piece of the history. */
  async open(piece) {
    const take = this.#find(piece.id);
    if (take) return this.choose(take);
    this.#player.pause();
    this.#enter([new Take(piece)]);
    return byId("title").focus();
  }

  /** Open the piece that the address names, or clear the stage. */
  async openAddress() {
    const id = location.pathname.match(/^\/p\/([^/]+)/)?.[1];
    if (!id) return this.#enter([]);
    try {
      const take = this.#find(id);
      if (take) return this.choose(take);
      return this.#enter([new Take(await findPiece(decodeURIComponent(id)))]);
    } catch (error) {
      return showError(error, () => this.openAddress());
    }
  }

  /** Bring a take before the listener, from its beginning; null clears the stage. */
  choose(take) {
    this.current = take;
    this.#cards.refresh(take);
    this.#onChoose();
    this.#stage.enter(take);
    this.#mark();
    this.#player.load(take?.sequence ?? new NoteSequence());
    const path = take ? `/p/${encodeURIComponent(take.id)}` : "/";
    if (location.pathname !== path) history.pushState(null, "", path);
  }

  /** Choose a take by its number. */
  chooseNumber(number) {
    const take = this.takes.find((candidate) => candidate.number === number);
    if (take) this.choose(take);
  }

  toggleFavourite(take = this.current) {
    return take && this.#change(take.piece, { is_favourite: !take.piece.is_favourite });
  }

  async rename() {
    const take = this.current;
    if (!take) return;
    const name = await askName(byId("title"), pieceName(take.piece));
    byId("rename").focus();
    if (name) this.#change(take.piece, { name });
  }

  async share() {
    const isCopied = await copyLink(this.current.piece);
    if (isCopied) showSuccess(translate(isLoopback(location.hostname) ? "linkCopiedHere" : "linkCopied"));
    else showNotice(translate("linkShown", { address: location.href }));
  }

  async stopComposing() {
    const take = this.current;
    if (!take?.isRunning) return;
    try {
      await take.stop();
      announce(translate("announceStopped"));
    } catch (error) {
      showError(error);
    }
  }

  /** Remove a piece; the server hears of it only when the musician can no longer undo it. */
  discard(take) {
    const { piece, isRunning } = take;
    const takesBefore = this.takes;
    if (isRunning) removePiece(piece.id).catch(() => {}); // the first DELETE cancels, the second deletes
    this.#history.drop(piece.id);
    if (takesBefore.includes(take)) {
      this.#player.pause();
      const others = takesBefore.filter((candidate) => candidate !== take);
      const next = take === this.current ? (others[0] ?? null) : this.current;
      this.#setTakes(others);
      this.choose(next);
    }
    const commit = () => removePiece(piece.id).catch((error) => error.status === 404 || showError(error));
    showToast(translate("discarded", { name: pieceName(piece) }), () => this.#restore(take, takesBefore), commit);
  }

  /** Redraw what has changed; called for every frame of the screen. */
  draw(now) {
    this.#cards.draw(now);
  }

  recolour() {
    this.#cards.recolour();
  }

  #find(id) {
    return this.takes.find((take) => take.id === id);
  }

  #setTakes(takes) {
    for (const take of this.takes) if (!takes.includes(take)) take.leave();
    this.takes = takes;
    this.#cards.show(takes, this.current);
  }

  /** Put new takes on the stage, the first one chosen. */
  #enter(takes) {
    this.#setTakes(takes);
    const followed = takes.map((take) => this.#follow(take));
    if (takes.length > 1) Promise.all(followed).then(() => this.#markNearest(takes));
    this.choose(takes[0] ?? null);
  }

  #follow(take) {
    take.addEventListener("change", () => this.#update(take));
    return take.follow();
  }

  /** A take has news. */
  #update(take) {
    this.#cards.refresh(this.current);
    if (!take.isRunning) this.#history.put(take.piece);
    if (take !== this.current) return;
    if (this.#player.sequence !== take.sequence) this.#player.load(take.sequence);
    this.#stage.showProgress(take);
    if (!take.isRunning) this.#mark();
  }

  #show() {
    this.#stage.show(this.current);
    this.#mark();
  }

  /** Tell the parts outside of the stage which piece is on it. */
  #mark() {
    this.#history.mark(this.current?.id ?? null);
    this.#onShow();
  }

  /** Fetch takes anew that were done before the last of them: by now the server has ranked them. */
  async #markNearest(takes) {
    const done = takes.filter((take) => take.isDone && this.takes.includes(take));
    await Promise.all(done.map(async (take) => take.update(await findPiece(take.id).catch(() => take.piece))));
    const nearest = this.takes.find(isNearest);
    if (nearest) announce(translate("announceNearest", { number: nearest.number }));
  }

  async #change(piece, changes) {
    try {
      const changed = await changePiece(piece.id, changes);
      this.#history.put(changed);
      this.#find(piece.id)?.update(changed);
    } catch (error) {
      showError(error);
    }
  }

  /** Undo a discard: among the other takes where they are still on the stage, else alone. */
  #restore({ piece, number }, takesBefore) {
    const areOthersHere = takesBefore.length > 1 && this.takes.length === takesBefore.length - 1
      && this.takes.every((take) => takesBefore.includes(take));
    this.#history.refresh();
    if (!areOthersHere) return this.open(piece);
    const restored = new Take(piece, number); // the one discarded has stopped reading for good
    this.#setTakes(takesBefore.map((take) => (this.takes.includes(take) ? take : restored)));
    this.#follow(restored);
    return this.choose(restored);
  }
}
