// A recorded view without a kernel: answers the stage as one would, out of scenes that the page carries.

import type { Cursor, Delta, FromKernel, Head, Mark, Flight, Mode, Model, SceneData, TableData, ToKernel, Track } from './wire';

/** What changed at one event of the tape; the first frame has the whole scene. */
export interface ReelFrame extends Omit<Delta, 'seq' | 'cursor'> {
  n: number;
  t: number;
  scene?: SceneData;
  /** Rows of the table, by their number in `Reel.rows`; left out where they are as before. */
  rows?: number[];
}

export interface Reel {
  frames: ReelFrame[];
  columns: string[];
  apart: string[];
  rows: [key: string, cells: string[]][];
  /** Events where a step ends, and whether it is a turn of the story; without them it ends where the picture changes. */
  stops?: [n: number, turn: boolean][];
}

/** What is shown at one place of the tape. */
interface Picture {
  strip: Partial<Head>;
  head: Mark[];
  legend: Mark[];
  order: string[];
  marks: Map<string, Mark>;
  flights: Map<string, Flight>;
}

const TICK = 50; // ms between two steps of a replay
const IDLE = 1; // seconds that a replay waits at most
const BURST = 0.25; // seconds within which events belong to one burst

/** Where all pictures of one tape stand; they move together. */
export class Desk {
  mode: Mode = 'live';
  n: number;
  speed = 1;
  selection = '';
  private t = 0;
  private timer = 0;
  private heard = new Set<() => void>();
  private times: [n: number, t: number][] = [];

  constructor(
    readonly track: Track,
    private signal: AbortSignal
  ) {
    this.n = track.head;
    signal.addEventListener('abort', () => clearInterval(this.timer), { once: true });
  }

  listen(heard: () => void): () => void {
    this.heard.add(heard);
    return () => this.heard.delete(heard);
  }

  /** Places at which a picture of this tape changes. */
  know(frames: ReelFrame[]): void {
    const all = new Map([...this.times, ...frames.map(({ n, t }): [number, number] => [n, t])]);
    this.times = [...all].sort(([a], [b]) => a - b);
  }

  /** Tape seconds of an event. */
  time(n: number): number {
    return this.times.filter(([at]) => at <= n).at(-1)?.[1] ?? this.track.t0;
  }

  do(message: ToKernel, own: ReelFrame[], stops?: Reel['stops']): void {
    switch (message.op) {
      case 'seek':
        this.go('paused', message.n);
        break;
      case 'step':
        this.go('paused', stops ? stop(own, stops, this.n, message.by, message.burst) : step(own, this.n, message.by, message.burst));
        break;
      case 'mode':
        this.go(message.mode, message.mode === 'live' ? this.track.head : this.n);
        break;
      case 'speed':
        this.speed = message.speed;
        this.tell();
        break;
      case 'select':
        this.selection = message.key;
        this.tell();
        break;
    }
  }

  private go(mode: Mode, n: number): void {
    this.mode = mode;
    this.n = Math.max(this.track.n0 ?? 0, Math.min(n, this.track.head));
    clearInterval(this.timer);
    if (mode === 'replay' && !this.signal.aborted) {
      this.t = this.time(this.n);
      let before = performance.now();
      this.timer = window.setInterval(() => {
        const now = performance.now();
        this.t += ((now - before) / 1000) * this.speed;
        before = now;
        this.walk();
      }, TICK);
    }
    this.tell();
  }

  private walk(): void {
    const before = this.n;
    for (const [n, t] of this.times) {
      if (n > this.n) {
        this.t = Math.max(this.t, t - IDLE * this.speed);
        if (t > this.t) {
          break;
        }
        this.n = n;
      }
    }
    if (this.n >= (this.times.at(-1)?.[0] ?? 0)) {
      this.go('live', this.track.head);
    } else if (this.n !== before) {
      this.tell();
    }
  }

  private tell(): void {
    this.heard.forEach(heard => heard());
  }
}

/** The place after so many steps over the frames of one picture. */
function step(frames: ReelFrame[], n: number, by: 1 | -1, burst: boolean): number {
  const before = frames.filter(frame => (by > 0 ? frame.n > n : frame.n < n));
  const way = by > 0 ? before : before.reverse();
  if (!way.length) {
    return n;
  }
  if (!burst) {
    return way[0].n;
  }
  const end = way.findIndex((frame, i) => i + 1 >= way.length || Math.abs(way[i + 1].t - frame.t) > BURST);
  return way[end].n;
}

/** The place where a step through the story ends; before its first sentence and after its last that of the tape. */
function stop(frames: ReelFrame[], stops: [n: number, turn: boolean][], n: number, by: 1 | -1, far: boolean): number {
  const ends = stops.filter(([, turn]) => turn || !far).map(([at]) => at);
  const next = by > 0 ? ends.find(at => at > n) : ends.filter(at => at < n).at(-1);
  return next ?? frames.at(by > 0 ? -1 : 0)?.n ?? n;
}

/** The model of one picture. */
export class ReelModel implements Model {
  private heard = new Set<(content: unknown) => void>();
  private shown: Picture | null = null;
  private at = -1; // number of the frame shown
  private seq = 0;
  private table = false;
  private pictures = new Map<number, Picture>(); // every so many frames, to go on from
  private frames: ReelFrame[];

