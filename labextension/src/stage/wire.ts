// What travels between the kernel and the stage: the scene of natslab/views/scene.py as JSON.
// Fields at their default are left out by the kernel, so most are optional here.

export interface Act {
  line: string;
  label: string;
  key?: string; // a letter that does it while the menu of its mark is open
  sign?: string; // one character before the label in a menu
  cross?: boolean; // a line that is drawn across its mark does it too
}

interface Base {
  key: string;
  classes?: string;
  title?: string;
  state?: Record<string, unknown>;
  actions?: Act[];
  opacity?: number;
  light?: string[];
  at?: number; // the event that it tells of: a click goes back there
  /** What became of it, in order: from and to in tape seconds (the same for a moment), class, words. */
  life?: [t0: number, t1: number, classes: string, words: string][];
}

interface Stroke {
  width?: number;
  dash?: string;
}

export type Run = [text: string, classes: string];
export type RectMark = Base & Stroke & { kind: 'rect'; x: number; y: number; w: number; h: number; r?: number };
export type CircleMark = Base & Stroke & { kind: 'circle'; x: number; y: number; r: number };
export type PathMark = Base & Stroke & { kind: 'path'; d: string; arrow?: boolean };
export type TextMark = Base & { kind: 'text'; x: number; y: number; runs: Run[] };
export type GroupMark = Base & { kind: 'group'; x?: number; y?: number; marks: Mark[] };
export type Mark = RectMark | CircleMark | PathMark | TextMark | GroupMark;

export interface Flight {
  key: string;
  d: string;
  x: number;
  y: number;
  t0: number;
  t1?: number | null;
  end?: 'delivered' | 'lost' | 'refused' | 'late' | 'open';
  stop?: number;
  r?: number;
  classes?: string;
  title?: string;
  label?: string;
  sign?: string; // inside the dot
  delay?: number;
  group?: string;
  exact?: boolean; // it takes its true time, however long
}

export type Mode = 'live' | 'paused' | 'replay';

/** What a scene says besides its marks. */
export interface Head {
  view: string;
  title: string;
  width: number; // of the picture
  top: number; // where it begins, below the header
  height: number; // where it ends
  foot: number; // height of the legend
  now: number;
  mode: Mode;
  lab: string;
  said: string;
  controls: Act[];
  burst: Burst | null;
  empty: boolean;
}

/** What was over too soon to be seen. `auto`: worth being shown in slow motion without being asked. */
export interface Burst {
  key: string;
  words: string;
  auto?: boolean;
}

export interface SceneData extends Partial<Head> {
  head?: Mark[];
  marks?: Mark[];
  flights?: Flight[];
  legend?: Mark[];
}

/** Where on the tape all views of a lab stand. Times are tape seconds, `head` is the newest event. */
export interface Cursor {
  mode: Mode;
  n: number;
  first?: number; // what can be shown begins after this event
  head: number;
  t: number;
  now: number;
  speed: number;
  selection: string;
  shows?: string; // what slow motion shows, for all who look
  over?: boolean; // the lab is gone: nothing more will happen
  recorded?: boolean; // it never was there: this is a saved tape, or a block of one
}

export interface Sign {
  n: number;
  t: number;
  glyph: string;
  text?: string;
  name?: string; // what is drawn beside the glyph
}

/** Who led from when to when; without an end: still. */
export interface Band {
  n: number;
  t0: number;
  t1?: number;
  name: string;
  term: number;
  text: string;
}

export interface Track {
  n0?: number;
  head: number;
  t0: number;
  t1: number;
  pubs: [n: number, t: number, count: number][];
  beats?: [n: number, t: number][];
  signs: Sign[];
  bands?: Band[];
}

export interface TableData {
  columns: string[];
  rows: string[][];
  keys: string[];
  apart?: string[]; // keys of rows that keep their place when somebody sorts the others
}

/** What changed since the frame before. */
export interface Delta {
  seq: number;
  head?: Partial<Head>;
  set?: Mark[];
  del?: string[];
  order?: string[];
  flights?: Flight[];
  gone?: string[];
  legend?: Mark[];
  hd?: Mark[];
  controls?: Act[];
  cursor?: Cursor;
}

export type FromKernel =
  | { op: 'scene'; seq: number; full: true; scene: SceneData; cursor?: Cursor }
  | ({ op: 'delta' } & Delta)
  | ({ op: 'track' } & Track)
  | ({ op: 'table' } & TableData)
  | { op: 'said'; line: string; error: string };

export type ToKernel =
  /** `narrow`: there is room for a narrow picture only. */
  | { op: 'hello'; narrow?: true }
  | { op: 'seek'; n: number }
  | { op: 'step'; by: 1 | -1; burst: boolean }
  | { op: 'mode'; mode: Mode }
  | { op: 'speed'; speed: number }
  | { op: 'slow'; auto: boolean }
  | { op: 'table'; open: boolean }
  | { op: 'act'; key: string; i: number }
  | { op: 'select'; key: string }
  | { op: 'painted'; seq: number; at: number }
  /** Frames come faster than they can be drawn here. */
  | { op: 'behind' };

/** The part of an anywidget model that the stage uses. */
export interface Model {
  get(name: string): unknown;
  send(content: ToKernel): void;
  on(event: string, heard: (content: unknown) => void): void;
  off(event: string, heard: (content: unknown) => void): void;
}
