// What travels between the kernel and the workbench: natslab/magics/panel/ as JSON.

export const VERSION = 1;

/** The first of so many. */
export interface Cut<T> {
  total: number;
  rows: T[];
}

export interface ServerRow {
  name: string;
  state: string;
  version: string;
  meta: boolean; // it runs, and leads JetStream's meta group
  in: number; // messages a second
  out: number;
  mem?: number; // MB
  connections?: number;
  slow?: number;
}

export interface LinkRow {
  a: string;
  b: string;
  type: string;
  state: string;
  delay: number;
  connected: boolean;
}

/** Who leads a thing, and with whom. */
export interface Led {
  leader: string;
  domain: string; // of JetStream; "" where there is one only
  current: number; // replicas that are up to date, the leader's among them
  reach: number; // replicas that the leader reaches, its own among them: inferred
  mute: boolean; // its leader says nothing now
}

export interface ConsumerRow extends Led {
  name: string;
  push: boolean;
  pending: number;
  ack_pending: number;
  redelivered: number;
  waiting: number;
  paused: boolean;
}

export interface StreamRow extends Led {
  name: string;
  plain: string; // as its own domain calls it
  subjects: string[];
  more: number;
  storage: string;
  retention: string;
  replicas: number;
  messages: number;
  bytes: number;
  origin: string;
  consumers: Cut<ConsumerRow>;
}

export interface BucketRow extends Led {
  name: string;
  plain: string; // as its own domain calls it
  kind: string;
  revisions: number;
  bytes: number;
  history: number;
  storage: string;
  replicas: number;
}

export interface ClientRow {
  name: string;
  cid: number;
  server: string;
  own: boolean;
  lang: string;
  subscriptions: number;
  in: number;
  out: number;
  waiting: number;
}

export interface ViewRow {
  name: string;
  of: string[];
  title: string;
}

export interface JobRow {
  id: number;
  verb: string;
  name: string;
  what: string;
  count: number;
}

export interface Alarm {
  kind: string; // quorum, slow, down, frozen
  of: string;
}

export interface Lab {
  name: string;
  watched: boolean;
  started: number; // unix seconds
  mode: string;
}

export interface Snapshot {
  seq: number;
  version: number;
  lab: Lab | null;
  fault?: string;
  views_there: { name: string; title: string }[];
  servers: Cut<ServerRow>;
  links: Cut<LinkRow>;
  streams: Cut<StreamRow>;
  buckets: Cut<BucketRow>;
  clients: Cut<ClientRow>;
  views: Cut<ViewRow>;
  jobs: Cut<JobRow>;
  /** Whether no server says what is there; whose words are old because it is frozen. */
  silent: { all: boolean; since: string[] };
  rate: { in: number; out: number };
  alarms: Alarm[];
}

const NONE = { total: 0, rows: [] };
const EMPTY: Omit<Snapshot, 'seq' | 'version'> = {
  lab: null,
  views_there: [],
  servers: NONE,
  links: NONE,
  streams: NONE,
  buckets: NONE,
  clients: NONE,
  views: NONE,
  jobs: NONE,
  silent: { all: false, since: [] },
  rate: { in: 0, out: 0 },
  alarms: []
};

/** A snapshot as it came; what is missing in it is empty. */
export function snapshot(data: object): Snapshot {
  return { seq: 0, version: 0, ...EMPTY, ...data };
}

/** Where in a cell something is asked: line and column, from 0. */
export interface Place {
  cell: string;
  line: number;
  column: number;
}

export interface Complaint {
  line: number;
  from: number;
  to: number;
  what: string;
  hint: string;
}

export interface Help {
  from: number;
  to: number;
  title: string;
  says: string;
  usage: string;
  example: string;
}

/** What each question needs and gets. */
export interface Questions {
  run: { needs: { line: string }; gets: { said: string; lab: number } };
  inspect: { needs: { kind: string; name: string; of: string }; gets: { facts: [string, string][] } };
  complete: { needs: Place; gets: { items: { text: string; says: string }[]; from: number } };
  help: { needs: Place; gets: { help: Help | null } };
  check: { needs: { cell: string }; gets: { found: Complaint[] } };
}

export interface Dock {
  view: string;
  of: string[];
  side: string;
}

/** A click in a view, as the line that it stands for, and what became of it. */
export interface Acted {
  act: number;
  line: string;
  lab: number; // when the lab began; 0 when there is none
  said: string;
  error: string;
  hint: string;
}

export type FromKernel =
  | ({ op: 'state' } & Snapshot)
  | ({ op: 'answer'; id: number; error?: string; hint?: string } & Record<string, unknown>)
  | ({ op: 'acted' } & Acted)
  | ({ op: 'dock' } & Dock);