  constructor(
    private reel: Reel,
    private desk: Desk,
    signal: AbortSignal
  ) {
    this.frames = reel.frames.filter(({ n }) => n <= desk.track.head);
    desk.know(this.frames);
    const stop = desk.listen(() => this.show());
    signal.addEventListener('abort', stop, { once: true });
  }

  /** `carried`: there is no kernel behind it. */
  get(name: string): unknown {
    return name === 'carried' ? true : undefined;
  }

  on(event: string, heard: (content: unknown) => void): void {
    if (event === 'msg:custom') {
      this.heard.add(heard);
    }
  }

  off(_event: string, heard: (content: unknown) => void): void {
    this.heard.delete(heard);
  }

  send(message: ToKernel): void {
    switch (message.op) {
      case 'hello':
        this.shown = null;
        // As from a kernel: not before the stage has finished what it is about.
        queueMicrotask(() => {
          this.show();
          this.emit({ op: 'track', ...this.desk.track });
        });
        break;
      case 'table':
        this.table = message.open;
        this.rows();
        break;
      default:
        this.desk.do(message, this.frames, this.reel.stops);
    }
  }

  private emit(message: FromKernel): void {
    this.heard.forEach(heard => heard(message));
  }

  private cursor(): Cursor {
    const { desk } = this;
    const { mode, n, speed, selection, track } = desk;
    const t = mode === 'live' ? track.t1 : desk.time(n);
    return { mode, n, first: track.n0, head: track.head, t, now: track.t1, speed, selection, over: true, recorded: true };
  }

  private show(): void {
    const { n } = this.desk;
    let i = this.frames.findIndex(frame => frame.n > n) - 1;
    i = i === -2 ? this.frames.length - 1 : Math.max(0, i);
    const { shown } = this;
    const next = this.picture(i);
    this.seq++;
    if (!shown) {
      const { strip, head, legend, marks, order, flights } = next;
      const drawn = order.map(key => marks.get(key)).filter(mark => mark !== undefined);
      const scene = { ...strip, head, legend, marks: drawn, flights: [...flights.values()] };
      this.emit({ op: 'scene', seq: this.seq, full: true, scene, cursor: this.cursor() });
    } else {
      this.emit({ op: 'delta', seq: this.seq, ...difference(shown, next), cursor: this.cursor() });
    }
    this.shown = next;
    if (i !== this.at) {
      this.at = i;
      this.rows();
    }
  }

  /** The picture after frame `i`. */
  private picture(i: number): Picture {
    let start = i;
    while (start > 0 && !this.pictures.has(start)) {
      start--;
    }
    let picture = this.pictures.get(start) ?? EMPTY;
    for (let k = this.pictures.has(start) ? start + 1 : 0; k <= i; k++) {
      picture = after(picture, this.frames[k]);
      if (k % 20 === 0) {
        this.pictures.set(k, picture);
      }
    }
    return picture;
  }

  private rows(): void {
    if (this.table) {
      const { reel, frames, at } = this;
      const numbers = frames.slice(0, at + 1).filter(({ rows }) => rows).at(-1)?.rows ?? [];
      const rows = numbers.map(number => reel.rows[number]);
      const { columns, apart } = reel;
      const table: TableData = { columns, apart, rows: rows.map(([, cells]) => cells), keys: rows.map(([key]) => key) };
      this.emit({ op: 'table', ...table });
    }
  }
}

const EMPTY: Picture = { strip: {}, head: [], legend: [], order: [], marks: new Map(), flights: new Map() };

function after(before: Picture, frame: ReelFrame): Picture {
  if (frame.scene) {
    const { head = [], legend = [], marks = [], flights = [], ...strip } = frame.scene;
    return {
      strip,
      head,
      legend,
      order: marks.map(({ key }) => key),
      marks: new Map(marks.map(mark => [mark.key, mark])),
      flights: new Map(flights.map(flight => [flight.key, flight]))
    };
  }
  const marks = new Map(before.marks);
  frame.del?.forEach(key => marks.delete(key));
  frame.set?.forEach(mark => marks.set(mark.key, mark));
  const flights = new Map(before.flights);
  frame.gone?.forEach(key => flights.delete(key));
  frame.flights?.forEach(flight => flights.set(flight.key, flight));
  return {
    strip: { ...before.strip, ...frame.head },
    head: frame.hd ?? before.head,
    legend: frame.legend ?? before.legend,
    order: frame.order ?? before.order.filter(key => marks.has(key)),
    marks,
    flights
  };
}

/** What a stage that shows one picture must be told to show the other. */
function difference(from: Picture, to: Picture): Omit<Delta, 'seq'> {
  const changed = <T>(a: Map<string, T>, b: Map<string, T>): T[] => [...b].filter(([key, value]) => a.get(key) !== value).map(([, value]) => value);
  const gone = <T>(a: Map<string, T>, b: Map<string, T>): string[] => [...a.keys()].filter(key => !b.has(key));
  return {
    head: to.strip,
    set: changed(from.marks, to.marks),
    del: gone(from.marks, to.marks),
    order: to.order,
    flights: changed(from.flights, to.flights),
    gone: gone(from.flights, to.flights),
    ...(from.head !== to.head ? { hd: to.head } : {}),
    ...(from.legend !== to.legend ? { legend: to.legend } : {})
  };
}
