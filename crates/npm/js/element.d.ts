/** The custom element `<genre-drop>`. Importing this module defines it. */

import type { Classifier, CratediggerError, Result, SegmentEvent, Sound } from "./index.js";

/**
 * Takes a dropped, chosen or recorded song, and shows its genre, how sure that is, and a ribbon of its segments.
 *
 * ```html
 * <script type="module" src="./cratedigger/element.js"></script>
 * <genre-drop models="full" device="auto" lang="en"></genre-drop>
 * ```
 *
 * **Attributes**: `models`, `device` and `base` as for `Classifier.load`; `lang`: `en` or `de`, by default that of the
 * page; `theme`: `light` or `dark`, by default that of the system.
 *
 * **Events**, which do not bubble: `segment`, `result`, `error`.
 *
 * **Slots** for words of your own: `heading`, `lead`, `choose`, `microphone`, `stop`.
 *
 * **Parts**: `room`, `heading`, `lead`, `name`, `genre`, `sureness`, `error`, `progress`, `ribbon`, `segment`, `run`,
 * `button`, `choose`, `microphone`, `stop`.
 *
 * **Custom properties**: `--genre-drop-paper`, `-ink`, `-soft`, `-line`, `-lane`, `-accent`, `-on-accent`, `-alert`,
 * `-radius`, `-font`, and `-g0` to `-g9` for the colours of the genres.
 */
export declare class GenreDrop extends HTMLElement {
  /** Which networks; the attribute of this name. */
  models: string;
  /** Where to compute; the attribute of this name. */
  device: string;
  /** A classifier to use instead of an own one. The element does not close it. */
  classifier: Classifier | null;
  /**
   * Classifies a sound, instead of the one under way.
   *
   * Rejects with a {@link CratediggerError}, or with an `AbortError` if it is cancelled.
   */
  classify(sound: Sound): Promise<Result>;
  /** Listens to the microphone until `stop`, then classifies the recording; `null` if nothing was heard. */
  listen(): Promise<Result | null>;
  /** Ends a recording, or cancels the song under way. */
  stop(): void;
  /** Cancels what is under way. */
  cancel(): void;
  addEventListener<K extends keyof GenreDropEvents>(
    type: K,
    listener: (this: GenreDrop, event: GenreDropEvents[K]) => void,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject,
    options?: boolean | AddEventListenerOptions,
  ): void;
}

export interface GenreDropEvents {
  /** A segment that has just been predicted. */
  segment: CustomEvent<SegmentEvent>;
  /** The result of a song. */
  result: CustomEvent<Result>;
  /** Why there is no result. */
  error: CustomEvent<CratediggerError>;
}

declare global {
  interface HTMLElementTagNameMap {
    "genre-drop": GenreDrop;
  }
}
